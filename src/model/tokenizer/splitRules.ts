/**
 * What `tokenizer.ggml.pre` means: the splitting rule, and what goes with it, of byte-level BPE vocabularies in GGUF files.
 * Regular expressions are those of the models' own tokenizer.json; names are those of llama.cpp's `llama-vocab.cpp`.
 */
import { TrimtabError } from "../../tensor/errors.ts";
import { type Component, GPT2_SPLIT, isolate } from "./tokenizerJson.ts";

/** How one family of byte-level vocabularies prepares text. */
export interface SplitRule {
  readonly splits: readonly Component[];
  readonly normalizer: Component | null;
  /** A piece that is a token is taken whole, whatever the merges say. */
  readonly ignoreMerges: boolean;
  /** Whether a BOS is added when the file does not say. */
  readonly addBos: boolean;
}

const CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
const SPACES = "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const NON_WORDS = ` ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|${SPACES}`;
const wordsAndDigits = (digits: string): string =>
  `${CONTRACTIONS}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}|${NON_WORDS}`;
const UPPER = "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]";
const LOWER = "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]";
const TEKKEN =
  `[^\\r\\n\\p{L}\\p{N}]?${UPPER}*${LOWER}+|[^\\r\\n\\p{L}\\p{N}]?${UPPER}+${LOWER}*|\\p{N}` +
  `| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|${SPACES}`;

function rule(regexes: readonly string[], more: Partial<Omit<SplitRule, "splits">> = {}): SplitRule {
  return { splits: regexes.map(isolate), normalizer: null, ignoreMerges: false, addBos: false, ...more };
}

const gpt2 = rule([GPT2_SPLIT]);
const digitwise = rule(["\\p{N}", GPT2_SPLIT]);
const llama3 = rule([wordsAndDigits("\\p{N}{1,3}")], { ignoreMerges: true, addBos: true });
const smaug = rule([wordsAndDigits("\\p{N}{1,3}")]);
const qwen2 = rule([wordsAndDigits("\\p{N}")], { normalizer: { type: "NFC" } });
const singleDigits = rule([wordsAndDigits("\\p{N}")]);
const tekken = rule([TEKKEN], { ignoreMerges: true, addBos: true });

const RULES: ReadonlyMap<string, SplitRule> = new Map([
  ["default", gpt2],
  ["gpt-2", gpt2],
  ["smollm", digitwise],
  ["starcoder", digitwise],
  ["refact", digitwise],
  ["llama-bpe", llama3],
  ["llama3", llama3],
  ["llama-v3", llama3],
  ["smaug-bpe", smaug],
  ["qwen2", qwen2],
  ["deepseek-r1-qwen", singleDigits],
  ["tekken", tekken],
]);

/** The rule called `pre`, of the families that Trimtab runs. @throws TrimtabError E_TOKENIZER for an unknown name. */
export function splitRule(pre: string): SplitRule {
  const found = RULES.get(pre);
  if (found) return found;
  throw new TrimtabError(
    "E_TOKENIZER",
    `tokenizer.ggml.pre "${pre}" is not a known rule for splitting text`,
    `known: ${[...RULES.keys()].join(", ")}; use the model's Hugging Face folder instead`,
  );
}
