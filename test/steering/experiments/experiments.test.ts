/** Every experiment on units whose slopes are given, against numbers worked out from the construction. */
import { describe, expect, it } from "vitest";
import { predictionBand } from "../../../src/steering/experiments/bands.ts";
import { propensityCurves } from "../../../src/steering/experiments/curves.ts";
import { layerCurves } from "../../../src/steering/experiments/layers.ts";
import { bothOrders, debiasedVectors } from "../../../src/steering/experiments/letters.ts";
import { byLetterAndYesNo, varianceExplained } from "../../../src/steering/experiments/nuisance.ts";
import { linearity, multiplierRanges, perSample, slopeDensities } from "../../../src/steering/experiments/perSample.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import { ablations, formats, seeds, trainingSizes } from "../../../src/steering/experiments/variants.ts";
import { mean, standardDeviation } from "../../../src/steering/statistics/descriptive.ts";
import type { UnitResult } from "../../../src/steering/study/result.ts";
import { GRID, syntheticUnit, wobble } from "../../support/syntheticUnits.ts";

const study = (...units: UnitResult[]): StudyData => new StudyData(units, { bootstrap: { resamples: 200 } });

describe("E1", () => {
  const slope = (i: number, vector: string): number =>
    vector === "BASE" ? [2, 3, -1, 0, 4, 5, -2, 1][i]! : vector.endsWith("0") ? 0.1 * wobble(i) : -0.1 * wobble(i, 1);
  const vectors = ["BASE", "BASE/random-0", "BASE/random-1", "BASE/shuffled-0", "BASE/shuffled-1"];
  const row = perSample(study(syntheticUnit({ slope, vectors })))[0]!;

  it("has mean, median, spread and the share at or below 0, as the paper counts it", () => {
    expect(row.mean).toBeCloseTo(1.5, 12);
    expect(row.median).toBeCloseTo(1.5, 12);
    expect(row.sd).toBeCloseTo(standardDeviation([2, 3, -1, 0, 4, 5, -2, 1]), 12);
    expect(row.anti).toBe(3 / 8);
    expect(row.low).toBeLessThan(1.5);
    expect(row.high).toBeGreaterThan(1.5);
  });

  it("keeps items apart whose sign a bend could have made", () => {
    const bent = study(
      syntheticUnit({ slope: (i) => [2, -2, 0.01, -0.01][i]!, bend: (i) => (i < 2 ? 0 : 1e-3), count: 4 }),
    );
    const rough = syntheticUnit({ slope: (i) => [2, -2, 0.01, -0.01][i]!, count: 4 });
    rough.propensities["logit-sum"]![15]! += 0.5;
    rough.propensities["logit-sum"]![22]! += 0.5;
    expect(perSample(bent)[0]!.antiClear).toBe(0.5);
    expect(perSample(study(rough))[0]).toMatchObject({ antiClear: 0.25, unclear: 0.5 });
  });

  it("has the controls' bands", () => {
    const means = [0, 1].map((k) => mean(Array.from({ length: 8 }, (_, i) => slope(i, `BASE/random-${k}`))));
    expect(row.randomVectors).toBe(2);
    expect(row.randomMean).toBeCloseTo(mean(means), 12);
    expect(row.randomHigh).toBeGreaterThan(row.randomMean);
    expect(row.antiBeyondRandom).toBe(0.25);
    // scipy: t.ppf(0.975, 2) * std([1, 2, 6], ddof=1) * sqrt(1 + 1/3) = 13.1446...
    const band = predictionBand([1, 2, 6]);
    expect(band.high - band.mean).toBeCloseTo(4.302652729911275 * Math.sqrt(7) * Math.sqrt(4 / 3), 9);
    // scipy: t.ppf(0.975, 3) * sqrt((1 + 4 + 36) / 3) = 11.765...
    const centred = predictionBand([1, -2, 6], true);
    expect(centred.high).toBeCloseTo(3.1824463052837078 * Math.sqrt(41 / 3), 9);
    expect(centred.low).toBe(-centred.high);
    expect(predictionBand([1]).low).toBeNaN();
    expect(predictionBand([], true).low).toBeNaN();
    expect(predictionBand([]).mean).toBeNaN();
  });

  it("draws densities that integrate to one shape", () => {
    const rows = slopeDensities(study(syntheticUnit({ slope })));
    expect(Math.max(...rows.map((r) => r.density))).toBe(1);
    expect(rows).toHaveLength(61);
    expect(slopeDensities(study(syntheticUnit({ slope: () => 1 })))).toEqual([]);
  });
});

