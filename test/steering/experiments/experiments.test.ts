/** Every experiment on units whose slopes are given, against numbers worked out from the construction. */
import { describe, expect, it } from "vitest";
import { predictionBand } from "../../../src/steering/experiments/bands.ts";
import { cosines, cosineTrends, setDirections, unitDirections } from "../../../src/steering/experiments/cosines.ts";
import { propensityCurves } from "../../../src/steering/experiments/curves.ts";
import { layerCurves } from "../../../src/steering/experiments/layers.ts";
import { bothOrders, debiasedVectors } from "../../../src/steering/experiments/letters.ts";
import { modelCorrelations, modelPoints } from "../../../src/steering/experiments/models.ts";
import { byLetterAndYesNo, varianceExplained } from "../../../src/steering/experiments/nuisance.ts";
import { linearity, multiplierRanges, perSample, slopeDensities } from "../../../src/steering/experiments/perSample.ts";
import { crossSettings, shiftCorrelations } from "../../../src/steering/experiments/shifts.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import { transferCorrelations, transfers } from "../../../src/steering/experiments/transfer.ts";
import { ablations, formats, seeds, trainingSizes } from "../../../src/steering/experiments/variants.ts";
import { mean, standardDeviation } from "../../../src/steering/statistics/descriptive.ts";
import type { TestSetting, UnitResult } from "../../../src/steering/study/result.ts";
import { SteeringVector, VectorSet } from "../../../src/steering/vector.ts";
import { GRID, syntheticUnit, wobble } from "../../support/syntheticUnits.ts";

const study = (...units: UnitResult[]): StudyData => new StudyData(units, { bootstrap: { resamples: 200 } });
const SETTINGS: readonly TestSetting[] = ["BASE", "SYS_POS", "SYS_NEG", "USER_POS", "USER_NEG"];

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

/** Six sets under all settings; the slope away is a function of the slope at home. */
function crossed(model: string, away: (home: number, train: string, test: string) => number): UnitResult[] {
  return Array.from({ length: 6 }, (_, d) =>
    SETTINGS.map((setting) =>
      syntheticUnit({
        model,
        dataset: `d${d}`,
        setting,
        vectors: [...SETTINGS, "mean"],
        slope: (i, train) => away(1 + d, train, setting) * (1 + 0.1 * wobble(i, d)),
        level: () => SETTINGS.indexOf(setting) * (d + 1),
      }),
    ),
  ).flat();
}

describe("E5, E6, E7, E12, E15", () => {
  const monotone = crossed("m", (home, train, test) => (train === test ? home : home * 0.5 - 1));

  it("fills the whole matrix", () => {
    const rows = crossSettings(study(...monotone));
    expect(rows).toHaveLength(6 * 6 * 5);
    expect(new Set(rows.map((r) => `${r.train} ${r.test}`)).size).toBe(30);
    expect(rows[0]!.variance).toBeGreaterThan(0);
  });

  it("correlates home and away", () => {
    const [row] = shiftCorrelations(study(...monotone));
    expect(row).toMatchObject({ train: "BASE", test: "USER_NEG", sets: 6 });
    expect(row!.rho).toBeCloseTo(1, 12);
    expect(row!.away).toBeLessThan(row!.home);
    expect(row!.negative).toBeGreaterThan(0);
    const reversed = crossed("m", (home, train, test) => (train === test ? home : 10 - home));
    expect(shiftCorrelations(study(...reversed))[0]!.rho).toBeCloseTo(-1, 12);
    expect(shiftCorrelations(study(syntheticUnit({ slope: () => 1 })))).toEqual([]);
  });

  it("has the controls of BASE's vector under every shift", () => {
    const controlled = crossed("m", () => 1).map((unit) =>
      syntheticUnit({
        ...unit,
        vectors: [...SETTINGS, "BASE/random-0", "BASE/shuffled-0"],
        slope: (_, v) => (v.includes("random") ? 0.05 : v.includes("shuffled") ? 0.5 : 1),
      }),
    );
    const its = study(...controlled);
    const away = crossSettings(its).find((r) => r.train === "SYS_POS" && r.test === "USER_NEG")!;
    // scipy: t.ppf(0.975, 1) = 12.706204736
    expect(away.randomHigh).toBeCloseTo(12.706204736 * 0.05, 6);
    expect(away.shuffledHigh).toBeCloseTo(12.706204736 * 0.5, 6);
    expect(shiftCorrelations(its)[0]).toMatchObject({ beyondRandom: 6, controlled: 6 });
    const longer = controlled.map((unit) => ({ ...unit, norms: unit.norms.map((x, v) => (v === 1 ? 3 * x : x)) }));
    const row = crossSettings(study(...longer)).find((r) => r.train === "SYS_POS")!;
    expect(row.randomHigh).toBeNaN();
    expect(shiftCorrelations(study(...monotone))[0]).toMatchObject({ controlled: 0 });
  });

  it("correlates models over the sets they share", () => {
    const both = study(...monotone, ...crossed("n", (home, train, test) => (train === test ? home ** 2 : -home)));
    expect(modelPoints(both)).toHaveLength(12);
    const rows = modelCorrelations(both);
    expect(rows.map((r) => [r.shift, r.of, Math.round(r.rho)])).toEqual([
      ["ID", "mean", 1],
      ["OOD", "mean", -1],
      ["ID", "variance", 1],
      ["OOD", "variance", expect.any(Number)],
    ]);
  });

  it("measures transfer with and without self pairs", () => {
    const its = study(...monotone);
    const rows = transfers(its);
    expect(rows).toHaveLength(6 * 25);
    for (const r of rows.filter((x) => x.self)) {
      expect(r.distance).toBe(0);
      expect(r.relative).toBeCloseTo(1, 12);
    }
    const other = rows.find((r) => r.dataset === "d2" && r.train === "BASE" && r.test === "SYS_NEG")!;
    expect(other.distance).toBeCloseTo(2 * 3, 12);
    expect(other.relative).toBeCloseTo(0.5 / 3, 12);
    const [withSelf, without] = transferCorrelations(its, rows);
    expect(withSelf!.pairs - without!.pairs).toBe(30);
    expect(withSelf!.rho).toBeLessThan(without!.rho);
  });
});

it("E8: cosines of fresh units and of vector files, and their trend", () => {
  const directions = SETTINGS.map((_, s) => [Float32Array.from([Math.cos(s / 3), Math.sin(s / 3), 0])]);
  const units = SETTINGS.map((setting, s) => ({
    ...syntheticUnit({ setting, vectors: SETTINGS, slope: () => 1, level: () => s }),
    directions,
  }));
  const its = study(...units);
  const rows = cosines(its, unitDirections(its));
  expect(rows).toHaveLength(25);
  expect(rows.find((r) => r.first === "BASE" && r.second === "SYS_NEG")!.cosine).toBeCloseTo(Math.cos(2 / 3), 6);
  const [trend] = cosineTrends(its, rows);
  expect(trend).toMatchObject({ pairs: 10, sets: 1 });
  expect(trend!.rho).toBeLessThan(-0.9);
  const meta = { model: "m", modelSha256: "", method: "meanDiff", read: "auto", pairs: 1, createdBy: "t" };
  const file = new VectorSet([new SteeringVector("blocks.3.hook_resid_post", Float32Array.from([1, 0, 0]), meta)]);
  const about = { model: "m", dataset: "d", format: "choice", seed: 0, trainItems: 40, vector: "BASE" } as const;
  expect(cosines(its, setDirections(about, file))).toMatchObject([
    { first: "BASE", second: "BASE", cosine: 1, layer: 3 },
  ]);
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
