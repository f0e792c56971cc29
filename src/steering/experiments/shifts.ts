/**
 * E5, E12, E13, E15: vectors trained under one prompt setting and tested under another. The whole matrix of settings, and how
 * well steerability at home predicts it away. Pure functions of the study's data.
 */
import { mean, median, variance } from "../statistics/descriptive.ts";
import type { TestSetting, UnitResult, VectorName } from "../study/result.ts";
import { type AntiShare, antiShare } from "./antiShare.ts";
import { controlBand, predictionBand } from "./bands.ts";
import { type Correlation, correlate } from "./correlation.ts";
import { type Format, type StudyData, type Where, whereOf } from "./studyData.ts";

/** The shifts of the paper's figure 5; the matrix has all others. */
export const SHIFTS: readonly { readonly train: TestSetting; readonly test: TestSetting }[] = [
  { train: "BASE", test: "USER_NEG" },
  { train: "BASE", test: "USER_POS" },
  { train: "SYS_POS", test: "USER_NEG" },
  { train: "SYS_NEG", test: "USER_POS" },
];

export interface CrossRow extends Where, AntiShare {
  readonly layer: number;
  /** Training setting, or `mean` of the five. */
  readonly train: VectorName;
  readonly test: TestSetting;
  readonly n: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly median: number;
  readonly variance: number;
  /**
   * Controls of BASE's vector under this test setting: NaN where it has none, or another norm than the vector (norms of the
   * settings' vectors are matched, so that one setting's random vectors are all settings').
   */
  readonly randomVectors: number;
  readonly randomLow: number;
  readonly randomHigh: number;
  readonly shuffledVectors: number;
  readonly shuffledLow: number;
  readonly shuffledHigh: number;
}

/** E15: every trained vector (no controls) under every test setting, lowest seed. */
export function crossSettings(study: StudyData): CrossRow[] {
  return study.home.flatMap((home) =>
    study
      .acrossSettings(home)
      .flatMap((unit) => unit.vectors.filter((v) => !v.includes("/")).map((v) => crossRow(study, unit, v))),
  );
}

function crossRow(study: StudyData, unit: UnitResult, train: VectorName): CrossRow {
  const slopes = study.slopes(unit, train)!;
  const [random, shuffled] = (["random", "shuffled"] as const).map((kind) =>
    isAsLong(study, unit, train) ? controlBand(study, unit, "BASE", kind) : predictionBand([]),
  );
  return {
    ...whereOf(unit),
    layer: study.layer(unit),
    train,
    test: unit.setting,
    n: slopes.length,
    ...study.meanOf(slopes),
    median: median(slopes),
    variance: variance(slopes),
    ...antiShare(slopes),
    randomVectors: random!.vectors,
    randomLow: random!.low,
    randomHigh: random!.high,
    shuffledVectors: shuffled!.vectors,
    shuffledLow: shuffled!.low,
    shuffledHigh: shuffled!.high,
  };
}

/** Whether a vector has the norm of BASE's at the study's layer, to a hundredth. */
function isAsLong(study: StudyData, unit: UnitResult, vector: VectorName): boolean {
  const norm = (name: VectorName): number =>
    unit.norms[unit.vectors.indexOf(name) * unit.layers.length + study.layerIndex(unit)]!;
  if (!unit.vectors.includes("BASE")) return false;
  return Math.abs(norm(vector) / norm("BASE") - 1) < 0.01;
}

export interface ShiftRow extends Correlation {
  readonly model: string;
  readonly format: Format;
  readonly train: TestSetting;
  readonly test: TestSetting;
  /** Means over sets: at home (BASE to BASE) and under the shift. */
  readonly home: number;
  readonly away: number;
  /** Share of sets whose mean slope under the shift is below 0. */
  readonly negative: number;
  /** Sets whose mean slope under the shift lies above the band of random vectors under it, of those that have such vectors. */
  readonly beyondRandom: number;
  readonly controlled: number;
  /** Of the variances of slopes (E12). */
  readonly rhoVariance: number;
  readonly lowVariance: number;
  readonly highVariance: number;
}

/** E5 and E12: BASE to BASE against every shift that was run. */
export function shiftCorrelations(study: StudyData, cross: readonly CrossRow[] = crossSettings(study)): ShiftRow[] {
  return study.groups.flatMap(({ model, format }) =>
    SHIFTS.flatMap((shift) => {
      const pairs = shiftPairs(cross, { model, format }, shift);
      if (pairs.length === 0) return [];
      const [home, away] = [pairs.map((p) => p.home), pairs.map((p) => p.away)];
      const variances = correlate(
        study,
        home.map((r) => r.variance),
        away.map((r) => r.variance),
      );
      const [x, y] = [home.map((r) => r.mean), away.map((r) => r.mean)];
      return [
        {
          model,
          format,
          ...shift,
          ...correlate(study, x, y),
          home: mean(x),
          away: mean(y),
          negative: mean(y.map((s) => +(s < 0))),
          beyondRandom: away.filter((r) => r.mean > r.randomHigh).length,
          controlled: away.filter((r) => Number.isFinite(r.randomHigh)).length,
          rhoVariance: variances.rho,
          lowVariance: variances.low,
          highVariance: variances.high,
        },
      ];
    }),
  );
}

/** The two rows of each set: at home, and under the shift. */
export function shiftPairs(
  cross: readonly CrossRow[],
  { model, format }: { model: string; format: Format },
  shift: (typeof SHIFTS)[number],
): { home: CrossRow; away: CrossRow }[] {
  const its = cross.filter((r) => r.model === model && r.format === format);
  const at = (dataset: string, train: string, test: string): CrossRow | undefined =>
    its.find((r) => r.dataset === dataset && r.train === train && r.test === test);
  return [...new Set(its.map((r) => r.dataset))].flatMap((dataset) => {
    const [home, away] = [at(dataset, "BASE", "BASE"), at(dataset, shift.train, shift.test)];
    return home && away ? [{ home, away }] : [];
  });
}
