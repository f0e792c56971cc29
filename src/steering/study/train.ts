/**
 * Vectors of a study, with their controls, from one pass over the training items: each vector is a weighted sum of the same
 * residuals, read at the first token in which an item's two answers differ. Knows weights.
 */
import type { LanguageModel } from "../../model/index.ts";
import { InputError } from "../../tensor/errors.ts";
import { stream } from "../../tensor/random.ts";
import type { DatasetItem } from "../datasets/item.ts";
import { itemFacts } from "../datasets/itemFacts.ts";
import { type ReadControl, sumResiduals } from "../residuals.ts";
import { itemGeometry, type TextOptions } from "./geometry.ts";
import type { Controls } from "./options.ts";

/** Directions at every asked-for layer, each [D]. */
export interface TrainedVector {
  /** Empty for the vector itself, else the control's: `random-0`, `shuffled-1`, `debiased`, `train-10`. */
  readonly control: string;
  readonly directions: readonly Float32Array[];
}

export interface TrainOptions extends TextOptions, ReadControl {
  readonly layers: readonly number[];
  readonly controls?: Controls;
  /** Of random directions and exchanged labels. */
  readonly seed?: number;
}

/** Weight of the positive and of the negative residual of every item. */
interface Weights {
  readonly control: string;
  readonly positive: Float64Array;
  readonly negative: Float64Array;
}

/**
 * The mean difference (EXPERIMENTS 4) first, then its controls. @throws InputError E_DATA for no items, or for `debiased`
 * unless both letters occur as positive answers.
 */
export async function trainVectors(
  model: LanguageModel,
  items: readonly DatasetItem[],
  o: TrainOptions,
): Promise<TrainedVector[]> {
  if (items.length === 0) throw new InputError("E_DATA", "training a vector: no items", "give at least one");
  const texts = items.flatMap((item) => {
    const { positive, negative, differ } = itemGeometry(model, item, o);
    return [positive, negative].map((tokens) => ({ tokens, from: differ, to: differ + 1 }));
  });
  const weights = weightings(items, o.controls ?? {}, o.seed ?? 0);
  const perText = weights.map((w) => texts.map((_, text) => (text % 2 === 0 ? w.positive : w.negative)[text >> 1]!));
  const { sums } = await sumResiduals(model, texts, perText, o.layers, o);
  const trained = weights.map(({ control }, k) => ({ control, directions: sums[k]! }));
  return [...trained, ...randomVectors(trained[0]!.directions, o.controls?.random ?? 0, o.seed ?? 0)];
}

function weightings(items: readonly DatasetItem[], controls: Controls, seed: number): Weights[] {
  const n = items.length;
  const plain = { control: "", positive: new Float64Array(n).fill(1 / n), negative: new Float64Array(n).fill(-1 / n) };
  const shuffled = Array.from({ length: controls.shuffled ?? 0 }, (_, k) => {
    const next = stream(seed * 1009 + k + 1);
    const signs = Float64Array.from({ length: n }, () => (next() < 0.5 ? -1 / n : 1 / n));
    return { control: `shuffled-${k}`, positive: signs, negative: signs.map((x) => -x) };
  });
  const fewer = smallerSizes(controls, n).map((size) => {
    const share = Float64Array.from({ length: n }, (_, i) => (i < size ? 1 / size : 0));
    return { control: `train-${size}`, positive: share, negative: share.map((x) => -x) };
  });
  return [plain, ...shuffled, ...(controls.debiased ? [debiased(items)] : []), ...fewer];
}

/** Sizes of training sets that are smaller than the whole. */
export function smallerSizes({ sizes = [] }: Controls, items: number): readonly number[] {
  return [...new Set(sizes)].filter((size) => size < items);
}

/** ½ Σ over letters of (mean residual where that letter is the positive answer − mean where it is the negative one). */
function debiased(items: readonly DatasetItem[]): Weights {
  const letters = items.map((item) => itemFacts(item).letter);
  const counts = { A: letters.filter((l) => l === "A").length, B: letters.filter((l) => l === "B").length };
  if (counts.A === 0 || counts.B === 0 || counts.A + counts.B < items.length) {
    throw new InputError(
      "E_DATA",
      `debiased vectors: ${counts.A} training items have the positive answer (A), ${counts.B} have (B), of ${items.length}`,
      "they need both letters; leave controls.debiased out",
    );
  }
  // where A is the positive answer, B is the negative one: both sides of an item share its letter's count
  const share = Float64Array.from(letters, (letter) => 0.5 / counts[letter as "A" | "B"]);
  return { control: "debiased", positive: share, negative: share.map((x) => -x) };
}

/** Directions drawn from the sphere, as long as the given ones. */
function randomVectors(like: readonly Float32Array[], count: number, seed: number): TrainedVector[] {
  return Array.from({ length: count }, (_, k) => {
    const next = stream(seed * 2003 + k + 7919);
    return { control: `random-${k}`, directions: like.map((v) => rescale(gaussian(v.length, next), norm(v))) };
  });
}

/** Box and Muller's transform. */
function gaussian(n: number, next: () => number): Float32Array {
  return Float32Array.from({ length: n }, () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()));
}

export function norm(v: Float32Array): number {
  return Math.hypot(...v);
}

/** The same direction at another length; a vector of zeros stays. */
export function rescale(v: Float32Array, length: number): Float32Array {
  const now = norm(v);
  return now === 0 ? v : v.map((x) => (x * length) / now);
}
