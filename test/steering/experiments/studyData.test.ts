/** How a run's units are looked at: which are at home, which layer and measure, which units lie beside one another. */
import { describe, expect, it } from "vitest";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import { ablations, seeds } from "../../../src/steering/experiments/variants.ts";
import type { UnitResult } from "../../../src/steering/study/result.ts";
import { syntheticUnit } from "../../support/syntheticUnits.ts";

const study = (...units: UnitResult[]): StudyData => new StudyData(units, { bootstrap: { resamples: 200 } });

describe("StudyData", () => {
  it("finds homes: lowest seed, BASE for choices, RAW for completions, adding", () => {
    const slope = (): number => 1;
    const its = study(
      syntheticUnit({ slope, seed: 1 }),
      syntheticUnit({ slope, setting: "SYS_POS" }),
      syntheticUnit({ slope, operator: "ablateThenAdd" }),
      syntheticUnit({ slope }),
      syntheticUnit({ slope, format: "completion" }),
      syntheticUnit({ slope, format: "completion", setting: "RAW", seed: 4 }),
    );
    expect(its.home.map((u) => [u.format, u.setting, u.seed, u.operator])).toEqual([
      ["choice", "BASE", 0, "add"],
      ["completion", "RAW", 4, "add"],
    ]);
  });

  it("chooses the layer by every other item", () => {
    // items with even places are strongest at layer 5, the others at layer 9
    const slope = (i: number, _: string, layer: number): number =>
      i % 2 === 0 ? -((layer - 5) ** 2) : layer === 9 ? 100 : 0;
    const its = study(syntheticUnit({ slope, layers: [3, 5, 9] }));
    expect(its.layer(its.home[0]!)).toBe(5);
    expect(() => new StudyData([syntheticUnit({ slope })], { layer: 4 })).toThrow("its layers: 3");
  });

  it("refuses an empty run and unknown options", () => {
    expect(() => new StudyData([])).toThrow("no finished unit");
    expect(() => new StudyData([syntheticUnit({ slope: () => 1 })], { layers: 1 } as object)).toThrow(
      'did you mean "layer"',
    );
  });

  it("takes the published measure first, else what there is", () => {
    const unit = syntheticUnit({ slope: () => 1, measure: "ab" });
    expect(study(unit).measure(unit)).toBe("ab");
  });

  it("says so where nothing was tested at home", () => {
    expect(() => study(syntheticUnit({ slope: () => 1, operator: "ablateThenAdd" }))).toThrow(
      "no unit tests BASE (or RAW) under its own vector by adding",
    );
  });

  it("leaves units without the study's layer, or with other training items, out beside a home", () => {
    const slope = (): number => 1;
    const home = syntheticUnit({ slope, layers: [2, 3] });
    const other = { slope, layers: [5] };
    const its = study(
      home,
      syntheticUnit({ ...other, operator: "ablateThenAdd" }),
      syntheticUnit({ ...other, seed: 1 }),
      { ...syntheticUnit({ slope, layers: [2], operator: "ablateThenAdd" }), trainItems: 7 },
    );
    expect(its.layer(home)).toBe(2);
    expect(ablations(its)).toEqual([]);
    expect(seeds(its)).toEqual([]);
    expect(ablations(study(home, syntheticUnit({ slope, layers: [2], operator: "ablateThenAdd" })))).toHaveLength(1);
  });
});
