/**
 * GGUF tokenizer metadata to the two objects that @huggingface/tokenizers reads (tokenizer.json, tokenizer_config.json).
 * `gpt2` vocabularies are byte-level BPE with a split rule named by `tokenizer.ggml.pre`; `llama` vocabularies are
 * sentencepiece BPE whose merges follow from the scores. Knows metadata keys only.
 */
import { InputError } from "../../tensor/errors.ts";

type Json = Record<string, unknown>;

export interface TokenizerObjects {
  readonly tokenizerJson: Json;
  readonly tokenizerConfig: Json;
}

const BYTE_LEVEL = (useRegex: boolean): Json => ({
  type: "ByteLevel",
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: useRegex,
});
const splitBy = (regex: string): Json => ({
  type: "Split",
  pattern: { Regex: regex },
  behavior: "Isolated",
  invert: false,
});
const sequence = (...pretokenizers: Json[]): Json => ({ type: "Sequence", pretokenizers });

const LETTERS_AND_REST =
  "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{DIGITS}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const contractions = (digits: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|${LETTERS_AND_REST.replace("{DIGITS}", digits)}`;

const GPT2 = BYTE_LEVEL(true);
const LLAMA3 = sequence(splitBy(contractions("{1,3}")), BYTE_LEVEL(false));
const QWEN2 = sequence(splitBy(contractions("")), BYTE_LEVEL(false));
const SMOLLM = sequence(splitBy("\\p{N}"), BYTE_LEVEL(true));

/** Split rules by `tokenizer.ggml.pre`, as llama.cpp names them (llama-vocab.cpp). */
const SPLITS: Readonly<Record<string, Json>> = {
  default: GPT2,
  "gpt-2": GPT2,
  smollm: SMOLLM,
  "llama-bpe": LLAMA3,
  llama3: LLAMA3,
  "llama-v3": LLAMA3,
  qwen2: QWEN2,
};
/** Rules whose vocabulary is looked up whole before merging, and which begin a text with BOS unless told otherwise. */
const LLAMA3_RULES = ["llama-bpe", "llama3", "llama-v3"];

/** `tokenizer.ggml.token_type` values (llama.h llama_token_type). */
const TYPE = { unknown: 2, control: 3, userDefined: 4, byte: 6 } as const;

/** @throws InputError E_TOKENIZER for a missing or unknown tokenizer, naming the known ones. */
export function tokenizerFromGguf(metadata: ReadonlyMap<string, unknown>): TokenizerObjects {
  const get = (key: string): unknown => metadata.get(`tokenizer.ggml.${key}`);
  const model = get("model");
  const tokens = get("tokens");
  if (!Array.isArray(tokens) || tokens.length === 0)
    throw new InputError("E_TOKENIZER", "the GGUF file has no tokenizer.ggml.tokens");
  const types = (get("token_type") as ArrayLike<number> | undefined) ?? [];
  const added = (tokens as string[]).flatMap((content, id) => {
    const special = types[id] === TYPE.control;
    if (!special && types[id] !== TYPE.userDefined) return [];
    return [{ id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special }];
  });
  const vocab: Record<string, number> = Object.create(null);
  for (let id = 0; id < tokens.length; id++) vocab[tokens[id] as string] = id;
  const parts = { tokens: tokens as string[], vocab, types };
  const built =
    model === "gpt2" ? byteLevelBpe(get, parts) : model === "llama" ? sentencePieceBpe(get, parts) : undefined;
  if (!built)
    throw new InputError(
      "E_TOKENIZER",
      `the GGUF file has a ${JSON.stringify(model)} tokenizer`,
      'known: "gpt2" (byte-level BPE), "llama" (sentencepiece)',
    );
  const text = (key: string): string | undefined => tokens[Number(get(key) ?? -1)] as string | undefined;
  return {
    tokenizerJson: {
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: added,
      post_processor: null,
      ...built.json,
    },
    tokenizerConfig: {
      add_bos_token: get("add_bos_token") ?? built.addBos,
      bos_token: text("bos_token_id"),
      eos_token: text("eos_token_id"),
      unk_token: text("unknown_token_id"),
      clean_up_tokenization_spaces: false,
    },
  };
}

type Get = (key: string) => unknown;
interface Vocabulary {
  readonly tokens: readonly string[];
  readonly vocab: Readonly<Record<string, number>>;
  readonly types: ArrayLike<number>;
}

function byteLevelBpe(get: Get, { vocab }: Vocabulary): { json: Json; addBos: boolean } {
  const pre = String(get("pre") ?? "default");
  const split = Object.hasOwn(SPLITS, pre) ? SPLITS[pre] : undefined;
  if (!split)
    throw new InputError(
      "E_TOKENIZER",
      `unknown tokenizer.ggml.pre ${JSON.stringify(pre)}`,
      `known: ${Object.keys(SPLITS).join(", ")}`,
    );
  const merges = get("merges");
  if (!Array.isArray(merges)) throw new InputError("E_TOKENIZER", "the GGUF file has no tokenizer.ggml.merges");
  const llama3 = LLAMA3_RULES.includes(pre);
  const model = { type: "BPE", unk_token: null, byte_fallback: false, ignore_merges: llama3, vocab, merges };
  return { json: { normalizer: null, pre_tokenizer: split, decoder: BYTE_LEVEL(true), model }, addBos: llama3 };
}

function sentencePieceBpe(get: Get, parts: Vocabulary): { json: Json; addBos: boolean } {
  const scores = get("scores") as ArrayLike<number> | undefined;
  if (!scores) throw new InputError("E_TOKENIZER", "the GGUF file has no tokenizer.ggml.scores");
  const prefixSpace = get("add_space_prefix") !== false;
  const unknown = parts.tokens[Number(get("unknown_token_id") ?? 0)];
  const replace = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const model = {
    type: "BPE",
    unk_token: unknown,
    byte_fallback: true,
    fuse_unk: true,
    vocab: parts.vocab,
    merges: mergesFromScores(parts, scores),
  };
  const decoders = [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
  ];
  const strip = prefixSpace ? [{ type: "Strip", content: " ", start: 1, stop: 0 }] : [];
  return {
    json: {
      normalizer: {
        type: "Sequence",
        normalizers: prefixSpace ? [{ type: "Prepend", prepend: "▁" }, replace] : [replace],
      },
      pre_tokenizer: null,
      decoder: { type: "Sequence", decoders: [...decoders, ...strip] },
      model,
    },
    addBos: true,
  };
}

/**
 * Merges of a sentencepiece BPE vocabulary: every split of a piece into two pieces, in the order in which sentencepiece
 * would merge them (highest score first; then by ids, as transformers' converter orders them).
 */
function mergesFromScores({ tokens, vocab, types }: Vocabulary, scores: ArrayLike<number>): [string, string][] {
  const merges: { score: number; left: number; right: number }[] = [];
  for (let id = 0; id < tokens.length; id++) {
    const type = types[id];
    if (type === TYPE.control || type === TYPE.unknown || type === TYPE.byte) continue;
    const characters = [...tokens[id]!];
    let left = "";
    for (let cut = 1; cut < characters.length; cut++) {
      left += characters[cut - 1]!;
      const l = vocab[left];
      const r = vocab[tokens[id]!.slice(left.length)];
      if (l !== undefined && r !== undefined) merges.push({ score: scores[id] ?? 0, left: l, right: r });
    }
  }
  merges.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right);
  return merges.map(({ left, right }) => [tokens[left]!, tokens[right]!]);
}
