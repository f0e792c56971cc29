/** What the wrapper adds to the library: BOS, special tokens, faithful decoding, and refusal of what is not a tokenizer. */
import { describe, expect, it } from "vitest";
import { fixPreTokenizer } from "../../../src/model/tokenizer/fixes.ts";
import { TextStream, Tokenizer } from "../../../src/model/tokenizer/index.ts";
import type { TokenizerJson } from "../../../src/model/tokenizer/tokenizerJson.ts";
import { TrimtabError } from "../../../src/tensor/errors.ts";
import { json, load } from "./fixtures.ts";

const gpt2 = load("gpt2");
const llama = load("llama");

describe("BOS", () => {
  const llama3 = json("llama3");
  const bos = { bos_token: "<|endoftext|>" };

  it.each([
    ["the post-processor's template", llama3, {}, true],
    [
      "a template within a Sequence",
      { ...llama3, post_processor: { type: "Sequence", processors: [{ type: "ByteLevel" }, llama3.post_processor] } },
      {},
      true,
    ],
    ["add_bos_token against the template", llama3, { ...bos, add_bos_token: false }, false],
    ["add_bos_token alone", json("gpt2"), { ...bos, add_bos_token: true }, true],
    ["a bos_token alone", json("gpt2"), bos, false],
    ["a bos_token as an object", json("gpt2"), { bos_token: { content: "<|endoftext|>" }, add_bos_token: true }, true],
    ["add_bos_token without a bos_token", json("gpt2"), { add_bos_token: true }, false],
  ])("%s", (_, tokenizerJson, config, expected) => {
    const t = new Tokenizer(tokenizerJson as TokenizerJson, config);
    expect(t.addBos).toBe(expected);
    const plain = t.encode("The mill", { bos: "never" });
    expect(t.encode("The mill")).toEqual(expected ? [t.bosTokenId, ...plain] : plain);
  });

  it("has no width", () => {
    const { ids, offsets, tokens } = load("llama3").encodeWithOffsets("a");
    expect([ids.length, offsets, tokens[0]]).toEqual([
      2,
      [
        [0, 0],
        [0, 1],
      ],
      "<|endoftext|>",
    ]);
  });
});

describe("special tokens", () => {
  it("are those marked special, not every added token", () => {
    expect([...gpt2.specialTokens]).toEqual([["<|endoftext|>", 0]]);
    const ids = gpt2.encode("a<|tool|>b<|endoftext|>");
    expect(gpt2.decode(ids, { skipSpecialTokens: true })).toBe("a<|tool|>b");
    expect(gpt2.decode(ids)).toBe("a<|tool|>b<|endoftext|>");
    expect(gpt2.isSpecial(gpt2.tokenToId("<|tool|>")!)).toBe(false);
    expect([...llama.eosTokenIds]).toEqual([llama.tokenToId("</s>")]);
  });

  it("may take the spaces beside them", () => {
    const base = json("gpt2");
    const added_tokens = base.added_tokens!.map((t) =>
      t.content === "<|tool|>" ? { ...t, lstrip: true, rstrip: true } : t,
    );
    const { ids, offsets } = new Tokenizer({ ...base, added_tokens }).encodeWithOffsets("a  <|tool|> b");
    expect(ids).toEqual([gpt2.tokenToId("a"), gpt2.tokenToId("<|tool|>"), gpt2.tokenToId("b")]);
    expect(offsets).toEqual([
      [0, 1],
      [1, 12],
      [12, 13],
    ]);
  });
});

describe("decoding", () => {
  it("alters nothing around punctuation", () => {
    const text = "a . b , c ! n't 's ' x";
    expect(gpt2.decode(gpt2.encode(text))).toBe(text);
  });

  it("keeps a byte order mark and marks broken characters", () => {
    expect(gpt2.decode(gpt2.encode("\ufeffx"))).toBe("\ufeffx");
    const [first] = gpt2.encode("👍");
    expect(gpt2.decode([first!, gpt2.tokenToId("a")!])).toBe("\ufffda");
    expect(gpt2.decode(gpt2.encode("\ud800x"))).toBe("\ufffdx");
  });

  it("takes ids beyond the vocabulary for padding, and refuses what is no id", () => {
    expect(gpt2.decode([gpt2.vocabSize + 5, gpt2.tokenToId("a")!])).toBe("a");
    expect(gpt2.decode([])).toBe("");
    for (const id of [-1, 1.5, Number.NaN]) expect(() => gpt2.decode([id])).toThrow(/not a token id/);
  });

  it("removes one leading space of a SentencePiece text, also in a stream after special tokens", () => {
    const ids = [llama.bosTokenId!, ...llama.encode("  the mill", { bos: "never" })];
    expect(llama.decode(ids, { skipSpecialTokens: true })).toBe("  the mill");
    const stream = new TextStream(llama);
    expect(ids.map((id) => stream.push(id)).join("") + stream.end()).toBe("  the mill");
    // A second answer from the same stream loses its space, too.
    expect(stream.push(llama.tokenToId("▁the")!)).toBe("the");
  });

  it("streams a character only when it is whole", () => {
    const stream = new TextStream(gpt2);
    const pieces = gpt2.encode("👍!").map((id) => stream.push(id));
    expect(pieces.filter((p) => p !== "")).toEqual(["👍", "!"]);
    expect(stream.end()).toBe("");
    stream.push(gpt2.encode("👍")[0]!);
    expect(stream.end()).toBe("\ufffd");
  });
});

