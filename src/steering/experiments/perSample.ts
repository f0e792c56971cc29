/**
 * E1: steerability of every single item, the share that goes the wrong way, by sign and beyond what noise makes, with the
 * controls' bands; the same at every layer; E14's kurtosis. E10 and E11: does the range of multipliers, or a bend, matter?
 */
import { fitLine, spearman } from "../statistics/association.ts";
import { mean, median, quantiles, standardDeviation } from "../statistics/descriptive.ts";
import { kernelDensity, kurtosis } from "../statistics/shape.ts";
import { slopeNoise } from "../statistics/slopeNoise.ts";
import { signShares } from "../statistics/steerability.ts";
import type { Measure, TestSetting, UnitResult } from "../study/result.ts";
import { type AntiShare, antiShare } from "./antiShare.ts";
import { controlBand } from "./bands.ts";
import { balancedMean, letterGroups } from "./letterGroups.ts";
import { type StudyData, type Where, whereOf } from "./studyData.ts";

export interface PerSampleRow extends Where, AntiShare {
  readonly setting: TestSetting;
  readonly layer: number;
  readonly measure: Measure;
  readonly n: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  /** Choices: the mean with items at A and at B weighted alike, and how many there are; else NaN and 0. */
  readonly balanced: number;
  readonly balancedLow: number;
  readonly balancedHigh: number;
  readonly a: number;
  readonly b: number;
  readonly median: number;
  readonly sd: number;
  readonly kurtosis: number;
  /** Below 0 by more than the item's residual-bootstrap threshold; and the share whose sign the threshold leaves open. */
  readonly antiClear: number;
  readonly unclear: number;
  /** Below all but 2.5 % of the slopes that the same items have under random vectors. */
  readonly antiBeyondRandom: number;
  readonly randomVectors: number;
  readonly randomMean: number;
  readonly randomLow: number;
  readonly randomHigh: number;
  readonly shuffledVectors: number;
  readonly shuffledMean: number;
  readonly shuffledLow: number;
  readonly shuffledHigh: number;
}

export function perSample(study: StudyData): PerSampleRow[] {
  return study.home.map((unit) => perSampleRow(study, unit));
}

function perSampleRow(study: StudyData, unit: UnitResult): PerSampleRow {
  const own = study.slopes(unit, unit.setting)!;
  const noise = slopeNoise(unit.multipliers, study.curves(unit, unit.setting)!, { resamples: study.resamples });
  const clear = signShares(own, noise);
  const groups = letterGroups(study, unit);
  const balanced = balancedMean(study, own, groups);
  const names = study.controls(unit, unit.setting, "random");
  const random = names.flatMap((name) => [...study.slopes(unit, name)!]);
  const lowest = quantiles(random, [0.025])[0]!;
  const randomBand = controlBand(study, unit, unit.setting, "random");
  const shuffledBand = controlBand(study, unit, unit.setting, "shuffled");
  return {
    ...whereOf(unit),
    setting: unit.setting,
    layer: study.layer(unit),
    measure: study.measure(unit),
    n: own.length,
    ...study.meanOf(own),
    balanced: balanced.mean,
    balancedLow: balanced.low,
    balancedHigh: balanced.high,
    a: groups.a.length,
    b: groups.b.length,
    median: median(own),
    sd: standardDeviation(own),
    kurtosis: kurtosis(own),
    ...antiShare(own),
    antiClear: clear.anti,
    unclear: clear.unclear,
    antiBeyondRandom: Number.isNaN(lowest) ? Number.NaN : mean(own.map((s) => +(s < Math.min(0, lowest)))),
    randomVectors: randomBand.vectors,
    randomMean: randomBand.mean,
    randomLow: randomBand.low,
    randomHigh: randomBand.high,
    shuffledVectors: shuffledBand.vectors,
    shuffledMean: shuffledBand.mean,
    shuffledLow: shuffledBand.low,
    shuffledHigh: shuffledBand.high,
  };
}

export interface DensityRow extends Where {
  readonly slope: number;
  /** Largest value of a set is 1. */
  readonly density: number;
}

const DENSITY_POINTS = 61;

/** The outlines of violins, over each set's own range of slopes. */
export function slopeDensities(study: StudyData): DensityRow[] {
  return study.home.flatMap((unit) => {
    const own = study.slopes(unit, unit.setting)!;
    const [low, high] = quantiles(own, [0, 1]) as [number, number];
    const margin = 0.1 * (high - low);
    const points = Array.from(
      { length: DENSITY_POINTS },
      (_, i) => low - margin + ((high - low + 2 * margin) * i) / (DENSITY_POINTS - 1),
    );
    const density = kernelDensity(own, points);
    const most = Math.max(...density);
    if (Number.isNaN(most)) return [];
    return points.map((slope, i) => ({ ...whereOf(unit), slope, density: density[i]! / most }));
  });
}

export interface RangeRow extends Where {
  readonly layer: number;
  readonly n: number;
  /** Multipliers of at most this size are fitted. */
  readonly range: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** E10: slopes from the multipliers within ±r, for every r of the grid that leaves two of them, if there are three in all. */
export function multiplierRanges(study: StudyData): RangeRow[] {
  return study.home.flatMap((unit) => {
    const sizes = [...new Set(unit.multipliers.map(Math.abs))].sort((a, b) => a - b);
    const within = (r: number): number => unit.multipliers.filter((m) => Math.abs(m) <= r).length;
    const usable = unit.multipliers.length < 3 ? [] : sizes.filter((r) => within(r) >= 2);
    return usable.map((range) => {
      const slopes = study.slopes(unit, unit.setting, { within: range })!;
      return { ...whereOf(unit), layer: study.layer(unit), n: slopes.length, range, ...study.meanOf(slopes) };
    });
  });
}

export interface LinearityRow extends Where {
  readonly layer: number;
  readonly n: number;
  /** Root of the mean square of the residuals (the paper's figure has the root of their sum). Median over items. */
  readonly rmse: number;
  /** Share of an item's variance over multipliers that its line explains: median over items, and share above 0.9. */
  readonly r2: number;
  readonly r2Above09: number;
  /** Spearman of |slope| and RMSE over items, with interval. */
  readonly rho: number;
  readonly low: number;
  readonly high: number;
}

/** E11: how straight the curves are, and whether steep ones bend more. */
export function linearity(study: StudyData): LinearityRow[] {
  return study.home.map((unit) => {
    const points = itemFits(study, unit);
    const [steep, rmse] = [points.map((p) => Math.abs(p.slope)), points.map((p) => p.rmse)];
    const rho = (pick: ArrayLike<number>): number =>
      spearman(Array.from(pick, (i) => steep[i]!), Array.from(pick, (i) => rmse[i]!)); // biome-ignore format: pairs
    return {
      ...whereOf(unit),
      layer: study.layer(unit),
      n: points.length,
      rmse: median(rmse),
      r2: median(points.map((p) => p.r2)),
      r2Above09: mean(points.map((p) => +(p.r2 > 0.9))),
      rho: rho([...points.keys()]),
      ...study.interval(points.length, rho),
    };
  });
}

export interface ItemFit {
  readonly slope: number;
  readonly rmse: number;
  readonly r2: number;
}

export function itemFits(study: StudyData, unit: UnitResult): ItemFit[] {
  return study.curves(unit, unit.setting)!.map((y) => {
    const { slope, residual } = fitLine(unit.multipliers, y);
    const centre = mean(y);
    const total = y.reduce((sum, value) => sum + (value - centre) ** 2, 0);
    return { slope, rmse: Math.sqrt(residual / y.length), r2: total === 0 ? Number.NaN : 1 - residual / total };
  });
}
