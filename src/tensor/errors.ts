/**
 * The error classes of the whole project. Every message says what was got, what was expected, where, and the remedy;
 * `code` is stable and may be matched by programs. This file knows nothing else of the project.
 */

export type ErrorCode =
  | "E_SHAPE"
  | "E_DTYPE"
  | "E_DEVICE"
  | "E_OOM"
  | "E_HOOK"
  | "E_FORMAT"
  | "E_CONFIG"
  | "E_ARCH"
  | "E_TOKENIZER"
  | "E_CONTEXT"
  | "E_LAYER"
  | "E_OPTION"
  | "E_DATA"
  | "E_HUB"
  | "E_HUB_NOT_FOUND"
  | "E_HUB_AUTH"
  | "E_HUB_OFFLINE"
  | "E_DISPOSED";

/** Base of every error that Trimtab throws on purpose. `hint` is the remedy, one sentence. */
export class TrimtabError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  constructor(code: ErrorCode, message: string, hint?: string, options?: ErrorOptions) {
    super(hint ? `${message} — ${hint}` : message, options);
    this.name = new.target.name;
    this.code = code;
    this.hint = hint;
  }
}

/** A tensor has the wrong shape for an operation. */
export class ShapeError extends TrimtabError {
  constructor(message: string, hint?: string) {
    super("E_SHAPE", message, hint);
  }
}

/** A tensor has the wrong element type for an operation. */
export class DTypeError extends TrimtabError {
  constructor(message: string, hint?: string) {
    super("E_DTYPE", message, hint);
  }
}

/** A device is absent, lacks something, or ran out of memory (`E_OOM`). */
export class DeviceError extends TrimtabError {
  constructor(message: string, hint?: string, code: "E_DEVICE" | "E_OOM" = "E_DEVICE") {
    super(code, message, hint);
  }
}

/** An unknown hook name, a layer out of range, or a hook that returned the wrong thing. */
export class HookError extends TrimtabError {
  constructor(message: string, hint?: string) {
    super("E_HOOK", message, hint);
  }
}

/** A file (weights, vectors, data) is damaged, hostile, or not what it claims to be. */
export class FormatError extends TrimtabError {
  constructor(message: string, hint?: string, options?: ErrorOptions) {
    super("E_FORMAT", message, hint, options);
  }
}

/** An option, a configuration, or the user's data is wrong. */
export class InputError extends TrimtabError {}

/** Refuses keys of `given` that `known` does not list, naming the nearest known key. */
export function checkKeys(given: object, known: readonly string[], where: string): void {
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue;
    const near = nearest(key, known);
    throw new InputError(
      "E_OPTION",
      `${where}: unknown option "${key}"`,
      near ? `did you mean "${near}"?` : `known options: ${known.join(", ")}`,
    );
  }
}

/** The candidates nearest to `name` by edit distance, best first; at most `most`, none farther than half its length. */
export function nearestNames(name: string, candidates: Iterable<string>, most = 3): string[] {
  const limit = Math.max(2, Math.floor(name.length / 2));
  return [...candidates]
    .map((c) => [editDistance(name.toLowerCase(), c.toLowerCase()), c] as const)
    .filter(([d]) => d <= limit)
    .sort((a, b) => a[0] - b[0])
    .slice(0, most)
    .map(([, c]) => c);
}

/** The nearest candidate, if any is near enough. */
export function nearest(name: string, candidates: Iterable<string>): string | undefined {
  return nearestNames(name, candidates, 1)[0];
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, substitute));
    }
    row = next;
  }
  return row[b.length]!;
}
