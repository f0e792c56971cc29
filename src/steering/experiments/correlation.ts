/**
 * Rank correlations with intervals that few sets deserve: over sets, and over several pairs of each set, which are not
 * independent. Pure functions of the study's data.
 */
import { spearman } from "../statistics/association.ts";
import { exactRankP, MOST_EXACT, rankInterval } from "../statistics/rankCorrelation.ts";
import { spearmanTest } from "../statistics/student.ts";
import type { StudyData } from "./studyData.ts";

/** A rank correlation with its interval; NaN ends where there are too few sets for one. */
export interface RankCorrelation {
  readonly sets: number;
  readonly rho: number;
  readonly low: number;
  readonly high: number;
}

export interface Correlation extends RankCorrelation {
  /** Two-sided: over all orders for up to eight sets, else Student's t as scipy's spearmanr. */
  readonly p: number;
}

/** From this many sets on, sets are resampled; fewer get Bonett and Wright's interval. */
export const FEW_CORRELATED = 10;
/** Fewer sets give resamples of too few different ones. */
export const FEW_RESAMPLED = 5;

/** Of one value of x and y a set; all NaN for fewer than three sets. */
export function correlate(study: StudyData, x: readonly number[], y: readonly number[]): Correlation {
  const sets = x.length;
  if (sets < 3) return { sets, rho: Number.NaN, low: Number.NaN, high: Number.NaN, p: Number.NaN };
  const { rho, p } = spearmanTest(x, y);
  const of = (pick: ArrayLike<number>): number =>
    spearman(
      Array.from(pick, (i) => x[i]!),
      Array.from(pick, (i) => y[i]!),
    );
  const interval = sets < FEW_CORRELATED ? rankInterval(rho, sets) : study.interval(sets, of);
  return { sets, rho, ...interval, p: sets <= MOST_EXACT ? exactRankP(x, y) : p };
}

export interface Pair {
  readonly dataset: string;
  readonly x: number;
  readonly y: number;
}

/** Of all pairs; the interval resamples whole sets. No p-value, since the pairs of a set depend on one another. */
export function correlateWithinSets(study: StudyData, pairs: readonly Pair[]): RankCorrelation {
  const sets = [...new Set(pairs.map((p) => p.dataset))];
  const bySet = sets.map((dataset) => pairs.filter((p) => p.dataset === dataset));
  const of = (its: readonly Pair[]): number =>
    spearman(
      its.map((p) => p.x),
      its.map((p) => p.y),
    );
  const interval =
    sets.length < FEW_RESAMPLED
      ? { low: Number.NaN, high: Number.NaN }
      : study.interval(sets.length, (pick) => of(Array.from(pick, (i) => bySet[i]!).flat()));
  return { sets: sets.length, rho: pairs.length < 3 ? Number.NaN : of(pairs), ...interval };
}
