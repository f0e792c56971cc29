/**
 * How error messages show what stands in an untrusted file: escaped, so that it cannot steer a terminal, and cut to 80
 * characters. Knows nothing.
 */
const MOST = 80;

/** A name out of a file, in quotes. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > MOST ? `${text.slice(0, MOST)}…` : text);
}

/** Any value. */
export function shown(value: unknown): string {
  const text = typeof value === "bigint" ? String(value) : (JSON.stringify(value) ?? String(value));
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text;
}