it("E2: mean and quantiles of every multiplier", () => {
  const its = study(syntheticUnit({ slope: (i) => i, level: () => 3 }));
  const rows = propensityCurves(its);
  expect(rows.map((r) => r.multiplier)).toEqual(GRID);
  expect(rows[6]!.mean).toBeCloseTo(3 + 3.5 * 1.5, 12);
  expect(rows[6]!.median).toBeCloseTo(3 + 3.5 * 1.5, 12);
});

describe("E3 and E4", () => {
  // slope = 1 + 2·[A] + 0.5·[yes] + 1·[A and yes], the four cases equally often
  const slope = (i: number): number => {
    const [a, yes] = [+(i % 2 === 0), +(Math.floor(i / 2) % 2 === 0)];
    return 1 + 2 * a + 0.5 * yes + a * yes;
  };
  const its = study(syntheticUnit({ slope, count: 16 }));

  it("groups by letter and Yes/No", () => {
    const rows = byLetterAndYesNo(its);
    expect(rows.map((r) => [r.letter, r.yesNo, r.n])).toEqual([
      ["A", "yes", 4],
      ["A", "no", 4],
      ["B", "yes", 4],
      ["B", "no", 4],
    ]);
    for (const [i, value] of [4.5, 3, 1.5, 1].entries()) expect(rows[i]!.mean).toBeCloseTo(value, 12);
  });

  it("shares the variance out, with interaction", () => {
    const [row] = varianceExplained(its);
    // between cases of a balanced 2 x 2 design: letter (2.5)²/4, yes (1)²/4, interaction (0.5)²/4... of 4.5, 3, 1.5, 1
    const parts = { letter: 2.5 ** 2 / 4, yesNo: 1 / 4, interaction: 0.5 ** 2 / 4 };
    const total = parts.letter + parts.yesNo + parts.interaction;
    expect(row!.letter).toBeCloseTo(parts.letter / total, 9);
    expect(row!.yesNo).toBeCloseTo(parts.yesNo / total, 9);
    expect(row!.originalYesNo).toBeCloseTo(parts.yesNo / total, 9);
    expect(row!.interaction).toBeCloseTo(parts.interaction / total, 9);
    expect(row!.unexplained).toBeCloseTo(parts.interaction / total, 9);
    expect(row!.rest).toBeCloseTo(0, 9);
    expect(varianceExplained(study(syntheticUnit({ slope: () => 1 })))[0]!.letter).toBeNaN();
  });

  it("counts xrisk's third level, and leaves completions out", () => {
    const items = Array.from({ length: 9 }, (_, i) => ({ yesNo: (["yes", "no", "other"] as const)[i % 3]! }));
    const rows = byLetterAndYesNo(study(syntheticUnit({ slope, items })));
    expect(rows.filter((r) => r.yesNo === "other").reduce((n, r) => n + r.n, 0)).toBe(3);
    expect(byLetterAndYesNo(study(syntheticUnit({ slope, format: "completion" })))).toEqual([]);
  });

  it("does so at every layer", () => {
    const byLayer = study(
      syntheticUnit({ layers: [1, 2], slope: (i, _, l) => (l === 1 ? slope(i) : wobble(i)), count: 16 }),
    );
    expect(varianceExplained(byLayer, "all").map((r) => r.layer)).toEqual([1, 2]);
  });
});

it("E9: curves over layers with bands", () => {
  const vectors = ["BASE", "BASE/random-0", "BASE/random-1"];
  const rows = layerCurves(
    study(
      syntheticUnit({
        layers: [2, 4, 6],
        vectors,
        slope: (_, v, l) => (v === "BASE" ? 10 - (l - 4) ** 2 : Number(v.at(-1)) - 0.5),
      }),
    ),
  );
  expect(rows.map((r) => [r.layer, Math.round(r.mean), r.anti])).toEqual([
    [2, 6, 0],
    [4, 10, 0],
    [6, 6, 0],
  ]);
  expect(rows[0]!.randomLow).toBeLessThan(-0.5);
  expect(rows[0]!.randomHigh).toBeGreaterThan(0.5);
  expect(rows[0]!.norm).toBe(2);
});

