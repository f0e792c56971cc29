/**
 * JSON as untrusted headers need it: read by pieces, UTF-8 checked, duplicate keys refused (JSON.parse keeps the last one
 * silently), lone surrogates refused, nesting bounded, numbers whole if asked. One scan before JSON.parse; no regular
 * expressions over the text, whose backtracking a long string would exhaust. Knows no format.
 */
import { FormatError } from "../tensor/errors.ts";
import { quoted } from "./quoted.ts";
import type { ByteSource } from "./source.ts";

const MAX_DEPTH = 64;
const PIECE_BYTES = 1 << 20;

/**
 * `lengthBytes` bytes that should be one JSON object or array and white space. A wrong length reaches into other data, which
 * shows soon: reading stops at the first piece that cannot be, before memory is taken for all of it.
 */
export async function readJsonBytes(
  source: ByteSource,
  offsetBytes: number,
  lengthBytes: number,
  where: string,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (lengthBytes <= PIECE_BYTES) return source.read(offsetBytes, lengthBytes, signal);
  const pieces: Uint8Array[] = [];
  const state: Outline = { depth: 0, inString: false, escaped: false, ended: false };
  for (let at = 0; at < lengthBytes; at += PIECE_BYTES) {
    const piece = await source.read(offsetBytes + at, Math.min(PIECE_BYTES, lengthBytes - at), signal);
    if (!follow(state, piece))
      throw new FormatError(
        `${where} of ${lengthBytes} bytes is not JSON, from byte ${offsetBytes + at} on`,
        "the file is damaged; fetch it again",
      );
    pieces.push(piece);
  }
  const out = new Uint8Array(lengthBytes);
  pieces.forEach((piece, i) => out.set(piece, i * PIECE_BYTES));
  return out;
}

interface Outline {
  depth: number;
  inString: boolean;
  escaped: boolean;
  ended: boolean;
}

/** Whether the bytes can go on a JSON text of which `s` is known: no control characters, nothing behind its end. */
function follow(s: Outline, bytes: Uint8Array): boolean {
  for (const b of bytes) {
    if (b < 0x20 && b !== 0x0a && b !== 0x0d && b !== 0x09) return false;
    if (s.inString) {
      if (b === 0x22 && !s.escaped) s.inString = false;
      s.escaped = b === 0x5c && !s.escaped;
      continue;
    }
    if (s.ended && b > 0x20) return false;
    if (b === 0x22) s.inString = true;
    else if (b === 0x7b || b === 0x5b) s.depth++;
    else if (b === 0x7d || b === 0x5d) s.ended = --s.depth <= 0;
  }
  return true;
}

/**
 * @param integersOnly refuses numbers written with a sign, a fraction or an exponent.
 * @throws FormatError for bytes that are not UTF-8 or not JSON, and for all that the header of this file names.
 */
export function parseStrictJson(bytes: Uint8Array, where: string, integersOnly = false): unknown {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${where} is not UTF-8`, "the file is damaged; fetch it again", { cause });
  }
  scan(text, where, integersOnly);
  try {
    return JSON.parse(text);
  } catch (cause) {
    const { message } = cause as Error;
    throw new FormatError(`${where} is not valid JSON: ${message}`, "the file is damaged; fetch it again", { cause });
  }
}

/** What is not JSON at all is left for JSON.parse to refuse. */
function scan(text: string, where: string, integersOnly: boolean): void {
  const open: (Set<string> | undefined)[] = []; // keys of each open object, undefined for arrays
  let i = 0;
  while (i < text.length) {
    const c = text[i]!;
    if (c === '"') {
      const end = endOfString(text, i);
      if (end < 0) return;
      const value = unescaped(text.slice(i, end), where);
      if (value === undefined) return;
      i = skipSpace(text, end);
      if (text[i] !== ":") continue;
      const keys = open.at(-1);
      if (keys?.has(value)) throw new FormatError(`${where} has the key ${quoted(value)} twice`);
      keys?.add(value);
    } else if (isNumeric(c)) {
      const from = i;
      while (i < text.length && (isNumeric(text[i]!) || text[i] === "e" || text[i] === "E")) i++;
      const number = text.slice(from, Math.min(i, from + 40));
      if (integersOnly && !/^\d+$/.test(number))
        throw new FormatError(`${where} has the number ${number}`, "expected whole numbers from 0 to 2^53");
    } else {
      if (c === "{" || c === "[") open.push(c === "{" ? new Set() : undefined);
      if (c === "}" || c === "]") open.pop();
      if (open.length > MAX_DEPTH) throw new FormatError(`${where} nests deeper than ${MAX_DEPTH} levels`);
      i++;
    }
  }
}

/** The index behind the closing quote of the string that opens at `start`, or −1. */
function endOfString(text: string, start: number): number {
  for (let quote = text.indexOf('"', start + 1); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    let back = quote;
    while (text[back - 1] === "\\") back--;
    if ((quote - back) % 2 === 0) return quote + 1;
  }
  return -1;
}

/** The value of a string literal; undefined where JSON.parse will refuse it. */
function unescaped(literal: string, where: string): string | undefined {
  if (!literal.includes("\\")) return literal.slice(1, -1);
  let value: string;
  try {
    value = JSON.parse(literal) as string;
  } catch {
    return undefined;
  }
  if (!value.isWellFormed())
    throw new FormatError(`${where} has a string with half a surrogate pair: ${quoted(value)}`);
  return value;
}

function skipSpace(text: string, from: number): number {
  let i = from;
  while (i < text.length && " \t\r\n".includes(text[i]!)) i++;
  return i;
}

function isNumeric(c: string): boolean {
  return (c >= "0" && c <= "9") || c === "-" || c === "+" || c === ".";
}
