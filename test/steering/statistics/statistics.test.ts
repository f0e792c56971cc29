/** The statistics against numpy's and scipy's numbers (test/fixtures/statistics/make_fixtures.py); null there means NaN. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { averageRanks, fitLine, pearson, spearman } from "../../../src/steering/statistics/association.ts";
import { bootstrapInterval } from "../../../src/steering/statistics/bootstrap.ts";
import {
  mean,
  median,
  quantiles,
  standardDeviation,
  standardError,
} from "../../../src/steering/statistics/descriptive.ts";
import { decomposeVariance, type Level, signShares } from "../../../src/steering/statistics/steerability.ts";
import { fixtures } from "../../support/needs.ts";

type Num = number | null;
interface Fixture {
  samples: { values: Num[]; mean: Num; sd: Num; sem: Num; probabilities: number[]; quantiles: Num[] }[];
  pairs: ({ x: Num[]; y: Num[]; ranks: Num[] } & Record<
    "slope" | "intercept" | "residual" | "slopeError" | "pearson" | "spearman",
    Num
  >)[];
  decompositions: ({ values: number[]; first: Level[]; second: Level[] } & Record<
    "total" | "a" | "b" | "unexplained" | "interaction",
    number
  >)[];
  bootstraps: { values: number[]; resamples: number; seed: number; low: number; high: number; scipy: number[] }[];
}
const fixture: Fixture = JSON.parse(readFileSync(join(fixtures, "statistics", "statistics.json"), "utf8"));
const numbers = (values: Num[]): number[] => values.map((v) => v ?? Number.NaN);

function close(got: number, expected: Num, what: string): void {
  if (expected === null) expect(got, what).toBeNaN();
  else
    expect(Math.abs(got - expected), `${what}: ${got}, ${expected}`).toBeLessThan(
      1e-9 * Math.max(1, Math.abs(expected)),
    );
}

it("describes samples as numpy does, with ties, constants, one item, none, NaN", () => {
  for (const [i, s] of fixture.samples.entries()) {
    const values = numbers(s.values);
    close(mean(values), s.mean, `mean ${i}`);
    close(standardDeviation(values), s.sd, `sd ${i}`);
    close(standardError(values), s.sem, `sem ${i}`);
    close(median(values), s.quantiles[s.probabilities.indexOf(0.5)]!, `median ${i}`);
    for (const [j, q] of quantiles(values, s.probabilities).entries()) close(q, s.quantiles[j]!, `quantile ${i} ${j}`);
  }
  expect(quantiles([1, 2], [-0.1, 1.1, Number.NaN])).toEqual([Number.NaN, Number.NaN, Number.NaN]);
  expect(median([Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY])).toBe(Number.POSITIVE_INFINITY);
});

it("fits lines and correlates as scipy does, with ties, constants, one item, none, NaN", () => {
  for (const [i, p] of fixture.pairs.entries()) {
    const [x, y] = [numbers(p.x), numbers(p.y)];
    const got = { ...fitLine(x, y), pearson: pearson(x, y), spearman: spearman(x, y) };
    for (const key of ["slope", "intercept", "residual", "slopeError", "pearson", "spearman"] as const)
      close(got[key], p[key], `${key} ${i}`);
    for (const [j, rank] of averageRanks(x).entries()) close(rank, p.ranks[j]!, `rank ${i} ${j}`);
  }
  expect(() => fitLine([1, 2], [1])).toThrow("2 values of x and 1 of y");
});

it("decomposes variance as least squares by pseudo-inverse does", () => {
  for (const [i, d] of fixture.decompositions.entries()) {
    const got = decomposeVariance(d.values, d.first, d.second);
    for (const [key, its] of [
      ["total", d.total],
      ["first", d.a],
      ["second", d.b],
      ["unexplained", d.unexplained],
      ["interaction", d.interaction],
    ] as const)
      close(got[key], its, `${key} ${i}`);
  }
  expect(decomposeVariance([1], ["A"], [true]).first).toBeNaN();
  expect(decomposeVariance([1, Number.NaN, 3], ["A", "B", "A"], [true, true, false])).toEqual({
    total: Number.NaN,
    first: Number.NaN,
    second: Number.NaN,
    unexplained: Number.NaN,
    interaction: Number.NaN,
    parameters: 3,
  });
  expect(() => decomposeVariance([1, 2], ["A"], [true, false])).toThrow("2 values");
});

describe("bootstrapInterval", () => {
  const meanOf = (values: readonly number[]) => (indices: Uint32Array) => mean(Array.from(indices, (i) => values[i]!));

  it("equals numpy's percentiles over the same draws, and scipy's interval nearly", () => {
    for (const { values, resamples, seed, low, high, scipy } of fixture.bootstraps) {
      const got = bootstrapInterval(values.length, meanOf(values), { resamples, seed, confidence: 0.9 });
      close(got.low, low, "low");
      close(got.high, high, "high");
      const many = bootstrapInterval(values.length, meanOf(values), { resamples: 5000, confidence: 0.9 });
      const width = scipy[1]! - scipy[0]!;
      expect(Math.abs(many.low - scipy[0]!)).toBeLessThanOrEqual(0.05 * width);
      expect(Math.abs(many.high - scipy[1]!)).toBeLessThanOrEqual(0.05 * width);
    }
  });

  it("gives the value itself for one item, NaN for none, and leaves out NaN resamples", () => {
    expect(bootstrapInterval(1, meanOf([0.5]))).toEqual({ low: 0.5, high: 0.5 });
    expect(bootstrapInterval(0, meanOf([]))).toEqual({ low: Number.NaN, high: Number.NaN });
    const x = [1, 2, 3];
    const rho = bootstrapInterval(3, (indices) => {
      const drawn = Array.from(indices, (i) => x[i]!);
      return spearman(drawn, drawn);
    });
    expect(rho.low).toBeCloseTo(1, 12);
    expect(rho.high).toBeCloseTo(1, 12);
  });

  it("refuses bad options", () => {
    expect(() => bootstrapInterval(3, () => 0, { confidence: 95 })).toThrow("confidence is 95");
    expect(() => bootstrapInterval(3, () => 0, { resamples: 0 })).toThrow("resamples is 0");
    expect(() => bootstrapInterval(3, () => 0, { sed: 1 } as object)).toThrow('did you mean "seed"?');
  });
});

describe("signShares", () => {
  it("counts a slope of 0 as anti-steerable without a threshold", () => {
    expect(signShares([-1, 0, 0.001, 2])).toEqual({ anti: 0.5, steerable: 0.5, unclear: 0 });
  });

  it("keeps slopes within the noise apart", () => {
    expect(signShares([-1, -0.5, -0.2, 0, 0.5, 2], 0.5)).toEqual({ anti: 2 / 6, steerable: 1 / 6, unclear: 3 / 6 });
    expect(signShares([-1, 1], [2, 0.5])).toEqual({ anti: 0, steerable: 0.5, unclear: 0.5 });
  });

  it("is NaN for no slopes and for a NaN", () => {
    expect(signShares([]).anti).toBeNaN();
    expect(signShares([1, Number.NaN]).anti).toBeNaN();
    expect(() => signShares([1, 2], [1])).toThrow("1 thresholds for 2 slopes");
  });
});
