/**
 * What a vector must beat: random directions of its norm, and vectors of exchanged labels. Where one more of them would fall, at
 * a given layer and where each chooses its own. Pure functions of the study's data.
 */
import { mean, standardDeviation } from "../statistics/descriptive.ts";
import { studentQuantile } from "../statistics/student.ts";
import type { UnitResult, VectorName } from "../study/result.ts";
import type { StudyData } from "./studyData.ts";

export type ControlKind = "random" | "shuffled";

/** Where the mean slope of one more control vector of a kind would fall with 95 % confidence. */
export interface Band {
  readonly vectors: number;
  readonly mean: number;
  /** NaN for fewer control vectors than it takes. */
  readonly low: number;
  readonly high: number;
}

/**
 * A prediction interval for one more draw, normal in the draws. `centred`: their expectation is known to be 0, so that it is
 * ± t(k) · sqrt(Σ m² / k), and takes one draw; else mean ± t(k - 1) · sd · sqrt(1 + 1/k).
 */
export function predictionBand(means: readonly number[], centred = false): Band {
  const k = means.length;
  if (centred && k > 0) {
    const half = studentQuantile(0.95, k) * Math.sqrt(mean(means.map((m) => m * m)));
    return { vectors: k, mean: mean(means), low: -half, high: half };
  }
  return spreadBand(means, { draws: k, degrees: k - 1 });
}

/**
 * Both kinds of control are as likely as their negatives, and with multipliers that lie symmetrically about 0 the negative of a
 * vector has the negative slope: their expectation is 0 exactly.
 */
export function controlBand(
  study: StudyData,
  unit: UnitResult,
  vector: VectorName,
  kind: ControlKind,
  o: { readonly layer?: number; readonly items?: (slopes: Float64Array) => Float64Array } = {},
): Band {
  const { layer, items = (all) => all } = o;
  const names = study.controls(unit, vector, kind);
  const means = names.map((name) => mean(items(study.slopes(unit, name, { layer })!)));
  return predictionBand(means, isSymmetric(unit));
}

function isSymmetric({ multipliers }: UnitResult): boolean {
  return multipliers.every((m) => multipliers.some((other) => other === -m));
}

/** Items with even places chose the layer; a single item did too, since there is no other. */
export function choosingHalf(values: Float64Array): Float64Array {
  return values.filter((_, i) => i % 2 === 0);
}

/** Items with odd places did not choose the layer; a single item has no other half. */
export function unchosenHalf(values: Float64Array): Float64Array {
  return values.length < 2 ? values : values.filter((_, i) => i % 2 === 1);
}

/**
 * Band of the mean over sets of the items that did not choose the layer, from those draws that all sets have. Where the study
 * chose its layer, every draw chooses its own, by the same items and in the same way, with either sign: a vector's noise at a
 * layer is in both halves of the items, so that a choice among layers profits from it whatever the items.
 */
export function bandOverSets(study: StudyData, units: readonly UnitResult[], kind: ControlKind): Band {
  const draws = Math.min(...units.map((unit) => study.controls(unit, unit.setting, kind).length));
  if (units.length === 0 || draws === 0) return predictionBand([]);
  const layers = study.layersChosenFrom(units[0]!);
  const symmetric = units.every(isSymmetric);
  const byDraw = Array.from({ length: draws }, (_, k) =>
    layers.map((layer) => {
      const slopes = units.map((unit) => study.slopes(unit, study.controls(unit, unit.setting, kind)[k]!, { layer })!);
      return {
        chosenBy: mean(slopes.map((s) => mean(choosingHalf(s)))),
        value: mean(slopes.map((s) => mean(unchosenHalf(s)))),
      };
    }),
  );
  if (layers.length === 1)
    return predictionBand(
      byDraw.map(([only]) => only!.value),
      symmetric,
    );
  const signs = symmetric ? [1, -1] : [1];
  const values = byDraw.flatMap((at) =>
    signs.map((sign) => sign * at.reduce((a, b) => (sign * b.chosenBy > sign * a.chosenBy ? b : a)).value),
  );
  return spreadBand(values, { draws, degrees: symmetric ? draws : draws - 1 });
}

/** mean ± t(degrees) · sd · sqrt(1 + 1/draws). The signs of a draw are two values, but no two draws. */
function spreadBand(values: readonly number[], { draws, degrees }: { draws: number; degrees: number }): Band {
  const half = studentQuantile(0.95, degrees) * standardDeviation(values) * Math.sqrt(1 + 1 / draws);
  return { vectors: draws, mean: mean(values), low: mean(values) - half, high: mean(values) + half };
}
