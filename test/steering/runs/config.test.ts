/** Configurations of sweeps: defaults, precedence, every error in words with path and line; plans; the shipped schema. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { toJsonSchema } from "@valibot/to-json-schema";
import { describe, expect, it } from "vitest";
import {
  checkModelLayers,
  parseYaml,
  planUnits,
  resolveConfig,
  SweepSchema,
  segment,
} from "../../../src/steering/runs/index.ts";
import { parseLayers, parseMultipliers } from "../../../src/steering/runs/ranges.ts";
import { root } from "../../support/needs.ts";
import { fakeDataset, fakePlan } from "./fake.ts";

const least = { models: ["m"], datasets: ["d"] };
const fromYaml = (text: string, flags = {}) => resolveConfig(flags, parseYaml(text, "sweep.yaml"));

describe("a configuration", () => {
  it("has every default in place", () => {
    expect(resolveConfig(least)).toEqual({
      ...least,
      layers: "all",
      multipliers: [-1.5, -1, -0.5, 0, 0.5, 1, 1.5],
      seeds: [0],
      split: "paper",
      operator: "add",
      controls: { random: 0, shuffled: 0, debiased: false, sizes: [], swapped: false },
      published: false,
      normMatching: true,
      limits: {},
    });
    expect(resolveConfig({ ...least, published: true }).split).toBe("published");
  });

  it("is the same from YAML and from flags, and flags win", () => {
    const text =
      'models: [m]\ndatasets: [d, e]\nlayers: 3,5-7\nmultipliers: "-1:1:0.5"\nskip: 1\nsplit: {train: "0:3", test: "3:9"}\n';
    const config = fromYaml(text);
    expect(config).toEqual(
      resolveConfig({
        ...{ models: ["m"], datasets: ["d", "e"], layers: [3, 5, 6, 7], multipliers: [-1, -0.5, 0, 0.5, 1], skip: 1 },
        split: { train: "0:3", test: "3:9" },
      }),
    );
    expect(fromYaml(text, { layers: "2", datasets: undefined })).toEqual({ ...config, layers: [2] });
  });

  const cases: [string, string, RegExp][] = [
    ["an unknown key", "modles: [m]", /^sweep\.yaml:1: sweep: unknown key "modles" — did you mean "models"\?$/],
    [
      "an unknown key inside",
      "models: [m]\ndatasets: [d]\ncontrols:\n  randm: 2",
      /^sweep\.yaml:4: sweep\.controls: unknown key "randm" — did you mean "random"\?/,
    ],
    ["a missing key", "models: [m]", /sweep: "datasets" is missing/],
    [
      "a bad element",
      "models: [m]\ndatasets: [d]\nlayers:\n  - 1\n  - 2\n  - x",
      /^sweep\.yaml:6: sweep\.layers\[2\]: expected a whole number, got "x"$/,
    ],
    [
      "a scalar for a list",
      "models: m\ndatasets: [d]",
      /^sweep\.yaml:1: sweep\.models: expected a list of models, got "m"$/,
    ],
    [
      "an empty list",
      "models: []\ndatasets: [d]",
      /sweep\.models: expected a list of models, not an empty one, got \[\]/,
    ],
    [
      "a bad setting",
      "models: [m]\ndatasets: [d]\nsettings: [BASE, SYS]",
      /^sweep\.yaml:3: sweep\.settings\[1\]: expected one of RAW, BASE.*, got "SYS"$/,
    ],
    [
      "a bad range",
      "models: [m]\ndatasets: [d]\nlayers: 5-3",
      /sweep\.layers: expected "all" or layers such as "3,5-9", got "5-3"/,
    ],
    [
      "bad multipliers",
      "models: [m]\ndatasets: [d]\nmultipliers: 1:0:1",
      /sweep\.multipliers: expected numbers such as/,
    ],
    ["one multiplier", "models: [m]\ndatasets: [d]\nmultipliers: [1]", /a slope needs two multipliers or more, got 1/],
    [
      "a value twice",
      "models: [m]\ndatasets: [d]\nseeds: [1, 2, 1]",
      /^sweep\.yaml:3: sweep\.seeds\[2\]: 1 is there twice$/,
    ],
    [
      "a bad limit",
      "models: [m]\ndatasets: [d]\nlimits: {test: 0}",
      /sweep\.limits\.test: expected a whole number of 1 or more, got 0/,
    ],
    [
      "a bad split",
      "models: [m]\ndatasets: [d]\nsplit: {train: '0:3', tst: '3:9'}",
      /^sweep\.yaml:3: sweep\.split: unknown key "tst" — did you mean "test"\?/,
    ],
    ["a bad skip", "models: [m]\ndatasets: [d]\nskip: 2", /sweep\.skip: expected 0 or 1, got 2/],
    ["no YAML", "models: [m\ndatasets: d", /^sweep\.yaml:\d+: /],
    ["a key twice", "models: [m]\nmodels: [n]", /^sweep\.yaml:2: Map keys must be unique/],
    ["a list", "- models", /sweep\.yaml:1: sweep: expected a configuration with models and datasets/],
    ["nothing", "", /sweep: "(models|datasets)" is missing/],
  ];
  it.each(cases)("%s is refused in words", (_, text, message) => {
    expect(() => fromYaml(text)).toThrow(message);
  });

  it("names no line for what a flag said", () => {
    expect(() => fromYaml("models: [m]\ndatasets: [d]", { layers: "x" })).toThrow(/^sweep\.layers: expected/);
  });

  it("names the layer that a model lacks", () => {
    const config = resolveConfig({ ...least, layers: "1,2,34" });
    expect(() => checkModelLayers(config, "smollm2-135m", 30)).toThrow(
      "sweep.layers[2]: expected 0-29 (smollm2-135m has 30 layers), got 34",
    );
    expect(() => checkModelLayers(config, "big", 35)).not.toThrow();
  });
});

describe("short forms", () => {
  it("of layers", () => {
    expect(parseLayers("3, 5-7,5")).toEqual([3, 5, 6, 7]);
    expect(parseLayers(" all ")).toBe("all");
    for (const bad of ["", "a", "1-", "-1", "3-1", "1,,2", "0-99999", "1.5"])
      expect(parseLayers(bad), bad).toBeUndefined();
  });

  it("of multipliers", () => {
    expect(parseMultipliers("-2:2:0.5")).toEqual([-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]);
    expect(parseMultipliers("-0.3:0.3:0.1")).toEqual([-0.3, -0.2, -0.1, 0, 0.1, 0.2, 0.3]);
    expect(Object.is(parseMultipliers("-0,1")![0], 0)).toBe(true);
    for (const bad of ["", "a", "1:2", "0:1:0", "1:0:0.5", "0:9999:1", "0:1:-1", "1,,2", "Infinity,0"])
      expect(parseMultipliers(bad), bad).toBeUndefined();
  });
});

describe("a plan", () => {
  it("has every unit once, model by model", () => {
    const { units } = fakePlan({ models: ["a", "b"] });
    expect(units.map((u) => u.id).slice(0, 5)).toEqual([
      "a/one/BASE/seed-0",
      "a/one/BASE/seed-1",
      "a/one/RAW/seed-0",
      "a/one/RAW/seed-1",
      "a/two/BASE/seed-0",
    ]);
    expect(new Set(units.map((u) => u.id)).size).toBe(16);
  });

  it("takes the setting from the format unless told", () => {
    const config = resolveConfig({ models: ["m"], datasets: ["c", "d"] });
    const sets = new Map([
      ["c", fakeDataset("c", "choice")],
      ["d", fakeDataset("d", "completion")],
    ]);
    expect(planUnits(config, sets).map((u) => u.setting)).toEqual(["BASE", "RAW"]);
  });

  it("refuses what a dataset cannot do", () => {
    const plan =
      (flags: object, format: "choice" | "completion" = "choice") =>
      () =>
        planUnits(resolveConfig({ ...least, ...flags }), new Map([["d", fakeDataset("d", format)]]));
    expect(plan({ settings: ["BASE", "SYS_POS"] })).toThrow(
      /^sweep\.settings\[1\]: SYS_POS needs persona prompts, which d lacks/,
    );
    expect(plan({ controls: { swapped: true } }, "completion")).toThrow(
      /^sweep\.controls\.swapped: needs lettered answers/,
    );
    expect(plan({ split: { train: "0:99", test: "0:1" } })).toThrow(/outside the 23 items/);
    const twice = resolveConfig({ ...least, datasets: ["x/d.csv", "y/d.csv"] });
    expect(() => planUnits(twice, new Map(twice.datasets.map((n) => [n, fakeDataset("d")])))).toThrow(
      /both called "d"/,
    );
  });

  it("gives every name a part of a path of its own", () => {
    const names = ["org/name:Q4", "..", ".", "a b", "a%20b", 'A*?"<>|', "x".repeat(300), `${"x".repeat(299)}y`, "ü"];
    const segments = names.map(segment);
    expect(new Set(segments).size).toBe(names.length);
    for (const s of segments) expect(s).toMatch(/^(?!\.)[\w%.-]{1,100}$/);
  });
});

it("the shipped schema is that of the source (else: npm run build && node scripts/schema.mjs)", () => {
  const shipped = JSON.parse(readFileSync(join(root, "schemas", "sweep.schema.json"), "utf8"));
  expect(shipped).toEqual(JSON.parse(JSON.stringify(toJsonSchema(SweepSchema))));
});
