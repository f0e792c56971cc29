/**
 * Turns the `tokenizer.ggml.*` metadata of a GGUF file into the content of a tokenizer.json and a tokenizer_config.json.
 * It takes a plain Map, so that it knows nothing of the file format; reading the result is tokenizer.ts's work.
 */
import { TrimtabError } from "../../tensor/errors.ts";
import { splitRule } from "./splitRules.ts";
import { mergesFromScores } from "./spmMerges.ts";
import type { AddedToken, Component, TokenizerConfig, TokenizerJson } from "./tokenizerJson.ts";

export type GgufMetadata = ReadonlyMap<string, unknown>;

/** `llama_token_type` of llama.cpp. */
const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;
const BYTE = 6;

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: ArrayLike<number> | undefined;
  readonly ids: ReadonlyMap<string, number>;
  readonly added: readonly AddedToken[];
}

/**
 * @throws TrimtabError E_TOKENIZER where the metadata lack a vocabulary, name an unknown tokenizer or splitting rule, or
 * contradict themselves.
 */
export function tokenizerJsonFromGguf(metadata: GgufMetadata): {
  tokenizerJson: TokenizerJson;
  tokenizerConfig: TokenizerConfig;
} {
  const model = metadata.get("tokenizer.ggml.model");
  if (model !== "gpt2" && model !== "llama")
    throw bad(
      `tokenizer.ggml.model is ${describe(model)}`,
      'known are "gpt2" (byte-level BPE) and "llama" (SentencePiece)',
    );
  const vocabulary = readVocabulary(metadata);
  return model === "gpt2" ? byteLevel(metadata, vocabulary) : sentencePiece(metadata, vocabulary);
}

function byteLevel(metadata: GgufMetadata, v: Vocabulary): ReturnType<typeof tokenizerJsonFromGguf> {
  const rule = splitRule(String(metadata.get("tokenizer.ggml.pre") ?? "default"));
  const merges = stringArray(metadata, "tokenizer.ggml.merges");
  if (!merges) throw bad("tokenizer.ggml.merges is missing", "a byte-level vocabulary needs its merges");
  const byteLevelPieces: Component = {
    type: "ByteLevel",
    add_prefix_space: false,
    trim_offsets: false,
    use_regex: false,
  };
  return {
    tokenizerJson: {
      added_tokens: v.added,
      normalizer: rule.normalizer,
      pre_tokenizer: { type: "Sequence", pretokenizers: [...rule.splits, byteLevelPieces] },
      decoder: { type: "ByteLevel" },
      model: { type: "BPE", vocab: v.ids, merges, ignore_merges: rule.ignoreMerges },
    },
    tokenizerConfig: specials(metadata, v, rule.addBos),
  };
}

function sentencePiece(metadata: GgufMetadata, v: Vocabulary): ReturnType<typeof tokenizerJsonFromGguf> {
  const scores = numberArray(metadata, "tokenizer.ggml.scores", v.tokens.length);
  if (!scores) throw bad("tokenizer.ggml.scores is missing", "a SentencePiece vocabulary needs its scores");
  const prefixSpace = flag(metadata, "tokenizer.ggml.add_space_prefix") ?? true;
  const mergeable = new Map([...v.ids].filter(([, id]) => (v.types?.[id] ?? NORMAL) === NORMAL));
  const unknown = tokenOf(metadata, v, "tokenizer.ggml.unknown_token_id") ?? v.tokens[indexOfType(v, UNKNOWN)];
  const replace: Component = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const decoders: Component[] = [
    { type: "Replace", pattern: { String: "▁" }, content: " " },
    { type: "ByteFallback" },
    { type: "Fuse" },
  ];
  return {
    tokenizerJson: {
      added_tokens: v.added,
      // Prepend runs at the start and after every added token, as in llama.cpp and in Llama 2's own tokenizer.json.
      normalizer: prefixSpace
        ? { type: "Sequence", normalizers: [{ type: "Prepend", prepend: "▁" }, replace] }
        : replace,
      pre_tokenizer: null,
      decoder: {
        type: "Sequence",
        decoders: prefixSpace ? [...decoders, { type: "Strip", content: " ", start: 1, stop: 0 }] : decoders,
      },
      model: {
        type: "BPE",
        vocab: v.ids,
        merges: mergesFromScores(mergeable, scores),
        byte_fallback: v.types ? indexOfType(v, BYTE) >= 0 : v.ids.has("<0x00>"),
        fuse_unk: true,
        unk_token: unknown ?? null,
      },
    },
    tokenizerConfig: specials(metadata, v, true),
  };
}

