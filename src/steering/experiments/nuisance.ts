/**
 * E3 and E4: how much of steerability belongs to the letter of the positive answer and to its Yes or No. Facts come with the
 * items and every item counts once, which the paper's figure 3 got wrong (EXPERIMENTS 9.1 B3, B14). Pure functions.
 */
import { quantiles } from "../statistics/descriptive.ts";
import { decomposeVariance, type VarianceShares, varianceDecomposer } from "../statistics/steerability.ts";
import type { UnitResult } from "../study/result.ts";
import { type AntiShare, antiShare } from "./antiShare.ts";
import { letterEffect, letterEffectByChance, letterGroups } from "./letterGroups.ts";
import { type StudyData, type Where, whereOf } from "./studyData.ts";

export interface NuisanceRow extends Where, AntiShare {
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
        return [{ ...about, ...study.meanOf(its), ...spread, ...antiShare(its) }];
      }),
    );
  });
}

/** What the letter of the positive answer does to a set's slopes. */
export interface LetterGapRow extends Where {
  readonly layer: number;
  readonly a: number;
  readonly b: number;
  /** Mean slope of items at A less that of items at B, with its interval. */
  readonly gap: number;
  readonly low: number;
  readonly high: number;
  /** The size that items alone would give a gap if the letter did nothing. */
  readonly byChance: number;
}

/** E3: only sets with both letters. */
export function letterGaps(study: StudyData): LetterGapRow[] {
  return lettered(study).flatMap((unit) => {
    const groups = letterGroups(study, unit);
    const [a, b] = [groups.a.length, groups.b.length];
    if (a === 0 || b === 0) return [];
    const slopes = study.slopes(unit, unit.setting)!;
    const { mean: half, low, high } = letterEffect(study, slopes, groups);
    const byChance = 2 * letterEffectByChance(slopes, groups);
    return [
      { ...whereOf(unit), layer: study.layer(unit), a, b, gap: 2 * half, low: 2 * low, high: 2 * high, byChance },
    ];
  });
}

export interface VarianceRow extends Where {
  readonly layer: number;
  readonly n: number;
  /** Of the slopes, with n - 1. */
  readonly variance: number;
  /** Shares of it, from 0 to 1: the letter, then Yes/No besides, then their interaction, then what none of them explains. */
  readonly letter: number;
  readonly letterLow: number;
  readonly letterHigh: number;
  readonly yesNo: number;
  readonly yesNoLow: number;
  readonly yesNoHigh: number;
  readonly interaction: number;
  readonly interactionLow: number;
  readonly interactionHigh: number;
  readonly rest: number;
  /**
   * What the three explain less what they would explain of noise, 1 - (rest / (n - p)) / (total / (n - 1)) with p parameters:
   * around 0 where they do nothing, while the plain share is (p - 1) / (n - 1) there.
   */
  readonly adjusted: number;
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
    const decompose = varianceDecomposer(letters, words);
    return (layers === "all" ? unit.layers : [study.layer(unit)]).map((layer) => {
      const slopes = study.slopes(unit, unit.setting, { layer })!;
      const all = decompose(slopes);
      const [letter, yesNo, interaction, unexplained] = sharesOf(all);
      const intervals = study.intervals(slopes.length, (pick) => sharesOf(decompose(slopes, pick)));
      const [ofLetter, ofYesNo, ofInteraction, ofUnexplained] = intervals;
      const original = sharesOf(decomposeVariance(slopes, letters, originals));
      return {
        ...whereOf(unit),
        layer,
        n: slopes.length,
        variance: all.total,
        letter: letter!,
        letterLow: ofLetter!.low,
        letterHigh: ofLetter!.high,
        yesNo: yesNo!,
        yesNoLow: ofYesNo!.low,
        yesNoHigh: ofYesNo!.high,
        interaction: interaction!,
        interactionLow: ofInteraction!.low,
        interactionHigh: ofInteraction!.high,
        rest: unexplained! - interaction!,
        adjusted: adjustedShare(all, slopes.length),
        unexplained: unexplained!,
        ...ofUnexplained!,
        originalYesNo: original[1]!,
        originalUnexplained: original[3]!,
      };
    });
  });
}

/** Letter, Yes/No, interaction, unexplained. */
function sharesOf({ first, second, interaction, unexplained, total }: VarianceShares): number[] {
  return [first, second, interaction, unexplained].map((part) => (total > 0 ? part / total : Number.NaN));
}

function adjustedShare({ total, unexplained, interaction, parameters }: VarianceShares, n: number): number {
  if (!(total > 0) || n <= parameters) return Number.NaN;
  return 1 - (((unexplained - interaction) / total) * (n - 1)) / (n - parameters);
}

function lettered(study: StudyData): UnitResult[] {
  return study.home.filter((unit) => unit.format === "choice" && unit.items.some((item) => item.letter !== null));
}

function factors(
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
