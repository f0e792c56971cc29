/**
 * Rewrites parts of a tokenizer.json where `@huggingface/tokenizers` 0.2.0 differs from the reference (Rust) implementation.
 * Pure functions from JSON to JSON; they know neither files nor models.
 */
import { type Component, GPT2_SPLIT, isolate } from "./tokenizerJson.ts";

/**
 * - `Digits` matches ASCII digits there, but every Unicode number (N*) in the reference: 228 of 2235 texts differed on SmolLM2.
 * - `ByteLevel` with its own splitting rule uses JavaScript's `\s` there, which has U+FEFF and lacks U+0085; the library's
 *   `Split` uses Unicode White_Space, as the reference does.
 */
export function fixPreTokenizer(p: Component | null | undefined): Component | null {
  if (!p) return null;
  if (p.type === "Sequence" && Array.isArray(p.pretokenizers))
    return { ...p, pretokenizers: (p.pretokenizers as Component[]).map(fixPreTokenizer) };
  if (p.type === "Digits") return isolate(p.individual_digits ? "\\p{N}" : "\\p{N}+");
  // A prefix space must come before the split, so that this combination (RoBERTa's, not a decoder model's) stays as it is.
  if (p.type === "ByteLevel" && p.use_regex !== false && !p.add_prefix_space)
    return { type: "Sequence", pretokenizers: [isolate(GPT2_SPLIT), { ...p, use_regex: false }] };
  return p;
}
