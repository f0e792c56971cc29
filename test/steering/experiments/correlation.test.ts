/** Rank correlations over few sets: what they may claim, and that pairs of one set are not counted as independent. */
import { describe, expect, it } from "vitest";
import { correlate, correlateWithinSets } from "../../../src/steering/experiments/correlation.ts";
import { cosines, cosineTrends, unitDirections } from "../../../src/steering/experiments/cosines.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import type { TestSetting, UnitResult } from "../../../src/steering/study/result.ts";
import { syntheticUnit, wobble } from "../../support/syntheticUnits.ts";

const SETTINGS: readonly TestSetting[] = ["BASE", "SYS_POS", "SYS_NEG", "USER_POS", "USER_NEG"];
const study = (...units: UnitResult[]): StudyData => new StudyData(units, { bootstrap: { resamples: 200 } });
const any = study(syntheticUnit({ slope: () => 1 }));
const rising = (n: number): number[] => [...Array(n).keys()];

describe("correlate", () => {
  it("claims nothing of two sets, and little of a few", () => {
    expect(correlate(any, [1, 2], [1, 2])).toEqual({
      sets: 2,
      rho: Number.NaN,
      low: Number.NaN,
      high: Number.NaN,
      p: Number.NaN,
    });
    // a bootstrap of five sets in perfect order would be [1, 1] with p = 0
    expect(correlate(any, rising(5), rising(5))).toMatchObject({ rho: 1, low: Number.NaN, p: 2 / 120 });
    const some = correlate(any, [1, 2, 3, 4, 5], [2, 1, 4, 3, 5]);
    expect(some.p).toBeCloseTo(0.13333333333333333, 12);
    expect(some.low).toBeLessThan(0);
    expect(some.high).toBeGreaterThan(0.95);
  });

  it("resamples ten sets or more, with scipy's p", () => {
    const x = rising(12);
    const y = x.map((i) => i + 6 * wobble(i));
    const found = correlate(any, x, y);
    expect(found.low).toBeLessThan(found.rho);
    expect(found.high).toBeGreaterThan(found.rho);
    expect(found.p).toBeGreaterThan(0);
    expect(found.p).toBeLessThan(0.05);
  });
});

it("resamples whole sets, whose pairs depend on one another", () => {
  // twenty pairs in each of six sets, all alike within a set
  const pairs = rising(120).map((i) => ({ dataset: `d${i % 6}`, x: i % 6, y: 3 * wobble(i % 6) + i / 1e6 }));
  const found = correlateWithinSets(any, pairs);
  expect(found.sets).toBe(6);
  // 120 independent pairs would give half a width of 0.2
  expect(found.high - found.low).toBeGreaterThan(0.6);
  const four = correlateWithinSets(any, pairs.filter((p) => p.x < 4)); // biome-ignore format: short
  expect(four.low).toBeNaN();
  expect(Number.isFinite(four.rho)).toBe(true);
});

it("E8's trend reads the levels of one run, and of the mean of the settings", () => {
  const directions = [...SETTINGS, "mean"].map((_, s) => [Float32Array.from([Math.cos(s / 3), Math.sin(s / 3)])]);
  const run = SETTINGS.map((setting, s) => ({
    ...syntheticUnit({ setting, vectors: [...SETTINGS, "mean"], slope: () => 1, count: 4, level: () => s }),
    directions,
  }));
  // home has more items, at another level, and comes first
  const home = syntheticUnit({ slope: () => 1, count: 12, level: () => 50 });
  const its = study(home, ...run);
  const [trend] = cosineTrends(its, cosines(its, unitDirections(its)));
  expect(trend).toMatchObject({ pairs: 15, sets: 1 });
  const alone = study(...run);
  expect(trend!.rho).toBe(cosineTrends(alone, cosines(alone, unitDirections(alone)))[0]!.rho);
});
