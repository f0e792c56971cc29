/**
 * Items by the letter of their positive answer: the mean with both letters weighted alike, which a surplus of one letter among
 * the test items does not move, and the letter's own effect. Pure functions.
 */
import { variance } from "../statistics/descriptive.ts";
import type { UnitResult } from "../study/result.ts";
import type { MeanInterval, StudyData } from "./studyData.ts";

/** Places among a unit's rows. */
export interface LetterGroups {
  readonly a: readonly number[];
  readonly b: readonly number[];
}

export function letterGroups(study: StudyData, unit: UnitResult): LetterGroups {
  const letters = study.rows(unit).map((row) => unit.items[row]!.letter);
  const at = (letter: string): number[] => letters.flatMap((its, i) => (its === letter ? [i] : []));
  return { a: at("A"), b: at("B") };
}

/** (mean of A + mean of B) / 2; items are resampled within their letter. NaN where a letter has no item. */
export function balancedMean(study: StudyData, slopes: Float64Array, groups: LetterGroups): MeanInterval {
  return ofBoth(study, slopes, groups, (a, b) => (a + b) / 2);
}

/** (mean of A - mean of B) / 2: what the letter adds to the slope of an item at A and takes from one at B. */
export function letterEffect(study: StudyData, slopes: Float64Array, groups: LetterGroups): MeanInterval {
  return ofBoth(study, slopes, groups, (a, b) => (a - b) / 2);
}

function ofBoth(
  study: StudyData,
  slopes: Float64Array,
  { a, b }: LetterGroups,
  combine: (a: number, b: number) => number,
): MeanInterval {
  const meanOf = (picked: ArrayLike<number>, from: number, to: number): number => {
    let sum = 0;
    for (let i = from; i < to; i++) sum += slopes[picked[i]!]!;
    return sum / (to - from);
  };
  return study.statisticWithin([a, b], (picked) =>
    combine(meanOf(picked, 0, a.length), meanOf(picked, a.length, picked.length)),
  );
}

/** Mean size that (A - B) / 2 would have if the letter did nothing: sqrt(2/π) times its standard error. */
export function letterEffectByChance(slopes: Float64Array, { a, b }: LetterGroups): number {
  const of = (group: readonly number[]): number => variance(group.map((i) => slopes[i]!)) / group.length;
  return Math.sqrt((2 / Math.PI) * (of(a) + of(b))) / 2;
}
