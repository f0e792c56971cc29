/**
 * E3 and E4: how much of steerability belongs to the letter of the positive answer and to its Yes or No. Facts come with the
 * items and every item counts once, which the paper's figure 3 got wrong (EXPERIMENTS 9.1 B3, B14). Pure functions.
 */
import { mean, quantiles } from "../statistics/descriptive.ts";
import { decomposeVariance, type VarianceShares } from "../statistics/steerability.ts";
import type { UnitResult } from "../study/result.ts";
import { type StudyData, type Where, whereOf } from "./studyData.ts";

export interface NuisanceRow extends Where {
  readonly layer: number;
  readonly letter: "A" | "B" | "none";
  readonly yesNo: "yes" | "no" | "other" | "none";
  readonly n: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly q05: number;
  readonly q25: number;
  readonly median: number;
  readonly q75: number;
  readonly q95: number;
  readonly anti: number;
}

/** E3: slopes by letter and Yes/No of the positive answer; only groups that have items. */
export function byLetterAndYesNo(study: StudyData): NuisanceRow[] {
  return lettered(study).flatMap((unit) => {
    const slopes = study.slopes(unit, unit.setting)!;
    const { letters, words } = factors(study, unit);
    return (["A", "B", "none"] as const).flatMap((letter) =>
      (["yes", "no", "other", "none"] as const).flatMap((yesNo) => {
        const its = slopes.filter((_, i) => letters[i] === letter && words[i] === yesNo);
        if (its.length === 0) return [];
        const [q05, q25, median, q75, q95] = quantiles(its, [0.05, 0.25, 0.5, 0.75, 0.95]) as number[];
        const spread = { q05: q05!, q25: q25!, median: median!, q75: q75!, q95: q95! };
        const about = { ...whereOf(unit), layer: study.layer(unit), letter, yesNo, n: its.length };
        return [{ ...about, ...study.meanOf(its), ...spread, anti: mean(its.map((s) => +(s <= 0))) }];
      }),
    );
  });
}

export interface VarianceRow extends Where {
  readonly layer: number;
  readonly n: number;
  /** Of the slopes, with n - 1. */
  readonly variance: number;
  /** Shares of it, from 0 to 1: the letter, then Yes/No besides, then their interaction, then what none of them explains. */
  readonly letter: number;
  readonly yesNo: number;
  readonly interaction: number;
  readonly rest: number;
  /** The paper's "unexplained", which has the interaction in it, and its interval. */
  readonly unexplained: number;
  readonly low: number;
  readonly high: number;
  /** Yes/No as the original told it, which misses every set but the persona ones (B14): its share, and what was left. */
  readonly originalYesNo: number;
  readonly originalUnexplained: number;
}

/** E4 at the study's layer, or at every layer. */
export function varianceExplained(study: StudyData, layers: "chosen" | "all" = "chosen"): VarianceRow[] {
  return lettered(study).flatMap((unit) => {
    const { letters, words, originals } = factors(study, unit);
    return (layers === "all" ? unit.layers : [study.layer(unit)]).map((layer) => {
      const slopes = study.slopes(unit, unit.setting, { layer })!;
      const shares = (pick: ArrayLike<number>): VarianceShares => {
        const at = <T>(from: ArrayLike<T>): T[] => Array.from(pick, (i) => from[i]!);
        return decomposeVariance(at(slopes), at(letters), at(words));
      };
      const all = shares([...slopes.keys()]);
      const original = decomposeVariance(slopes, letters, originals);
      const share = (part: number, of = all): number => (of.total > 0 ? part / of.total : Number.NaN);
      return {
        ...whereOf(unit),
        layer,
        n: slopes.length,
        variance: all.total,
        letter: share(all.first),
        yesNo: share(all.second),
        interaction: share(all.interaction),
        rest: share(all.unexplained - all.interaction),
        unexplained: share(all.unexplained),
        originalYesNo: share(original.second, original),
        originalUnexplained: share(original.unexplained, original),
        ...study.interval(slopes.length, (pick) => unexplainedShare(shares(pick))),
      };
    });
  });
}

function unexplainedShare({ unexplained, total }: VarianceShares): number {
  return total > 0 ? unexplained / total : Number.NaN;
}

function lettered(study: StudyData): UnitResult[] {
  return study.home.filter((unit) => unit.format === "choice" && unit.items.some((item) => item.letter !== null));
}

export function factors(
  study: StudyData,
  unit: UnitResult,
): { letters: ("A" | "B" | "none")[]; words: ("yes" | "no" | "other" | "none")[]; originals: boolean[] } {
  const items = study.rows(unit).map((row) => unit.items[row]!);
  return {
    letters: items.map((item) => item.letter ?? "none"),
    words: items.map((item) => item.yesNo ?? "none"),
    originals: items.map((item) => item.originalYes),
  };
}
