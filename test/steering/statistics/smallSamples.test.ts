/** Statistics of few values against scipy 1.x: permutation_test, binomtest's Wilson interval, norm and t. */
import { describe, expect, it } from "vitest";
import { bootstrapIntervals, expandedConfidence } from "../../../src/steering/statistics/bootstrap.ts";
import { mean } from "../../../src/steering/statistics/descriptive.ts";
import { wilsonInterval } from "../../../src/steering/statistics/proportion.ts";
import { exactRankP, rankInterval } from "../../../src/steering/statistics/rankCorrelation.ts";

describe("rank correlation of few pairs", () => {
  it("has scipy's exact p over all orders, with ties, and a hand count", () => {
    // stats.permutation_test((x,), lambda x: spearmanr(x, y).statistic, permutation_type='pairings', n_resamples=inf)
    const cases: [number[], number[], number][] = [
      [[1, 2, 3, 4, 5], [2, 1, 4, 3, 5], 0.13333333333333333],
      [[1, 2, 2, 3, 5, 9], [1, 4, 2, 2, 8, 0], 0.9777777777777777],
      [[3, 1, 4, 1, 5, 9, 2, 6], [2, 7, 1, 8, 2, 8, 1, 8], 0.6309523809523809],
      [[1, 2, 3, 4, 5, 6, 7], [2, 1, 3, 5, 4, 7, 6], 0.012301587301587301],
      // one of the 24 orders agrees fully, and one disagrees fully
      [[1, 2, 3, 4], [10, 20, 30, 40], 2 / 24],
      [[1, 2, 3], [3, 2, 1], 2 / 6],
    ];
    for (const [x, y, p] of cases) expect(exactRankP(x, y)).toBeCloseTo(p, 12);
  });

  it("has none for two pairs, nine, or constant values", () => {
    expect(exactRankP([1, 2], [1, 2])).toBeNaN();
    expect(exactRankP([1, 1, 1], [1, 2, 3])).toBeNaN();
    expect(exactRankP([...Array(9).keys()], [...Array(9).keys()])).toBeNaN();
  });

  it("has Bonett and Wright's interval, which never shrinks to a point", () => {
    // numpy: tanh(arctanh(r) -+ 1.959963984540054 * sqrt((1 + r*r/2) / (n - 3)))
    const { low, high } = rankInterval(-0.8, 9);
    expect(low).toBeCloseTo(-0.9652717990228116, 12);
    expect(high).toBeCloseTo(-0.17741043306603543, 12);
    expect(rankInterval(0.1, 4).high).toBeCloseTo(0.9683554041234596, 12);
    for (const [rho, n] of [
      [1, 6],
      [0.5, 3],
      [Number.NaN, 8],
    ] as const)
      expect(rankInterval(rho, n)).toEqual({ low: Number.NaN, high: Number.NaN });
  });
});

it("has Wilson's interval of shares", () => {
  const cases: [number, number, number, number][] = [
    [0, 8, 0, 0.32440756488388023],
    [3, 8, 0.13684428582359737, 0.6942576053973728],
    [50, 50, 0.9286524008666412, 1],
    [7, 20, 0.1811918241010821, 0.5671457233147637],
  ];
  for (const [count, n, low, high] of cases) {
    const got = wilsonInterval(count, n);
    expect(got.low).toBeCloseTo(low, 12);
    expect(got.high).toBeCloseTo(high, 12);
  }
  expect(wilsonInterval(1, 1).low).toBeNaN();
});

it("expands percentiles so that few values get Student's width", () => {
  // 1 - 2 * norm.sf(sqrt(n / (n - 1)) * t.ppf(0.975, n - 1))
  for (const [n, confidence] of [
    [3, 0.9999998633172538],
    [5, 0.998091798896235],
    [10, 0.9828987218711972],
    [50, 0.9576411775772449],
  ] as const)
    expect(expandedConfidence(0.95, n)).toBeCloseTo(confidence, 6);
  expect(expandedConfidence(0.95, 2)).toBeLessThan(1);
  expect(expandedConfidence(0.95, 1)).toBeNaN();
});

it("resamples within groups, and gives several statistics of the same resamples", () => {
  const values = [0, 0, 1, 10, 10, 11];
  const within = [Uint32Array.of(0, 1, 2), Uint32Array.of(3, 4, 5)];
  const sizes = new Set<number>();
  const [all, negative] = bootstrapIntervals(within, (pick) => {
    sizes.add(pick.filter((i) => i < 3).length);
    const m = mean(Array.from(pick, (i) => values[i]!));
    return [m, -m];
  });
  expect([...sizes]).toEqual([3]);
  expect(all!.high - all!.low).toBeLessThan(1.1);
  expect(negative).toEqual({ low: -all!.high, high: -all!.low });
});
