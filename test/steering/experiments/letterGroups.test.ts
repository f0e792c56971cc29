/** What a surplus of one letter, or noise alone, may not pass as: steerability, a gap of letters, explained variance. */
import { expect, it } from "vitest";
import { letterGaps, varianceExplained } from "../../../src/steering/experiments/nuisance.ts";
import { perSample } from "../../../src/steering/experiments/perSample.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import { mean } from "../../../src/steering/statistics/descriptive.ts";
import type { UnitResult } from "../../../src/steering/study/result.ts";
import { stream } from "../../../src/tensor/random.ts";
import { syntheticUnit, wobble } from "../../support/syntheticUnits.ts";

const study = (...units: UnitResult[]): StudyData => new StudyData(units, { bootstrap: { resamples: 400 } });
/** 31 items at A and 19 at B, as the paper's sets have them. */
const items = Array.from({ length: 50 }, (_, i) => ({ letter: i < 31 ? ("A" as const) : ("B" as const) }));

it("weights letters equally: a vector that only knows letters has no steerability", () => {
  const slope = (i: number): number => (i < 31 ? 0.15 : -0.15) + 0.01 * wobble(i);
  const [row] = perSample(study(syntheticUnit({ items, slope })));
  expect(row!.mean).toBeCloseTo((0.15 * 12) / 50, 2);
  expect(row).toMatchObject({ a: 31, b: 19 });
  const groups = [items.map((_, i) => slope(i)).slice(0, 31), items.map((_, i) => slope(i)).slice(31)];
  expect(row!.balanced).toBeCloseTo((mean(groups[0]!) + mean(groups[1]!)) / 2, 12);
  expect(Math.abs(row!.balanced)).toBeLessThan(0.005);
  // resampled within letters, so that the gap of 0.3 is not in the interval
  expect(row!.balancedHigh - row!.balancedLow).toBeLessThan(0.01);
  expect(row!.balancedLow).toBeLessThan(row!.balanced);
  expect(perSample(study(syntheticUnit({ slope, format: "completion" })))[0]).toMatchObject({
    ...{ balanced: Number.NaN, balancedLow: Number.NaN, a: 0, b: 0 },
  });
});

it("gives shares Wilson's interval and one item none", () => {
  const [row] = perSample(study(syntheticUnit({ slope: (i) => 1 + 0.1 * wobble(i), count: 8 })));
  // scipy: binomtest(0, 8).proportion_ci(method='wilson')
  expect(row!.anti).toBe(0);
  expect(row!.antiHigh).toBeCloseTo(0.32440756488388023, 12);
  const [alone] = perSample(study(syntheticUnit({ slope: () => 1, count: 1 })));
  expect(alone).toMatchObject({ mean: expect.closeTo(1, 12), low: Number.NaN, antiHigh: Number.NaN });
});

it("has the gap of letters with its interval, beside what chance makes", () => {
  const [row] = letterGaps(study(syntheticUnit({ items, slope: (i) => (i < 31 ? 2 : -1) + 0.2 * wobble(i) })));
  expect(row).toMatchObject({ a: 31, b: 19 });
  expect(row!.gap).toBeCloseTo(3, 0);
  expect(row!.low).toBeGreaterThan(2.8);
  expect(row!.byChance).toBeLessThan(0.1);
  // the mean size of gaps of noise is what byChance says
  const next = stream(1);
  const noise = Array.from({ length: 60 }, (_, d) => syntheticUnit({ dataset: `d${d}`, items, slope: () => next() }));
  const gaps = letterGaps(study(...noise));
  const ratio = mean(gaps.map((r) => Math.abs(r.gap))) / mean(gaps.map((r) => r.byChance));
  expect(ratio).toBeGreaterThan(0.8);
  expect(ratio).toBeLessThan(1.2);
});

it("adjusts explained variance for what factors explain of noise", () => {
  const noise = Array.from({ length: 60 }, (_, d) =>
    syntheticUnit({ dataset: `d${d}`, count: 16, slope: (i) => wobble(i, d) }),
  );
  const rows = varianceExplained(new StudyData(noise, { bootstrap: { resamples: 2 } }));
  // three factors' directions of 15
  expect(mean(rows.map((r) => 1 - r.rest))).toBeCloseTo(3 / 15, 1);
  expect(Math.abs(mean(rows.map((r) => r.adjusted)))).toBeLessThan(0.06);
  // by hand: 16 items, 4 parameters
  const [row] = rows;
  expect(row!.adjusted).toBeCloseTo(1 - (row!.rest * 15) / 12, 12);
  const [known] = varianceExplained(study(syntheticUnit({ count: 40, slope: (i) => (i % 2 ? -1 : 1) + wobble(i) })));
  expect(known!.letterLow).toBeLessThan(known!.letter);
  expect(known!.letterHigh).toBeGreaterThan(known!.letter);
  expect(known!.letterLow).toBeGreaterThan(0.3);
  expect(known!.yesNoHigh).toBeLessThan(0.3);
});
