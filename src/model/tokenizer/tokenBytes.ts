/**
 * The bytes that each token stands for, from a tokenizer.json's decoder, and their decoding to text. Working on bytes makes
 * decoding faithful and lets a stream decode token by token. It knows no text splitting and no special-token policy.
 */
import { TrimtabError } from "../../tensor/errors.ts";
import type { Component } from "./tokenizerJson.ts";

const utf8 = new TextEncoder();
const NO_BYTES = new Uint8Array(0);

/** GPT-2's printable stand-ins for the 256 bytes. */
const CHAR_OF_BYTE: readonly string[] = (() => {
  const printable = (b: number) => (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || (b >= 0xae && b <= 0xff);
  let next = 0x100;
  return Array.from({ length: 256 }, (_, b) => String.fromCharCode(printable(b) ? b : next++));
})();
const BYTE_OF_CHAR: ReadonlyMap<string, number> = new Map(CHAR_OF_BYTE.map((c, b) => [c, b]));

/** The character that byte-level vocabularies write for a byte. */
export function charOfByte(byte: number): string {
  return CHAR_OF_BYTE[byte]!;
}

/** What a decoder does, reduced to the steps that decoder-only models use. */
interface DecodingSteps {
  byteLevel: boolean;
  byteFallback: boolean;
  /** Literal replacements within a token, in order. */
  readonly replacements: (readonly [from: string, to: string])[];
  /** Removes one space at the very start of the text. */
  stripLeadingSpace: boolean;
}

export class TokenBytes {
  readonly #steps: DecodingSteps;
  readonly #tokens: readonly (string | undefined)[];
  readonly #added: ReadonlySet<number>;
  readonly #cache: (Uint8Array | undefined)[] = [];

  /** `tokens` by id; ids in `added` stand for their own text. @throws TrimtabError E_TOKENIZER for an unknown decoder. */
  constructor(
    tokens: readonly (string | undefined)[],
    added: ReadonlySet<number>,
    decoder: Component | null | undefined,
  ) {
    this.#tokens = tokens;
    this.#added = added;
    this.#steps = { byteLevel: false, byteFallback: false, replacements: [], stripLeadingSpace: false };
    if (!decoder) throw unsupported("no decoder");
    readDecoder(decoder, this.#steps);
  }

  get stripLeadingSpace(): boolean {
    return this.#steps.stripLeadingSpace;
  }

  /** Bytes of a token; none for an id that the vocabulary lacks (models pad their embedding table). */
  of(id: number): Uint8Array {
    return (this.#cache[id] ??= this.#compute(id));
  }

  /** Text of the bytes of `ids`; what is not UTF-8 becomes U+FFFD, as everywhere on the web. */
  decode(ids: readonly number[]): string {
    const parts = ids.map((id) => this.of(id));
    const bytes = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    return this.stripLeadingSpace && text.startsWith(" ") ? text.slice(1) : text;
  }

  #compute(id: number): Uint8Array {
    let token = this.#tokens[id];
    if (token === undefined) return NO_BYTES;
    if (this.#added.has(id)) return utf8.encode(token);
    if (this.#steps.byteLevel) return fromByteChars(token) ?? utf8.encode(token);
    const byte = this.#steps.byteFallback ? /^<0x([0-9A-F]{2})>$/i.exec(token) : null;
    if (byte) return Uint8Array.of(Number.parseInt(byte[1]!, 16));
    for (const [from, to] of this.#steps.replacements) token = token.replaceAll(from, to);
    return utf8.encode(token);
  }
}

function fromByteChars(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length);
  for (let i = 0; i < token.length; i++) {
    const byte = BYTE_OF_CHAR.get(token[i]!);
    if (byte === undefined) return undefined;
    bytes[i] = byte;
  }
  return bytes;
}

function readDecoder(d: Component, steps: DecodingSteps): void {
  switch (d.type) {
    case "Sequence":
      for (const part of Array.isArray(d.decoders) ? (d.decoders as Component[]) : []) readDecoder(part, steps);
      return;
    case "ByteLevel":
      steps.byteLevel = true;
      return;
    case "ByteFallback":
      steps.byteFallback = true;
      return;
    case "Fuse":
      return;
    case "Metaspace":
      steps.replacements.push([String(d.replacement ?? "▁"), " "]);
      steps.stripLeadingSpace = d.prepend_scheme !== "never" && d.add_prefix_space !== false;
      return;
    case "Replace": {
      const from = (d.pattern as { String?: unknown } | undefined)?.String;
      if (typeof from !== "string" || from === "") throw unsupported("Replace without a text to replace");
      steps.replacements.push([from, String(d.content ?? "")]);
      return;
    }
    case "Strip":
      if (d.content !== " " || Number(d.start ?? 0) > 1 || Number(d.stop ?? 0) > 0)
        throw unsupported(`Strip of ${JSON.stringify(d.content)}, ${d.start} and ${d.stop}`);
      steps.stripLeadingSpace = Number(d.start ?? 0) === 1;
      return;
    default:
      throw unsupported(`"${d.type}"`);
  }
}

function unsupported(what: string): TrimtabError {
  return new TrimtabError(
    "E_TOKENIZER",
    `tokenizer.json: decoder is ${what}`,
    "known are ByteLevel, Metaspace, and Sequence of Replace, ByteFallback, Fuse and Strip",
  );
}
