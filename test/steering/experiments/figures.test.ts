/** What sections draw and claim of units in which something is missing, few, or many. */
import { describe, expect, it } from "vitest";
import { crossSettings } from "../../../src/steering/experiments/shifts.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import { scatterChart } from "../../../src/steering/report/planeCharts.ts";
import { reportContent } from "../../../src/steering/report/report.ts";
import { linearitySection, perSampleSection, rangesSection } from "../../../src/steering/report/sectionsItems.ts";
import { formatsSection, lettersSection, nuisanceSection } from "../../../src/steering/report/sectionsLetters.ts";
import { cosinesSection, matrixSection, shiftsSection } from "../../../src/steering/report/sectionsSettings.ts";
import { correlationInterval, rhoText, wholeSets } from "../../../src/steering/report/sectionsText.ts";
import { seedsSection } from "../../../src/steering/report/sectionsVariants.ts";
import type { Spec } from "../../../src/steering/report/theme.ts";
import type { TestSetting, UnitResult } from "../../../src/steering/study/result.ts";
import { syntheticStudy } from "../../support/syntheticStudy.ts";
import { syntheticUnit, wobble } from "../../support/syntheticUnits.ts";

const SETTINGS: readonly TestSetting[] = ["BASE", "SYS_POS", "SYS_NEG", "USER_POS", "USER_NEG"];
const study = (...units: UnitResult[]): StudyData => new StudyData(units, { bootstrap: { resamples: 100 } });
const slope = (i: number): number => 1 + wobble(i);

describe("a scatter chart", () => {
  const at = (x: number, y: number, o = {}) => ({ panel: "p", kind: "set", label: "", x, y, ...o });
  const draw = (points: ReturnType<typeof at>[], kinds = ["set", "other"]) =>
    scatterChart({ points, kinds, x: "x", y: "y", regression: "set" });
  const lines = (spec: Spec) =>
    (spec.data as { values: { kind: string; panel: string; x: number; y: number }[] }).values.filter(
      (v) => v.kind === "least squares",
    );

  it("draws least squares through the points of one kind, in panels that have three", () => {
    const [from, to, ...rest] = lines(
      draw([
        at(0, 0),
        at(1, 1),
        at(2, 1),
        at(9, 9, { kind: "other" }),
        at(0, 1, { panel: "q" }),
        at(1, 2, { panel: "q" }),
      ]),
    );
    expect(rest).toEqual([]); // numpy.polyfit([0, 1, 2], [0, 1, 1], 1): 0.5, 1/6
    expect(from).toMatchObject({ panel: "p", x: 0, y: expect.closeTo(1 / 6, 12) });
    expect(to).toMatchObject({ panel: "p", x: 2, y: expect.closeTo(7 / 6, 12) });
    expect(lines(draw([at(1, 0), at(1, 1), at(1, 2)]))).toEqual([]);
  });

  it("refuses more kinds than there are colours", () => {
    expect(() => draw([at(0, 0)], ["1", "2", "3", "4", "5", "6", "7"])).toThrow("7 kinds, there are 6 colours");
  });
});

describe("E1", () => {
  it("counts as the gate does, and says which mean a surplus of letters made", () => {
    const vectors = ["BASE", "BASE/random-0", "BASE/random-1"];
    const items = Array.from({ length: 50 }, (_, i) => ({ letter: i < 31 ? ("A" as const) : ("B" as const) }));
    const lettered = (i: number, v: string): number =>
      v === "BASE" ? (i < 31 ? 0.15 : -0.1) + 0.01 * wobble(i) : 0.001 * wobble(i, Number(v.at(-1)));
    const { figures, tables } = perSampleSection(
      study(
        syntheticUnit({ dataset: "odd", vectors, items, slope: lettered }),
        syntheticUnit({ dataset: "bare", items, slope: lettered }),
      ),
    );
    expect(figures[0]!.says).toContain("in 1 of 1 set ");
    expect(figures[0]!.says).toContain("the mean over sets is 0.02 instead of 0.05");
    expect(figures[0]!.interval).toContain("100 resamples");
    expect(tables[0]!.columns.map((c) => c.title)).toContain("letters weighted equally");
    expect(tables[0]!.columns.find((c) => c.title === "A / B")!.of(tables[0]!.rows[0] as never)).toBe("31 / 19");
  });

  it("draws no shares where two multipliers tell no noise", () => {
    const { figures } = perSampleSection(study(syntheticUnit({ slope, multipliers: [-1, 1] })));
    expect(figures.map((f) => f.id)).toEqual(["E1-slopes"]);
  });
});

