/**
 * Mean-difference extraction (Rimsky et al. 2024, arXiv 2312.06681; Tan et al. 2024, arXiv 2407.12404): the mean over pairs
 * of residual(positive) − residual(negative) at the read position, at all layers in one pass. Knows pairs and weights; the pass is
 * residuals.ts.
 */
import type { HookName, LanguageModel } from "../model/index.ts";
import { checkKeys, InputError } from "../tensor/errors.ts";
import { type ContrastPair, type PairOptions, type ReadPosition, readRange, tokenizePair } from "./pairs.ts";
import { type ReadText, sumResiduals } from "./residuals.ts";
import { SteeringVector, type VectorMeta, VectorSet } from "./vector.ts";

export interface ExtractOptions extends PairOptions {
  /** Default "all". */
  readonly layers?: "all" | readonly number[];
  /** Default "auto". */
  readonly read?: ReadPosition;
  readonly signal?: AbortSignal;
  readonly onProgress?: (pairsDone: number, pairs: number) => void;
}

const EXTRACT_KEYS = ["layers", "read", "raw", "system", "signal", "onProgress"] as const;

/** @throws InputError E_DATA naming the pair, E_LAYER, E_CONTEXT, all before any work; the signal's reason when aborted. */
export async function extract(
  model: LanguageModel,
  pairs: readonly ContrastPair[],
  o: ExtractOptions = {},
): Promise<VectorSet> {
  checkKeys(o, EXTRACT_KEYS, "extract");
  const layers = checkLayers(o.layers ?? "all", model.config.L);
  const read = o.read ?? "auto";
  if (pairs.length === 0) throw new InputError("E_DATA", "extract: no contrast pairs", "give at least one");
  if (typeof read === "number" ? !Number.isInteger(read) : read !== "auto" && read !== "mean") {
    throw new InputError(
      "E_OPTION",
      `extract: read ${JSON.stringify(read)}`,
      'give "auto", "mean" or a whole number such as -2',
    );
  }
  const sides = pairs.flatMap((pair, i) => sidesOf(model, pair, i, read, o));
  const weights = sides.map((_, side) => (side % 2 === 0 ? 1 : -1) / pairs.length);
  const onProgress = (done: number, total: number): void =>
    o.onProgress?.(Math.floor((done / total) * pairs.length), pairs.length);
  const control = { signal: o.signal, onProgress };
  const { sums, lengths } = await sumResiduals(model, sides, [weights], layers, control);
  const meta: VectorMeta = {
    model: model.name,
    modelSha256: model.sha256,
    method: "meanDiff",
    read: String(read),
    pairs: pairs.length,
    createdBy: "trimtab",
  };
  return new VectorSet(
    layers.map((l, i) => new SteeringVector(hookOf(l), sums[0]![i]!, meta, lengths[i]! / sides.length)),
  );
}

function hookOf(layer: number): HookName {
  return `blocks.${layer}.hook_resid_post`;
}

/** Ascending layers, each once. @throws InputError E_LAYER. */
export function checkLayers(layers: "all" | readonly number[], L: number, what = "extract"): readonly number[] {
  if (layers === "all") return Array.from({ length: L }, (_, l) => l);
  const bad = layers.find((l) => !(Number.isInteger(l) && l >= 0 && l < L));
  if (bad !== undefined || layers.length === 0)
    throw new InputError("E_LAYER", `${what}: layer ${bad ?? "list is empty"}`, `layers are 0 to ${L - 1}`);
  return [...new Set(layers)].sort((a, b) => a - b);
}

/** The positive side, then the negative one. */
function sidesOf(model: LanguageModel, pair: ContrastPair, i: number, read: ReadPosition, o: PairOptions): ReadText[] {
  const where = `pair ${i + 1}`;
  const { positive, negative, differ } = tokenizePair(model, pair, o);
  return [positive, negative].map((side) => {
    if (side.tokens.length > model.context) {
      throw new InputError(
        "E_CONTEXT",
        `${where} has ${side.tokens.length} tokens; the context is ${model.context}`,
        "load the model with a larger context, or shorten it",
      );
    }
    return { tokens: side.tokens, ...readRange(side, differ, read, where) };
  });
}
