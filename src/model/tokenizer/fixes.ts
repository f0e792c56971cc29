/**
 * Rewrites parts of a tokenizer.json where `@huggingface/tokenizers` 0.2.0 differs from the reference (Rust) implementation.
 * Pure functions from JSON to JSON; they know neither files nor models.
 */
import { TrimtabError } from "../../tensor/errors.ts";
import { type Component, GPT2_SPLIT, isolate } from "./tokenizerJson.ts";

/**
 * - `Digits` matches ASCII digits there, but every Unicode number (N*) in the reference: 228 of 2235 texts differed on SmolLM2.
 * - `ByteLevel` with its own splitting rule uses JavaScript's `\s` there, which has U+FEFF and lacks U+0085; the library's
 *   `Split` uses Unicode White_Space, as the reference does.
 * - `Metaspace` never splits there, and does not know `add_prefix_space`, the older name of `prepend_scheme`.
 * - `Split` knows two of five behaviours there; the others are refused.
 */
export function fixPreTokenizer(p: Component | null | undefined): Component | null {
  switch (p?.type) {
    case undefined:
      return null;
    case "Sequence":
      return sequence((Array.isArray(p!.pretokenizers) ? (p!.pretokenizers as Component[]) : []).map(fixPreTokenizer));
    case "Digits":
      return isolate(p!.individual_digits ? "\\p{N}" : "\\p{N}+");
    case "ByteLevel":
      // A prefix space must come before the split, so that this combination (RoBERTa's, no decoder model's) stays as it is.
      if (p!.use_regex === false || p!.add_prefix_space) return p!;
      return sequence([isolate(GPT2_SPLIT), { ...p!, use_regex: false }]);
    case "Metaspace":
      return fixMetaspace(p!);
    case "Split":
      return checkSplit(p!);
    default:
      return p!;
  }
}

function fixMetaspace(p: Component): Component {
  const scheme = p.prepend_scheme ?? (p.add_prefix_space === false ? "never" : "always");
  const marked = { ...p, prepend_scheme: scheme };
  return p.split === false ? marked : sequence([marked, isolate("▁[^▁]*|[^▁]+")]);
}

function checkSplit(p: Component): Component {
  if (p.invert ? p.behavior === "Removed" : p.behavior === "Isolated" || p.behavior === "Removed") return p;
  throw new TrimtabError(
    "E_TOKENIZER",
    `tokenizer.json: the pre-tokenizer Split is ${JSON.stringify(p.behavior)}${p.invert ? ", inverted" : ""}`,
    'only "Isolated" and "Removed" are supported',
  );
}

function sequence(pretokenizers: (Component | null)[]): Component {
  return { type: "Sequence", pretokenizers };
}
