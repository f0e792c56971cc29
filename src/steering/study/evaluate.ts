/**
 * Propensities of dataset items under given vectors: texts to tokens, the default of `skip`, checks, the tail tree. What
 * `eval`, the sweep and the library share. Knows no training and no statistics.
 */
import type { LanguageModel } from "../../model/index.ts";
import { InputError, ShapeError } from "../../tensor/errors.ts";
import type { DatasetItem } from "../datasets/item.ts";
import { defaultSkip, type ItemGeometry, itemGeometry, steeringStart, type TextOptions } from "./geometry.ts";
import type { RunControl } from "./options.ts";
import type { Measure, Operator } from "./result.ts";
import type { TailPlan } from "./tailPlan.ts";
import type { Propensities } from "./tailResults.ts";
import { evaluateTails, type Grid, planEvaluation, type TailOptions } from "./tailTree.ts";

export interface EvaluateOptions extends TextOptions, RunControl {
  readonly measures: readonly Measure[];
  /** Default "add". */
  readonly operator?: Operator;
  /** Default: see `defaultSkip`. */
  readonly skip?: 0 | 1;
  readonly rowBudget?: number;
}

export interface Evaluation extends Propensities {
  readonly skip: 0 | 1;
}

/** @throws InputError naming the item; ShapeError for vectors of another model. */
export async function evaluate(
  model: LanguageModel,
  items: readonly DatasetItem[],
  grid: Grid,
  o: EvaluateOptions,
): Promise<Evaluation> {
  const prepared = prepare(model, items, grid, o);
  return { ...(await evaluateTails(model, prepared.geometry, grid, prepared.options)), skip: prepared.options.skip };
}

/** What `evaluate` would cost. Tokenises, runs nothing. */
export function estimateEvaluation(
  model: LanguageModel,
  items: readonly DatasetItem[],
  grid: Grid,
  o: EvaluateOptions,
): Pick<TailPlan, "evaluations" | "vocabularyRows" | "mostRows"> {
  const { geometry, options } = prepare(model, items, grid, o);
  return planEvaluation(geometry, grid, model.config.L, options);
}

/** Tokens of the items, and where steering starts. @throws InputError naming the item. */
export function prepareItems(
  model: LanguageModel,
  items: readonly DatasetItem[],
  o: EvaluateOptions,
): { geometry: ItemGeometry[]; skip: 0 | 1; start: TailOptions["start"] } {
  if (items.length === 0) throw new InputError("E_DATA", "evaluating: no test items", "give at least one");
  const geometry = items.map((item) => itemGeometry(model, item, o));
  const skip = o.skip ?? defaultSkip(geometry);
  const start = (g: ItemGeometry, item: number): number => steeringStart(g, skip, items[item]!.where);
  geometry.forEach(start);
  return { geometry, skip, start };
}

function prepare(
  model: LanguageModel,
  items: readonly DatasetItem[],
  grid: Grid,
  o: EvaluateOptions,
): { geometry: ItemGeometry[]; options: TailOptions } {
  checkGrid(model, grid);
  const { geometry, skip, start } = prepareItems(model, items, o);
  return { geometry, options: { ...o, operator: o.operator ?? "add", skip, start } };
}

function checkGrid(model: LanguageModel, { layers, multipliers, vectors }: Grid): void {
  const { L, D } = model.config;
  const bad = layers.find((l) => !(Number.isInteger(l) && l >= 0 && l < L));
  const ascending = layers.every((l, i) => i === 0 || l > layers[i - 1]!);
  if (bad !== undefined || layers.length === 0 || !ascending)
    throw new InputError(
      "E_LAYER",
      `layers ${layers.join(", ") || "(none)"}`,
      `give ascending layers of 0 to ${L - 1}`,
    );
  if (multipliers.length === 0 || !multipliers.every((m) => Number.isFinite(m)))
    throw new InputError("E_OPTION", `multipliers ${multipliers.join(", ") || "(none)"}`, "give finite numbers");
  for (const byLayer of vectors) {
    if (byLayer.length === layers.length && byLayer.every((v) => v.length === D)) continue;
    throw new ShapeError(
      `evaluating: ${byLayer.length} vectors of ${byLayer[0]?.length} elements, expected ${layers.length} of ${D}`,
      "use vectors that were extracted from this model",
    );
  }
}