it("E3 draws all six kinds, and nothing of a model without letters", () => {
  const items = Array.from({ length: 24 }, (_, i) => ({
    letter: i % 2 ? ("B" as const) : ("A" as const),
    yesNo: (["yes", "no", "other"] as const)[i % 3]!,
  }));
  const none = Array.from({ length: 6 }, () => ({ letter: null, yesNo: null }));
  const { figures } = nuisanceSection(
    study(
      syntheticUnit({ items, slope: (i) => 0.1 * wobble(i) + (i % 2 ? 0 : 2) }),
      syntheticUnit({ model: "n", items: none, slope }),
    ),
  )!;
  expect(figures).toHaveLength(1);
  const kinds = new Set((figures[0]!.spec.data as { values: { kind: string }[] }).values.map((v) => v.kind));
  expect([...kinds].sort()[0]).toBe("A, no: 4");
  expect(kinds.size).toBe(6);
  expect(figures[0]!.says).toMatch(
    /by 1\.[89]\d logits in the mean over sets.*widest, A less B, in d 1\.[89]\d \[1\.\d+, \d\.\d+\]/,
  );
});

it("E5 says how far few sets' correlations reach, and names controls under the shift only where there are some", () => {
  const units = (sets: number, controls: readonly string[]): StudyData =>
    study(
      ...Array.from({ length: sets }, (_, d) =>
        SETTINGS.map((setting) =>
          syntheticUnit({
            ...{ dataset: `d${d}`, setting, vectors: [...SETTINGS, ...controls] },
            slope: (i, v) =>
              (v.includes("/") ? 0.01 : 1 + [0, 2, 1, 3, 5, 4, 6][d]! * (setting === "BASE" ? 1 : d)) * slope(i),
          }),
        ),
      ).flat(),
    );
  const bare = units(6, []);
  const { figures, tables } = shiftsSection(bare, crossSettings(bare))!;
  expect(figures[0]!.says).toMatch(/\(intervals within −?\d\.\d+ to \d\.\d+\)/);
  expect(figures[0]!.interval).toContain("Bonett and Wright");
  expect(tables.map((t) => t.id)).toEqual(["E5-shifts"]);
  const controlled = units(3, ["BASE/random-0", "BASE/random-1"]);
  const found = shiftsSection(controlled, crossSettings(controlled))!;
  expect(found.figures[0]!.says).toContain("In 3 of 3 sets the mean away lies beyond what random vectors do");
  expect(found.figures[0]!.interval).toContain("too few sets for an interval");
  expect(found.tables.map((t) => t.id)).toEqual(["E5-shifts", "E5-away"]);
});

it("E8 and E15 take sets that were run alike, and leave the mean of the five out of 'others'", () => {
  const directions = [...SETTINGS, "mean"].map((_, s) => [Float32Array.from([1, s])]);
  const whole = SETTINGS.map((setting) => ({
    ...syntheticUnit({
      setting,
      vectors: [...SETTINGS, "mean"],
      slope: (_, v) => (v === setting ? 3 : v === "mean" ? 100 : 1),
    }),
    directions,
  }));
  const part = { ...syntheticUnit({ dataset: "e", slope: () => 1 }), directions: [[Float32Array.from([0, 1])]] };
  const its = study(...whole, part);
  expect(cosinesSection(its)!.figures[0]!.n).toBe("mean over 1 set");
  expect(matrixSection(its, crossSettings(its)).figures[0]!.says).toContain("steer 3.00 logits");
  expect(matrixSection(its, crossSettings(its)).figures[0]!.says).toContain("and 1.00 under others");
  expect(wholeSets([{ dataset: "a" }, { dataset: "a" }, { dataset: "b" }])).toHaveLength(2);
});

