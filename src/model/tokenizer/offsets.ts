/**
 * Where each token lies in the text: UTF-16 spans, found by walking the tokens' bytes along the text as the normalizer
 * changed it. Knows tokens' bytes and the normalizer's JSON; it does not tokenize.
 */
import { TrimtabError } from "../../tensor/errors.ts";
import type { AddedToken, Component, TokenizerJson } from "./tokenizerJson.ts";

/** `[start, end)` in UTF-16 units of the text. */
export type Span = readonly [start: number, end: number];

/** What happens to text between added tokens before it is tokenized, as far as it moves characters. */
export interface TextChanges {
  readonly form: "NFC" | "NFD" | "NFKC" | "NFKD" | undefined;
  /** A space is put before every stretch of text. */
  readonly prepend: boolean;
  /** The character that stands for a space, where there is one. */
  readonly spaceMark: string | undefined;
}

export interface SpanSource {
  readonly changes: TextChanges;
  readonly added: ReadonlyMap<number, AddedToken>;
  readonly unknownId: number | undefined;
  /** Bytes that the tokenizer drops; no token covers them. */
  readonly missing: ReadonlySet<number>;
  bytesOf(id: number): Uint8Array;
}

const SPACE_BYTE = 0x20;
const utf8 = new TextEncoder();

/** @throws TrimtabError E_TOKENIZER for a normalizer that changes text in another way. */
export function readTextChanges(json: TokenizerJson): TextChanges {
  const changes: { -readonly [K in keyof TextChanges]: TextChanges[K] } = {
    form: undefined,
    prepend: false,
    spaceMark: undefined,
  };
  const visit = (c: Component | null | undefined): void => {
    if (!c) return;
    if (c.type === "Sequence") ((c.normalizers ?? c.pretokenizers ?? []) as Component[]).forEach(visit);
    else if (c.type === "NFC" || c.type === "NFD" || c.type === "NFKC" || c.type === "NFKD") changes.form = c.type;
    else if (c.type === "Prepend") changes.prepend = true;
    else if (c.type === "Metaspace") changes.spaceMark = String(c.replacement ?? "▁");
    else if (c.type === "Replace" && (c.pattern as { String?: unknown } | undefined)?.String === " ")
      changes.spaceMark = String(c.content);
    else if (c === json.normalizer || (json.normalizer?.normalizers as unknown[] | undefined)?.includes(c))
      throw new TrimtabError(
        "E_TOKENIZER",
        `token offsets are not known for the normalizer "${c.type}"`,
        "use encode, which needs no offsets",
      );
  };
  visit(json.normalizer);
  visit(json.pre_tokenizer);
  return changes;
}

/**
 * The span of each token of `ids = encode(text)`, in order. Tokens that split a character all have that character's span; a
 * space that the tokenizer put in has no width.
 */
export function tokenSpans(text: string, ids: readonly number[], source: SpanSource): Span[] {
  const spans: Span[] = [];
  let cursor = 0;
  let first = 0;
  for (let i = 0; i <= ids.length; i++) {
    const token = i < ids.length ? source.added.get(ids[i]!) : undefined;
    const at = token ? text.indexOf(token.content, cursor) : text.length;
    if ((i < ids.length && !token) || at < 0) continue;
    const before = text.slice(cursor, at);
    const section = token?.lstrip ? before.trimEnd() : before;
    spanSection(section, cursor, ids.slice(first, i), source, spans);
    if (!token) break;
    const end = at + token.content.length;
    const after = token.rstrip ? text.slice(end) : "";
    const next = end + after.length - after.trimStart().length;
    spans.push([cursor + section.length, next]);
    cursor = next;
    first = i + 1;
  }
  return spans;
}

/** Characters of normalized text: their bytes, and the original characters that they come from. */
class Characters {
  readonly bytes: number[] = [];
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly isSpace: boolean[] = [];
  constructor(
    private readonly spaceMark: string | undefined,
    private readonly missing: ReadonlySet<number>,
  ) {}
  add(char: string, start: number, end: number): void {
    const space = char === " " || char === this.spaceMark;
    const bytes = space ? 1 : this.#length(char);
    if (bytes === 0) return;
    this.bytes.push(bytes);
    this.isSpace.push(space);
    this.starts.push(start);
    this.ends.push(end);
  }
  #length(char: string): number {
    return this.missing.size === 0
      ? utf8Length(char)
      : utf8.encode(char).reduce((n, byte) => n + (this.missing.has(byte) ? 0 : 1), 0);
  }
}

function spanSection(text: string, offset: number, ids: readonly number[], source: SpanSource, out: Span[]): void {
  const chars = charactersOf(text, offset, source);
  let unit = 0;
  let within = 0;
  ids.forEach((_, i) => {
    const start = chars.starts[unit] ?? offset + text.length;
    let end = start;
    for (let left = tokenLength(ids, i, chars, unit, within, source); left > 0 && unit < chars.bytes.length; ) {
      end = chars.ends[unit]!;
      const taken = Math.min(left, chars.bytes[unit]! - within);
      left -= taken;
      within += taken;
      if (within < chars.bytes[unit]!) continue;
      within = 0;
      unit++;
    }
    out.push([start, end]);
  });
}

/** How many bytes of the section's characters the token covers. */
function tokenLength(
  ids: readonly number[],
  i: number,
  chars: Characters,
  unit: number,
  within: number,
  source: SpanSource,
): number {
  const id = ids[i]!;
  if (id === source.unknownId) {
    if (ids.indexOf(id, i + 1) >= 0) return chars.bytes[unit] ?? 0;
    const rest = ids.slice(i + 1).reduce((n, next) => n + source.bytesOf(next).length, 0);
    return chars.bytes.slice(unit).reduce((n, b) => n + b, 0) - rest;
  }
  const bytes = source.bytesOf(id);
  const inserted = within === 0 && bytes[0] === SPACE_BYTE && unit < chars.bytes.length && !chars.isSpace[unit];
  return inserted ? bytes.length - 1 : bytes.length;
}

function charactersOf(text: string, offset: number, source: SpanSource): Characters {
  const { changes } = source;
  const chars = new Characters(changes.spaceMark, source.missing);
  if (text === "") return chars;
  if (changes.prepend) chars.add(" ", offset, offset);
  let at = offset;
  for (const piece of normalizationPieces(text, changes.form)) {
    const normalized = changes.form ? piece.normalize(changes.form) : piece;
    const end = at + piece.length;
    if (normalized !== piece) {
      for (const char of normalized) chars.add(char, at, end);
    } else {
      let start = at;
      for (const char of piece) chars.add(char, start, (start += char.length));
    }
    at = end;
  }
  return chars;
}

/** Pieces that normalize independently: a character with its combining marks and following Hangul vowels and finals. */
function normalizationPieces(text: string, form: TextChanges["form"]): readonly string[] {
  if (!form || text.normalize(form) === text) return [text];
  const pieces = text.match(/[\s\S][\p{M}\u1160-\u11ff]*/gu) ?? [];
  const joined = pieces.map((p) => p.normalize(form)).join("");
  return joined === text.normalize(form) ? pieces : [text];
}

function utf8Length(char: string): number {
  const code = char.codePointAt(0)!;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}
