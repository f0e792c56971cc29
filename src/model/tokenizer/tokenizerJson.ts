/**
 * The parts of Hugging Face's tokenizer.json and tokenizer_config.json that Trimtab reads, as types, and the splitting rule
 * that several of them share. It knows no file and no library.
 */

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special?: boolean;
  readonly normalized?: boolean;
  readonly lstrip?: boolean;
  readonly rstrip?: boolean;
}

/** A normalizer, pre-tokenizer, post-processor or decoder: a type and that type's own fields. */
export interface Component {
  readonly type: string;
  readonly [field: string]: unknown;
}

export interface TokenizerModelJson {
  readonly type?: string;
  /** Token to id; a Map where the source is not JSON, which is faster than an object of 50k keys. */
  readonly vocab: ReadonlyMap<string, number> | Readonly<Record<string, number>>;
  /** Pairs in order of rank, each `"left right"` or `[left, right]`. */
  readonly merges?: readonly (string | readonly [string, string])[];
  readonly unk_token?: string | null;
  readonly byte_fallback?: boolean;
  readonly fuse_unk?: boolean;
  readonly ignore_merges?: boolean;
  readonly continuing_subword_prefix?: string | null;
  readonly end_of_word_suffix?: string | null;
}

export interface TokenizerJson {
  readonly added_tokens?: readonly AddedToken[] | null;
  readonly normalizer?: Component | null;
  readonly pre_tokenizer?: Component | null;
  readonly post_processor?: Component | null;
  readonly decoder?: Component | null;
  readonly model: TokenizerModelJson;
}

type TokenText = string | { readonly content: string } | null;

export interface TokenizerConfig {
  readonly bos_token?: TokenText;
  /** Several where the source lists several tokens that end a turn (GGUF: eos, eot, eom). */
  readonly eos_token?: TokenText | readonly string[];
  readonly add_bos_token?: boolean | null;
  readonly [field: string]: unknown;
}

/** GPT-2's splitting rule, which the `ByteLevel` pre-tokenizer applies when `use_regex` is set. */
export const GPT2_SPLIT = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** A pre-tokenizer that cuts at every match of `regex` and keeps the matches. */
export function isolate(regex: string): Component {
  return { type: "Split", pattern: { Regex: regex }, behavior: "Isolated", invert: false };
}

/** The texts of a special-token field: one, several, or none. */
export function tokenTexts(field: TokenText | readonly string[] | undefined): string[] {
  if (typeof field === "string") return [field];
  if (Array.isArray(field)) return field.filter((t): t is string => typeof t === "string");
  if (field && typeof field === "object" && "content" in field && typeof field.content === "string")
    return [field.content];
  return [];
}
