/**
 * Which part of the text each token stands for: tokens are turned back into bytes (byte-level) or characters, and walked
 * along the normalised text. Knows the normalisers of the supported families: none, NFC, Prepend, Replace of one character.
 */
import { InputError } from "../../tensor/errors.ts";

type Json = Record<string, unknown>;
type Span = readonly [number, number];

/** The normalised text, and for each of its UTF-16 units the span of the original that it came from. */
interface Traced {
  readonly text: string;
  readonly from: readonly Span[];
}

/** @throws InputError E_TOKENIZER where the normaliser is not traceable or a token does not fit the text. */
export function tokenOffsets(
  text: string,
  tokens: readonly string[],
  json: Json,
  isAdded: (i: number) => boolean,
): Span[] {
  const byteLevel = JSON.stringify(json.decoder ?? null).includes('"ByteLevel"');
  const start: Traced = { text, from: [...Array(text.length).keys()].map((i) => [i, i + 1] as const) };
  const traced = normalize(start, json.normalizer as Json | null | undefined);
  const units = byteLevel
    ? bytesOf(traced)
    : [...traced.text].map((c, i) => ({ unit: c, span: traced.from[utf16Index(traced.text, i)]! }));
  let at = 0;
  return tokens.map((token, i) => {
    const length = isAdded(i) ? unitsOfAdded(token, byteLevel) : unitsOfToken(token, byteLevel);
    const part = units.slice(at, at + length);
    at += length;
    if (part.length < length)
      throw new InputError("E_TOKENIZER", `offsets: token ${JSON.stringify(token)} runs past the end of the text`);
    return length === 0 ? ([0, 0] as const) : ([part[0]!.span[0], Math.max(...part.map((u) => u.span[1]))] as const);
  });
}

function unitsOfAdded(token: string, byteLevel: boolean): number {
  return byteLevel ? new TextEncoder().encode(token).length : [...token].length;
}

/** Byte-level tokens have one character a byte; sentencepiece's byte tokens look like <0xE2> and share a character. */
function unitsOfToken(token: string, byteLevel: boolean): number {
  if (!byteLevel && /^<0x[0-9A-F]{2}>$/.test(token))
    throw new InputError("E_TOKENIZER", `offsets: byte token ${token} cannot be traced to a character`);
  return [...token].length;
}

function utf16Index(text: string, codePoint: number): number {
  let at = 0;
  for (let i = 0; i < codePoint; i++) at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  return at;
}

function bytesOf({ text, from }: Traced): { unit: string; span: Span }[] {
  const units: { unit: string; span: Span }[] = [];
  let at = 0;
  for (const c of text) {
    const span: Span = [from[at]![0], from[at + c.length - 1]![1]];
    for (const byte of new TextEncoder().encode(c)) units.push({ unit: String(byte), span });
    at += c.length;
  }
  return units;
}

function normalize(t: Traced, normalizer: Json | null | undefined): Traced {
  if (!normalizer) return t;
  switch (normalizer.type) {
    case "Sequence":
      return (normalizer.normalizers as Json[]).reduce(normalize, t);
    case "NFC":
      return mapPieces(t, /\P{M}\p{M}*|\p{M}+/gu, (piece) => piece.normalize("NFC"));
    case "Prepend":
      return t.text === ""
        ? t
        : {
            text: `${normalizer.prepend}${t.text}`,
            from: [...[...String(normalizer.prepend)].map(() => [0, 0] as const), ...t.from],
          };
    case "Replace": {
      const pattern = (normalizer.pattern as Json).String;
      if (typeof pattern === "string")
        return mapPieces(t, /[\s\S]/gu, (piece) => (piece === pattern ? String(normalizer.content) : piece));
    }
  }
  throw new InputError("E_TOKENIZER", `offsets: the normalizer ${JSON.stringify(normalizer.type)} cannot be traced`);
}

/** Replaces each match; every unit of a replacement comes from the whole match. */
function mapPieces({ text, from }: Traced, pieces: RegExp, replace: (piece: string) => string): Traced {
  let out = "";
  const spans: Span[] = [];
  for (const match of text.matchAll(pieces)) {
    const piece = replace(match[0]);
    const span: Span = [from[match.index]![0], from[match.index + match[0].length - 1]![1]];
    const same = piece === match[0];
    for (let i = 0; i < piece.length; i++) spans.push(same ? from[match.index + i]! : span);
    out += piece;
  }
  return { text: out, from: spans };
}
