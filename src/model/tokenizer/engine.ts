/**
 * Builds the library's tokenizer for encoding, and mends what it does otherwise than the reference implementation. It knows
 * tokenizer.json's structure; what becomes of the ids is not its business.
 */
import { TrimtabError } from "../../tensor/errors.ts";
import { fixPreTokenizer } from "./fixes.ts";
import { type BpeModel, type Engine, TokenizerEngine } from "./libraries.ts";
import { charOfByte } from "./tokenBytes.ts";
import type { AddedToken, Component, TokenizerJson, TokenizerModelJson } from "./tokenizerJson.ts";

/**
 * The vocabulary is put in directly, in a third of the time that the library's constructor takes for it (49k tokens).
 * `tokens` by id. @throws TrimtabError E_TOKENIZER
 */
export function buildEngine(
  json: TokenizerJson,
  added: readonly AddedToken[],
  ids: ReadonlyMap<string, number>,
  tokens: string[],
): Engine {
  const { type = "BPE", merges = [], unk_token: unknown } = json.model;
  if (type !== "BPE") throw badTokenizer(`model.type is ${JSON.stringify(type)}`, "only BPE is supported");
  for (const mark of ["continuing_subword_prefix", "end_of_word_suffix"] as const)
    if (json.model[mark])
      throw badTokenizer(`model.${mark} is "${json.model[mark]}"`, "such vocabularies are not supported");
  try {
    const engine = new TokenizerEngine(
      {
        added_tokens: added,
        normalizer: json.normalizer ?? null,
        pre_tokenizer: fixPreTokenizer(json.pre_tokenizer),
        post_processor: null,
        decoder: null,
        model: { ...json.model, type, vocab: {}, merges: [] },
      },
      {},
    );
    engine.model.tokens_to_ids = new Map(ids);
    engine.model.vocab = tokens;
    engine.model.bpe_ranks = mergeRanks(merges);
    if (unknown) engine.model.unk_token_id = ids.get(unknown);
    dropMissingBytes(engine.model, missingBytes(json, ids));
    return engine;
  } catch (error) {
    if (error instanceof TrimtabError) throw error;
    throw badTokenizer((error as Error).message, "the vocabulary, or one of its rules, is not supported", error);
  }
}

/** Ranks under the library's keys, the JSON of `[left, right]`; most pairs need no escapes. */
function mergeRanks(merges: NonNullable<TokenizerModelJson["merges"]>): Map<string, number> {
  const ranks = new Map<string, number>();
  for (let rank = 0; rank < merges.length; rank++) {
    const merge = merges[rank]!;
    let left: unknown;
    let right: unknown;
    if (typeof merge === "string") {
      const cut = merge.indexOf(" ", 1);
      [left, right] = [merge.slice(0, cut), merge.slice(cut + 1)];
      if (cut < 0) throw badTokenizer(`merge ${rank} is ${JSON.stringify(merge)}`, "a merge is two pieces and a space");
    } else if (Array.isArray(merge)) [left, right] = merge;
    if (typeof left !== "string" || typeof right !== "string")
      throw badTokenizer(`merge ${rank} is ${JSON.stringify(merge)}`, "a merge is two pieces");
    const plain = !/["\\\u0000-\u001f\ud800-\udfff]/.test(left + right);
    ranks.set(plain ? `["${left}","${right}"]` : JSON.stringify([left, right]), rank);
  }
  return ranks;
}

/** Bytes that a byte-level vocabulary lacks (SmolLM2's has none for U+0014), and that it therefore drops. */
export function missingBytes(json: TokenizerJson, ids: ReadonlyMap<string, number>): ReadonlySet<number> {
  const missing = new Set<number>();
  if (json.model.unk_token || json.model.byte_fallback || !hasByteLevel(json.pre_tokenizer)) return missing;
  for (let byte = 0; byte < 256; byte++) if (!ids.has(charOfByte(byte))) missing.add(byte);
  return missing;
}

function hasByteLevel(p: Component | null | undefined): boolean {
  if (p?.type === "Sequence" && Array.isArray(p.pretokenizers))
    return (p.pretokenizers as Component[]).some(hasByteLevel);
  return p?.type === "ByteLevel";
}

/** The reference drops unknown bytes before it merges, so that their neighbours may merge; the library drops them after. */
function dropMissingBytes(model: BpeModel, missing: ReadonlySet<number>): void {
  if (missing.size === 0) return;
  const codes = [...missing].map((byte) => `\\u${charOfByte(byte).charCodeAt(0).toString(16).padStart(4, "0")}`);
  const lacking = new RegExp(`[${codes.join("")}]`, "g");
  const encode = model.encode.bind(model);
  model.encode = (pieces) => encode(pieces.map((piece) => piece.replace(lacking, "")));
}

export function badTokenizer(what: string, hint: string, cause?: unknown): TrimtabError {
  return new TrimtabError("E_TOKENIZER", `tokenizer.json: ${what}`, hint, { cause });
}