it("E10: flat tails lower the slope of a wide range; E11: residuals as a root mean square", () => {
  const its = study(syntheticUnit({ slope: (i) => 5 + wobble(i), bend: (i) => -1 - 0.1 * wobble(i) }));
  const means = multiplierRanges(its);
  expect(means.map((r) => r.range)).toEqual([0.5, 1, 1.5]);
  expect(means[0]!.mean).toBeGreaterThan(means[1]!.mean);
  expect(means[1]!.mean).toBeGreaterThan(means[2]!.mean);
  const [row] = linearity(study(syntheticUnit({ slope: () => 1, bend: () => 1, count: 3 })));
  // numpy: y = g + g**3; s = (g*y).sum()/7; sqrt(((y - s*g)**2).mean()) = 0.6943650748294136
  expect(row!.rmse).toBeCloseTo(0.69436507482941, 12);
  expect(row!.r2Above09).toBe(1);
});

it("letters: debiased vectors, and both orders of options", () => {
  const letter = (i: number): number => (i % 2 === 0 ? 3 : -3);
  const items = Array.from({ length: 16 }, (_, i) => ({
    index: i % 8,
    swapped: i >= 8,
    letter: ((i % 2 === 0) !== i >= 8 ? "A" : "B") as "A" | "B",
  }));
  const slope = (i: number, v: string): number =>
    1 + 0.1 * wobble(i % 8) + (v === "BASE" ? letter(i) * (i >= 8 ? -1 : 1) : 0);
  const its = study(syntheticUnit({ vectors: ["BASE", "BASE/debiased"], items, slope }));
  const [debiased] = debiasedVectors(its);
  // in logits: the plain vector moves items at A by 3 more than 1, those at B by 3 less
  expect(debiased!.letterPlain).toBeCloseTo(3, 1);
  expect(debiased!.letterPlainLow).toBeGreaterThan(2.8);
  expect(Math.abs(debiased!.letterDebiased)).toBeLessThan(0.1);
  const [orders] = bothOrders(its);
  expect(orders!.letterEffect).toBeCloseTo(3, 9);
  expect(orders!.antiAsked).toBe(0.5);
  expect(orders!.antiBoth).toBe(0);
  expect(orders!.n).toBe(8);
  expect(bothOrders(study(syntheticUnit({ slope: () => 1 })))).toEqual([]);
});

it("seeds: as many items in each", () => {
  // later items are steered less: with all of them the first seed would look weaker
  const slope = (i: number): number => (i < 3 ? 2 : -5);
  const its = study(syntheticUnit({ slope, count: 12 }), syntheticUnit({ slope, count: 3, seed: 1 }));
  expect(seeds(its).map((r) => [r.n, r.mean])).toEqual([
    [3, 2],
    [3, 2],
  ]);
});

it("variants: E16, seeds, sizes, formats", () => {
  const unit = (o: object, s: number): UnitResult => syntheticUnit({ slope: (i) => s + 0.1 * wobble(i), ...o });
  const its = study(
    unit({}, 1),
    unit({ seed: 7 }, 2),
    unit({ operator: "ablateThenAdd" }, 4),
    unit({ format: "completion" }, 8),
  );
  expect(ablations(its)[0]!.difference).toBeCloseTo(3, 9);
  expect(seeds(its).map((r) => [r.seed, Math.round(r.mean)])).toEqual([
    [0, 1],
    [7, 2],
  ]);
  const [both] = formats(its);
  expect(both).toMatchObject({ choiceSetting: "BASE", completionSetting: "BASE", choiceLayer: 3, choiceNorm: 2, n: 8 });
  expect(Math.round(both!.completion - both!.choice)).toBe(7);
});

it("training items: vectors of the first of them, from the unit that has them at the study's layer", () => {
  const vectors = ["BASE", "BASE/train-10", "BASE/train-20"];
  const slope = (i: number, v: string): number => Number(/\d+/.exec(v)?.[0] ?? 40) / 10 + 0.1 * wobble(i);
  const detail = syntheticUnit({ vectors, slope, count: 4 });
  const its = study(syntheticUnit({ slope: () => 9 }), detail);
  expect(trainingSizes(its).map((r) => [r.train, Math.round(r.mean), r.n])).toEqual([
    [10, 1, 4],
    [20, 2, 4],
    [40, 4, 4],
  ]);
  expect(trainingSizes(study(syntheticUnit({ slope: () => 9 })))).toEqual([]);
});