describe("fixes", () => {
  it("makes Digits mean every Unicode number, wherever it stands", () => {
    const digits = { type: "Digits", individual_digits: true };
    const split = { type: "Split", pattern: { Regex: "\\p{N}" }, behavior: "Isolated", invert: false };
    expect(fixPreTokenizer(digits)).toEqual(split);
    const nested = (p: object) => ({ type: "Sequence", pretokenizers: [{ type: "Sequence", pretokenizers: [p] }] });
    expect(fixPreTokenizer(nested(digits))).toEqual(nested(split));
    expect(fixPreTokenizer({ type: "Digits", individual_digits: false })).toMatchObject({
      pattern: { Regex: "\\p{N}+" },
    });
    expect(fixPreTokenizer(null)).toBeNull();
  });

  it("takes U+0085 for a space and U+FEFF for none, as Python does", () => {
    const base = json("gpt2");
    const vocab = { ...(base.model.vocab as Record<string, number>), "!ï": 800, "!Â": 801 };
    const merges = [...base.model.merges!, "! ï", "! Â"];
    const t = new Tokenizer({ ...base, model: { ...base.model, vocab, merges } });
    expect(t.encode("!\ufeff")[0]).toBe(800);
    expect(t.encode("!\u0085")[0]).toBe(t.tokenToId("!"));
  });
});

describe("bad input", () => {
  const base = json("gpt2");
  it.each([
    ["no model", {}, /no model/],
    ["null", null, /no model/],
    ["no vocabulary", { ...base, model: { type: "BPE" } }, /vocab is missing/],
    ["an unknown model", { ...base, model: { ...base.model, type: "Unigram" } }, /"Unigram"/],
    ["an unknown normalizer", { ...base, normalizer: { type: "Shout" } }, /Shout/],
    ["an unknown pre-tokenizer", { ...base, pre_tokenizer: { type: "Guess" } }, /Guess/],
    ["an unknown decoder", { ...base, decoder: { type: "WordPiece" } }, /WordPiece/],
    ["no decoder", { ...base, decoder: null }, /no decoder/],
    [
      "a broken regular expression",
      { ...base, pre_tokenizer: { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated" } },
      /./,
    ],
    [
      "an unknown way to split",
      { ...base, pre_tokenizer: { type: "Split", pattern: { String: " " }, behavior: "MergedWithNext" } },
      /"MergedWithNext"/,
    ],
    ["a suffix of words", { ...base, model: { ...base.model, end_of_word_suffix: "</w>" } }, /end_of_word_suffix/],
    ["a huge id", { ...base, added_tokens: [{ id: 4e9, content: "x" }] }, /has the id 4000000000/],
    ["a negative id", { ...base, model: { ...base.model, vocab: { a: -1 } } }, /has the id -1/],
    ["an added token without text", { ...base, added_tokens: [{ id: 1 }] }, /added token/],
    ["a merge of one piece", { ...base, model: { ...base.model, merges: ["ab"] } }, /merge 0/],
    ["a merge of numbers", { ...base, model: { ...base.model, merges: [[1, 2]] } }, /merge 0/],
  ])("%s is refused", (_, tokenizerJson, message) => {
    const build = () => new Tokenizer(tokenizerJson as unknown as TokenizerJson);
    expect(build).toThrow(message);
    expect(build).toThrow(TrimtabError);
    expect(build).toThrow(expect.objectContaining({ code: "E_TOKENIZER" }));
  });

  it("refuses unknown options and what is not text", () => {
    expect(() => gpt2.encode("a", { addBos: true } as object)).toThrow(/unknown option "addBos"/);
    expect(() => gpt2.encode("a", { bos: "always" as "auto" })).toThrow(/"auto" or "never"/);
    expect(() => gpt2.encode(5 as unknown as string)).toThrow(/expected a text/);
    expect(() => gpt2.decode([1], { skip: true } as object)).toThrow(/unknown option/);
  });

  it("takes tokens named like object members", () => {
    const vocab = { ...(base.model.vocab as Record<string, number>) };
    const added_tokens = ["__proto__", "constructor", "toString"].map((content, i) => ({ id: 900 + i, content }));
    const t = new Tokenizer({ ...base, added_tokens, model: { ...base.model, vocab } });
    const text = "a__proto__ constructor.toString";
    expect(t.encode(text)).toEqual(expect.arrayContaining([900, 901, 902]));
    expect(t.decode(t.encode(text))).toBe(text);
  });

  it("says that spans are unknown where the normalizer rewrites text", () => {
    const t = new Tokenizer({ ...base, normalizer: { type: "Lowercase" } });
    expect(t.decode(t.encode("The"))).toBe("the");
    expect(() => t.encodeWithOffsets("The")).toThrow(/Lowercase/);
  });
});

it("marks unknown characters where a vocabulary has no bytes for them", () => {
  const base = json("llama");
  const t = new Tokenizer({ ...base, model: { ...base.model, byte_fallback: false } });
  const { ids, offsets } = t.encodeWithOffsets("the ⴰⴱ mill");
  const unknown = ids.indexOf(t.tokenToId("<unk>")!);
  expect(offsets[unknown]).toEqual([4, 6]);
  expect(offsets.at(-1)![1]).toBe(11);
});
