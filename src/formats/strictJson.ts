/**
 * JSON as untrusted headers need it: UTF-8 checked, duplicate keys refused (JSON.parse keeps the last one silently), nesting
 * bounded. Knows no format.
 */
import { FormatError } from "../tensor/errors.ts";

const MAX_DEPTH = 64;

/** @throws FormatError for bytes that are not UTF-8 or not JSON, for duplicate keys, and for deep nesting. */
export function parseStrictJson(bytes: Uint8Array, where: string): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${where} is not UTF-8`, "the file is damaged", { cause });
  }
  checkKeysAndDepth(text, where);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(`${where} is not valid JSON: ${(cause as Error).message}`, "the file is damaged", { cause });
  }
}

const STRING = /"(?:[^"\\]|\\.)*"/gsy;

/** One pass over the text; what is not JSON at all is left for JSON.parse to refuse. */
function checkKeysAndDepth(text: string, where: string): void {
  const open: (Set<string> | undefined)[] = []; // keys of each open object, undefined for arrays
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === "{" || c === "[") {
      if (open.length >= MAX_DEPTH) throw new FormatError(`${where} nests deeper than ${MAX_DEPTH} levels`);
      open.push(c === "{" ? new Set() : undefined);
    } else if (c === "}" || c === "]") {
      open.pop();
    } else if (c === '"') {
      STRING.lastIndex = i;
      const literal = STRING.exec(text)?.[0];
      if (literal === undefined) return;
      i += literal.length - 1;
      const keys = open.at(-1);
      if (keys && /^\s*:/.test(text.slice(i + 1, i + 64))) addKey(keys, literal, where);
    }
  }
}

function addKey(keys: Set<string>, literal: string, where: string): void {
  let key = literal;
  try {
    key = JSON.parse(literal) as string;
  } catch {
    return; // JSON.parse of the whole will refuse it
  }
  if (keys.has(key)) throw new FormatError(`${where} has the key ${literal} twice`);
  keys.add(key);
}
