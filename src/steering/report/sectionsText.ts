/** Words that sections share: how intervals were made, correlations of few sets, what a figure rests on. Draws nothing. */
import type { AntiShare } from "../experiments/antiShare.ts";
import { FEW_CORRELATED, FEW_RESAMPLED, type RankCorrelation } from "../experiments/correlation.ts";
import type { MeanInterval, StudyData } from "../experiments/studyData.ts";
import { OVER_ITEMS, OVER_SETS } from "./content.ts";
import { number, percent, shortName, withInterval } from "./names.ts";

export const SLOPE = "steerability (logits per unit of multiplier)";
const FEW_VALUES = "percentiles expanded for few values";

export function overItems({ resamples }: StudyData): string {
  return `${OVER_ITEMS} (${resamples} resamples, ${FEW_VALUES})`;
}

export function overSets({ resamples }: StudyData): string {
  return `${OVER_SETS} (${resamples} resamples, ${FEW_VALUES})`;
}

/** How the interval of a rank correlation over so many sets was made. */
export function correlationInterval({ resamples }: StudyData, sets: number): string {
  if (sets <= 3) return "too few sets for an interval";
  if (sets < FEW_CORRELATED)
    return "95 % interval of Bonett and Wright (2000), since a bootstrap of few sets is too narrow";
  return `${OVER_SETS} (${resamples} resamples)`;
}

/** Of a correlation over several pairs of each set. */
export function clusterInterval({ resamples }: StudyData, sets: number): string {
  if (sets < FEW_RESAMPLED) return "too few sets for an interval";
  return `${OVER_SETS}, each with all its pairs (${resamples} resamples)`;
}

/** 0.43 [0.31, 0.55], or that there is no interval. */
export function rhoText({ rho, low, high }: Omit<RankCorrelation, "sets">): string {
  if (Number.isNaN(rho)) return "too few sets";
  return Number.isNaN(low) ? `${number(rho)} (too few sets for an interval)` : withInterval({ mean: rho, low, high });
}

/** 0.43 [0.31, 0.55], or the mean alone where there is one set. */
export function meanText(value: MeanInterval, show: typeof withInterval = withInterval): string {
  return Number.isNaN(value.low) ? show(value).replace(/ \[.*/, "") : show(value);
}

/** 12 % [8 %, 20 %] */
export function percentInterval({ mean, low, high }: { mean: number; low: number; high: number }): string {
  return `${percent(mean)} [${percent(low)}, ${percent(high)}]`;
}

export function antiText({ anti, antiLow, antiHigh }: AntiShare): string {
  return percentInterval({ mean: anti, low: antiLow, high: antiHigh });
}

/** Datasets of rows, by falling mean. */
export function byMean(rows: readonly { readonly dataset: string; readonly mean: number }[]): string[] {
  return [...rows].sort((a, b) => b.mean - a.mean).map((r) => shortName(r.dataset));
}

/** 50 items in each of 6 sets */
export function itemsOf(rows: readonly { readonly dataset: string; readonly n: number }[]): string {
  const sets = new Set(rows.map((r) => r.dataset)).size;
  return `${counted(rows)} items in ${sets === 1 ? "1 set" : `each of ${sets} sets`}`;
}

/** 10, or 8 to 12 */
export function counted(rows: readonly { readonly n: number }[]): string {
  const counts = rows.map((r) => r.n);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? String(least) : `${least} to ${most}`;
}

/** Rows of the sets that have the most of them: means over other sets in each cell would compare sets. */
export function wholeSets<R extends { readonly dataset: string }>(rows: readonly R[]): R[] {
  const cells = new Map<string, number>();
  for (const { dataset } of rows) cells.set(dataset, (cells.get(dataset) ?? 0) + 1);
  const most = Math.max(0, ...cells.values());
  return rows.filter((r) => cells.get(r.dataset) === most);
}
