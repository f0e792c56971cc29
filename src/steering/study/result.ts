/**
 * What one unit of the study yields: the propensities of every test item in every cell (vector x layer x multiplier) of one
 * model, dataset, test setting and seed. Plain typed data, which the sweep writes, reads back, and the experiments consume.
 * Knows no model and no file.
 */
import { ShapeError } from "../../tensor/errors.ts";
import type { ItemFacts } from "../datasets/itemFacts.ts";
import type { Setting } from "../datasets/settings.ts";

/** RAW: the item's prompt as it stands, without a template. */
export type TestSetting = Setting | "RAW";

/** `published` leaves multiplier 0 alone in `ablateThenAdd`, as the original did; otherwise it is ablated there too. */
export type Operator = "add" | "ablateThenAdd";

/**
 * `ab`: logit gap of the two answers at their first differing token. `logit-sum`: that plus the gaps of the tokens behind it
 * (the published metric). `logprob`: difference of the summed log-probabilities (steering-bench).
 */
export type Measure = "ab" | "logit-sum" | "logprob";

/** A test item: what its dataset says of it, and the gate. */
export interface TestedItem extends ItemFacts {
  /** Index in the dataset's file. */
  readonly index: number;
  /** What the original's pattern said of Yes: it needs a colon that only persona prompts have (EXPERIMENTS 9.1 B14). */
  readonly originalYes: boolean;
  /** Whether this row asks the item with its two options exchanged (a control that cancels the letter per item). */
  readonly swapped: boolean;
  /** Unsteered probability of the two answers' first differing tokens, together. */
  readonly mass: number;
}

/**
 * Names of vectors: `BASE`, `SYS_POS`, ... (training setting), `mean` (of the five), and controls of one of them:
 * `BASE/random-0` (random direction, equal norm), `BASE/shuffled-0` (labels exchanged at random), `BASE/debiased`
 * (mean of the differences within each letter), `BASE/train-10` (of the first 10 training items).
 */
export type VectorName = string;

export interface UnitKey {
  readonly model: string;
  readonly dataset: string;
  readonly format: "choice" | "completion";
  readonly setting: TestSetting;
  readonly seed: number;
}

export interface UnitResult extends UnitKey {
  readonly operator: Operator;
  readonly skip: 0 | 1;
  /** Items that the vectors were trained on. */
  readonly trainItems: number;
  readonly layers: readonly number[];
  readonly multipliers: readonly number[];
  readonly vectors: readonly VectorName[];
  readonly items: readonly TestedItem[];
  /** Norm of each vector at each layer: [vector][layer]. */
  readonly norms: Float64Array;
  /** The vectors [vector][layer], each [D], as they were added at multiplier 1; absent where results were read from files. */
  readonly directions?: readonly (readonly Float32Array[])[];
  /** Propensities [vector][layer][item][multiplier]; only the measures that were asked for. */
  readonly propensities: Readonly<Partial<Record<Measure, Float64Array>>>;
}

/** Where [vector][layer][item] starts in a table of propensities; its multipliers follow. */
export function rowOffset(r: UnitResult, vector: number, layer: number, item: number): number {
  return ((vector * r.layers.length + layer) * r.items.length + item) * r.multipliers.length;
}

/** Propensities of one item over the multipliers [M]. @throws ShapeError where the measure was not computed. */
export function curve(r: UnitResult, measure: Measure, vector: number, layer: number, item: number): Float64Array {
  const at = rowOffset(r, vector, layer, item);
  return table(r, measure).subarray(at, at + r.multipliers.length);
}

function table(r: UnitResult, measure: Measure): Float64Array {
  const found = r.propensities[measure];
  if (found) return found;
  throw new ShapeError(
    `${r.dataset}: measure ${measure} was not computed`,
    `this unit has ${Object.keys(r.propensities).join(", ")}`,
  );
}
