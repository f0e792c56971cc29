/** Vectors away from home and in two models, on units whose slopes are given: E5, E6, E7, E8, E12, E15. */
import { describe, expect, it } from "vitest";
import { cosines, cosineTrends, setDirections, unitDirections } from "../../../src/steering/experiments/cosines.ts";
import { modelCorrelations, modelPoints } from "../../../src/steering/experiments/models.ts";
import { crossSettings, shiftCorrelations } from "../../../src/steering/experiments/shifts.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import { transferCorrelations, transfers } from "../../../src/steering/experiments/transfer.ts";
import type { TestSetting, UnitResult } from "../../../src/steering/study/result.ts";
import { SteeringVector, VectorSet } from "../../../src/steering/vector.ts";
import { syntheticUnit, wobble } from "../../support/syntheticUnits.ts";

const study = (...units: UnitResult[]): StudyData => new StudyData(units, { bootstrap: { resamples: 200 } });
const SETTINGS: readonly TestSetting[] = ["BASE", "SYS_POS", "SYS_NEG", "USER_POS", "USER_NEG"];

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
