/** Six small vocabularies against Python's `tokenizers` and SentencePiece (test/fixtures/tokenizer/make_fixtures.py). */
import { describe, expect, it } from "vitest";
import { tokenizerJsonFromGguf } from "../../../src/model/tokenizer/fromGguf.ts";
import { TextStream, Tokenizer } from "../../../src/model/tokenizer/index.ts";
import { ggufMetadata, goldens, json, load, names, random } from "./fixtures.ts";

const fromGguf = (name: string): Tokenizer => {
  const { tokenizerJson, tokenizerConfig } = tokenizerJsonFromGguf(ggufMetadata(name));
  return new Tokenizer(tokenizerJson, tokenizerConfig);
};
const SPECIAL = /<s>|<\/s>|<unk>/;

describe.each(names)("%s", (name) => {
  const golden = goldens.tokenizers[name]!;
  const tokenizer = load(name);
  const normal = (text: string): string => (name === "qwen2" ? text.normalize("NFC") : text);

  it.each([
    ["tokenizer.json", tokenizer],
    ["GGUF metadata", fromGguf(name)],
  ] as const)("encodes like Python from %s", (_, t) => {
    const ids = goldens.texts.map((text) => ({ text, ids: t.encode(text, { bos: "never" }) }));
    expect(ids).toEqual(goldens.texts.map((text, i) => ({ text, ids: golden.ids[i] })));
  });

  it("gives Python's spans", () => {
    // Python gives an inserted space the next character's span, and what NFC joined the first character's.
    const plain = golden.spans.map((_, i) => i).filter((i) => normal(goldens.texts[i]!) === goldens.texts[i]);
    expect(plain.length).toBeGreaterThan(100);
    for (const i of plain) {
      const text = goldens.texts[i]!;
      const { ids, offsets } = tokenizer.encodeWithOffsets(text, { bos: "never" });
      const python = golden.spans[i]!.map((span, k) => (offsets[k]![0] === offsets[k]![1] ? [span[0], span[0]] : span));
      expect({ text, ids, offsets }).toEqual({ text, ids: golden.ids[i], offsets: python });
    }
  });

  it("covers every text with spans, in order", () => {
    for (const text of goldens.texts) {
      let covered = 0;
      for (const [start, end] of tokenizer.encodeWithOffsets(text).offsets) {
        expect(start).toBeLessThanOrEqual(covered);
        expect(end).toBeGreaterThanOrEqual(covered);
        covered = end;
      }
      expect(covered, JSON.stringify(text)).toBe(text.length);
    }
  });

  it("gives back the text", () => {
    // The llama tokenizer writes spaces as U+2581, and puts one after every special token.
    const texts = name === "llama" ? goldens.texts.filter((t) => !SPECIAL.test(t) && !t.includes("▁")) : goldens.texts;
    expect(texts.map((t) => tokenizer.decode(tokenizer.encode(t, { bos: "never" })))).toEqual(texts.map(normal));
  });

  it("decodes like Python", () => {
    // Python replaces a whole run of byte tokens where one byte of it is wrong; see the SentencePiece test.
    const lists = golden.decodes.filter((d) => name !== "llama" || !d.all.includes("\ufffd"));
    expect(lists.length).toBeGreaterThan(10);
    expect(lists.map((d) => tokenizer.decode(d.ids))).toEqual(lists.map((d) => d.all));
    expect(lists.map((d) => tokenizer.decode(d.ids, { skipSpecialTokens: true }))).toEqual(lists.map((d) => d.text));
  });

  it("streams what it decodes", () => {
    const next = random(5);
    const stream = new TextStream(tokenizer);
    for (let round = 0; round < 300; round++) {
      const ids = Array.from({ length: 1 + Math.floor(next() * 20) }, () => Math.floor(next() * tokenizer.vocabSize));
      const pieces = ids.map((id) => stream.push(id));
      pieces.push(stream.end());
      expect(pieces.join(""), JSON.stringify(ids)).toBe(tokenizer.decode(ids, { skipSpecialTokens: true }));
    }
  });
});

describe("llama against SentencePiece", () => {
  const tokenizer = fromGguf("llama");

  it("encodes alike", () => {
    const texts = goldens.texts
      .map((text, i) => ({ text, ids: goldens.sentencepiece.ids[i] }))
      .filter((t) => t.text && !SPECIAL.test(t.text));
    expect(texts.map(({ text }) => ({ text, ids: tokenizer.encode(text, { bos: "never" }) }))).toEqual(texts);
  });

  it("decodes alike, broken characters included", () => {
    // SentencePiece writes one U+FFFD for each wrong byte, the web one for each wrong sequence.
    const one = (text: string): string => text.replace(/\ufffd+/g, "\ufffd");
    const { decodes } = goldens.sentencepiece;
    expect(decodes.map((d) => one(tokenizer.decode(d.ids)))).toEqual(decodes.map((d) => one(d.text)));
  });
});

describe.each(Object.entries(goldens.metaspace))("llama's vocabulary with Metaspace (%s)", (how, python) => {
  const [prepend_scheme, split] = how.split(",");
  const metaspace = { type: "Metaspace", replacement: "▁", prepend_scheme, split: split === "True" };
  const tokenizer = new Tokenizer({ ...json("llama"), normalizer: null, pre_tokenizer: metaspace, decoder: metaspace });
  const texts = goldens.texts.slice(0, python.length);

  it("encodes like Python", () => {
    const ids = texts.map((text) => ({ text, ids: tokenizer.encode(text, { bos: "never" }) }));
    expect(ids).toEqual(texts.map((text, i) => ({ text, ids: python[i] })));
  });

  it("knows the spans", () => {
    for (const text of texts) expect(tokenizer.encodeWithOffsets(text).offsets.at(-1)?.[1] ?? 0).toBe(text.length);
    expect(tokenizer.encodeWithOffsets("  the mill", { bos: "never" }).offsets[0]![0]).toBe(0);
  });
});