it("E10 has a range of two multipliers where 0 is not among them; E11 counts the points that it draws", () => {
  const ranges = rangesSection(study(syntheticUnit({ slope, multipliers: [-1.5, -0.5, 0.5, 1.5] })));
  expect(ranges.tables[0]!.rows.map((r) => (r as { range: number }).range)).toEqual([0.5, 1.5]);
  const many = linearitySection(study(syntheticUnit({ slope, count: 450 }))).figures[0]!;
  expect(many.n).toBe("450 items of 1 set, 225 of them drawn");
  expect((many.spec.data as { values: unknown[] }).values).toHaveLength(225);
});

it("letters and formats compare before they claim", () => {
  const items = Array.from({ length: 16 }, (_, i) => ({
    index: i % 8,
    swapped: i >= 8,
    letter: ((i % 2 === 0) !== i >= 8 ? "A" : "B") as "A" | "B",
  }));
  const both = lettersSection(study(syntheticUnit({ vectors: ["BASE", "BASE/debiased"], items, slope })))!;
  expect(both.figures.map((f) => f.says).join()).toContain("No random vectors were asked in both orders");
  const formats = formatsSection(
    study(syntheticUnit({ slope, dataset: "w:choice" }), syntheticUnit({ slope, dataset: "w", format: "completion" })),
  )!;
  expect(formats.figures[0]!.n).toContain("choice in the setting BASE, layer 3, vectors of length 2.00");
});

it("seeds beyond six are in the table only", () => {
  const units = Array.from({ length: 8 }, (_, seed) => syntheticUnit({ slope, seed }));
  const { figures, tables } = seedsSection(study(...units))!;
  expect(figures[0]!.n).toContain("8 seeds, the first 6 of them drawn");
  expect((figures[0]!.spec.data as { values: unknown[] }).values).toHaveLength(6);
  expect(tables[0]!.rows).toHaveLength(8);
});

it("writes correlations with an interval or with the reason for none", () => {
  expect(rhoText({ rho: 1, low: Number.NaN, high: Number.NaN })).toBe("1.00 (too few sets for an interval)");
  expect(rhoText({ rho: Number.NaN, low: Number.NaN, high: Number.NaN })).toBe("too few sets");
  expect(correlationInterval(study(syntheticUnit({ slope })), 12)).toContain("bootstrap over sets (100 resamples)");
});

it("a report of two models with other layers, and of later runs at one layer only, is not lost", () => {
  const other = syntheticStudy(["tiny-b"]).map((u) => ({ ...u, layers: u.layers.map((l) => l + 1) }));
  const units = [...syntheticStudy(["tiny-a"]), ...other];
  const { layers } = units[0]!;
  // runs beside home had the layer that was chosen then, which need not be the one that is asked for now
  const late = units.filter((u) => u.operator === "add" || u.model === "tiny-b");
  const elsewhere = units
    .filter((u) => !late.includes(u))
    .map((u) => ({ ...syntheticUnit({ ...u, slope: () => 1, layers: [layers[0]!] }), model: u.model }));
  const its = new StudyData([...late, ...elsewhere], { bootstrap: { resamples: 20 } });
  const { sections } = reportContent({ study: its, title: "t", facts: [], command: (e) => e });
  expect(sections.map((s) => s.experiment)).toContain("E16");
  const ablated = sections.find((s) => s.experiment === "E16")!.tables[0]!.rows as { model: string }[];
  expect(new Set(ablated.map((r) => r.model))).toEqual(new Set(["tiny-b"]));
});