function readVocabulary(metadata: GgufMetadata): Vocabulary {
  const tokens = stringArray(metadata, "tokenizer.ggml.tokens");
  if (!tokens?.length) throw bad("tokenizer.ggml.tokens is missing", "this GGUF file has no vocabulary");
  const types = numberArray(metadata, "tokenizer.ggml.token_type", tokens.length);
  const ids = new Map<string, number>();
  const added: AddedToken[] = [];
  for (let id = 0; id < tokens.length; id++) {
    const content = tokens[id]!;
    if (!ids.has(content)) ids.set(content, id);
    const type = types?.[id] ?? NORMAL;
    if (content && (type === UNKNOWN || type === CONTROL || type === USER_DEFINED))
      added.push({ id, content, special: type !== USER_DEFINED, normalized: false });
  }
  return { tokens, types, ids, added };
}

/** BOS and the tokens that end a turn, as a tokenizer_config.json would have them. */
function specials(metadata: GgufMetadata, v: Vocabulary, addBosByDefault: boolean): TokenizerConfig {
  const bos = tokenOf(metadata, v, "tokenizer.ggml.bos_token_id");
  const ends = ["eos", "eot", "eom"].map((name) => tokenOf(metadata, v, `tokenizer.ggml.${name}_token_id`));
  return {
    bos_token: bos ?? null,
    eos_token: ends.filter((t): t is string => t !== undefined),
    add_bos_token: bos !== undefined && (flag(metadata, "tokenizer.ggml.add_bos_token") ?? addBosByDefault),
  };
}

function tokenOf(metadata: GgufMetadata, v: Vocabulary, key: string): string | undefined {
  const id = metadata.get(key);
  if (id === undefined) return undefined;
  const token = v.tokens[Number(id)];
  if (token === undefined) throw bad(`${key} is ${describe(id)}`, `ids are 0 to ${v.tokens.length - 1}`);
  return token;
}

function indexOfType(v: Vocabulary, type: number): number {
  return v.types ? Array.prototype.indexOf.call(v.types, type) : -1;
}

function flag(metadata: GgufMetadata, key: string): boolean | undefined {
  const value = metadata.get(key);
  if (value === undefined || typeof value === "boolean") return value;
  throw bad(`${key} is ${describe(value)}`, "it must be a boolean");
}

function stringArray(metadata: GgufMetadata, key: string): readonly string[] | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  if (Array.isArray(value) && value.every((t) => typeof t === "string")) return value;
  throw bad(`${key} is ${describe(value)}`, "it must be an array of strings");
}

function numberArray(metadata: GgufMetadata, key: string, length: number): ArrayLike<number> | undefined {
  const value = metadata.get(key);
  if (value === undefined) return undefined;
  const isNumbers = ArrayBuffer.isView(value)
    ? !(value instanceof BigInt64Array || value instanceof BigUint64Array)
    : Array.isArray(value) && value.every((n) => typeof n === "number");
  const numbers = value as ArrayLike<number>;
  if (isNumbers && numbers.length === length) return numbers;
  throw bad(`${key} is ${describe(value)}`, `it must hold ${length} numbers, one for each token`);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (ArrayBuffer.isView(value)) return `a ${value.constructor.name}`;
  return value === undefined ? "missing" : `${typeof value} ${String(value).slice(0, 60)}`;
}

function bad(what: string, hint: string): TrimtabError {
  return new TrimtabError("E_TOKENIZER", `GGUF metadata: ${what}`, hint);
}
