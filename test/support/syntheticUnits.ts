/** Units of a study whose slopes are given: exact lines, so that every experiment's numbers follow from the construction. */
import type { Measure, TestedItem, TestSetting, UnitResult } from "../../src/steering/study/result.ts";

export interface SyntheticUnit {
  readonly model?: string;
  readonly dataset?: string;
  readonly format?: UnitResult["format"];
  readonly setting?: TestSetting;
  readonly seed?: number;
  readonly operator?: UnitResult["operator"];
  readonly layers?: readonly number[];
  readonly multipliers?: readonly number[];
  readonly vectors?: readonly string[];
  readonly items?: readonly Partial<TestedItem>[];
  readonly count?: number;
  readonly mass?: number;
  readonly measure?: Measure;
  /** Slope of an item under a vector at a layer. */
  readonly slope: (item: number, vector: string, layer: number) => number;
  /** Propensity without steering. Default 0. */
  readonly level?: (item: number) => number;
  /** Added to the line: b · multiplier³ bends it and keeps it odd. */
  readonly bend?: (item: number) => number;
}

export const GRID: readonly number[] = [-1.5, -1, -0.5, 0, 0.5, 1, 1.5];

export function syntheticUnit(o: SyntheticUnit): UnitResult {
  const { model = "m", dataset = "d", format = "choice", setting = "BASE", seed = 0, operator = "add" } = o;
  const { layers = [3], multipliers = GRID, vectors = [setting], count = 8, mass = 0.9 } = o;
  const items: TestedItem[] = (o.items ?? Array.from({ length: count }, () => ({}))).map((item, index) => ({
    index,
    letter: format === "choice" ? (index % 2 ? "B" : "A") : null,
    yesNo: format === "choice" ? (Math.floor(index / 2) % 2 ? "no" : "yes") : null,
    originalYes: format === "choice" && Math.floor(index / 2) % 2 === 0,
    swapped: false,
    mass,
    ...item,
  }));
  const values: number[] = [];
  for (const vector of vectors)
    for (const layer of layers)
      for (const i of items.keys())
        for (const m of multipliers)
          values.push((o.level?.(i) ?? 0) + o.slope(i, vector, layer) * m + (o.bend?.(i) ?? 0) * m ** 3);
  const measure = o.measure ?? (format === "choice" ? "logit-sum" : "logprob");
  return {
    ...{
      model,
      dataset,
      format,
      setting,
      seed,
      operator,
      skip: 1,
      trainItems: 40,
      layers,
      multipliers,
      vectors,
      items,
    },
    norms: new Float64Array(vectors.length * layers.length).fill(2),
    propensities: { [measure]: Float64Array.from(values) },
  };
}

/** A repeatable number in [-1, 1] for an item. */
export function wobble(item: number, salt = 0): number {
  return Math.sin(12.9898 * (item + 1) + 78.233 * (salt + 1) * (item + 3));
}
