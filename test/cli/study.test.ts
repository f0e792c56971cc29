/** What a study runs for which experiments, and what is said of names that are none. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import {
  experimentsAsked,
  experimentsNamed,
  firstParts,
  kindsFor,
  type LayerOf,
  laterParts,
  quickLayers,
  type StudyPlan,
} from "../../src/cli/studyParts.ts";
import { noteCommand, studyCommands } from "../../src/cli/studyRun.ts";
import { EXPERIMENTS } from "../../src/steering/report/report.ts";

const plan = (names: readonly string[], quick = true): StudyPlan => ({
  models: ["smollm2-135m"],
  sets: { choice: ["a", "b"], completion: ["c"], persona: ["b", "c"] },
  quick,
  kinds: kindsFor(experimentsNamed(names)),
  layers: [3, 9],
  published: false,
});

const at =
  (choice: number | undefined, completion: number | undefined): LayerOf =>
  (_, format) =>
    format === "choice" ? choice : completion;

describe("a study", () => {
  it("always runs at home, with controls that each format can have", () => {
    const [choice, completion] = firstParts(plan(["E1"]));
    expect(choice).toMatchObject({ name: "home-choice", config: { datasets: ["a", "b"], layers: [3, 9] } });
    for (const { config } of [choice!, completion!])
      expect(config.controls).toEqual({ random: 2, shuffled: 2, debiased: false, sizes: [], swapped: false });
    expect(choice!.config.limits).toEqual({ train: 40, test: 50 });
    expect(firstParts(plan(["E1"], false))[0]!.config.limits).toEqual({});
  });

  it("runs beside that only what its experiments need, at the chosen layer", () => {
    const chosen = at(9, 3);
    expect(laterParts(plan(["E1", "E9"]), chosen)).toEqual([]);
    const settings = laterParts(plan(["E5"]), chosen);
    expect(settings.map((p) => [p.name, p.config.datasets, p.config.layers])).toEqual([
      ["settings-choice", ["b"], [9]],
      ["settings-completion", ["c"], [3]],
    ]);
    expect(laterParts(plan(["e16", "seeds", "sizes"]), at(9, undefined)).map((p) => p.name)).toEqual([
      "detail-choice",
      "ablate-choice",
      "seeds-choice",
    ]);
  });

  it("asks for both orders and letter-debiased vectors of choices only", () => {
    const [choice, completion] = laterParts(plan(["letters"]), at(9, 3));
    expect(choice!.config.controls).toMatchObject({ debiased: true, swapped: true });
    expect(completion!.config.controls).toMatchObject({ debiased: false, swapped: false });
  });

  it("runs each of several models at the layer that it chose itself", () => {
    const o = { ...plan(["E16"]), models: ["one", "two"] };
    const later = laterParts(o, (model, format) => (format === "completion" ? undefined : model === "one" ? 3 : 9));
    expect(later.map((p) => [p.name, p.config.models, p.config.layers])).toEqual([
      ["ablate-choice-1", ["one"], [3]],
      ["ablate-choice-2", ["two"], [9]],
    ]);
  });

  it("passes the original's quirks on", () => {
    const o = { ...plan(["E16"]), published: true };
    for (const { config } of [...firstParts(o), ...laterParts(o, at(9, 3))])
      expect(config).toMatchObject({ published: true, split: "published" });
  });

  it("leaves out, beside the home runs of a quick study, choices that run as completions too", () => {
    const sets = { choice: ["c:choice", "d"], completion: ["c"], persona: ["c:choice", "c", "d"] };
    const names = (quick: boolean): (readonly string[])[] => {
      const o = { ...plan(["E5"], quick), sets };
      return [...firstParts(o), ...laterParts(o, at(9, 3))].map((p) => p.config.datasets);
    };
    expect(names(true)).toEqual([["c:choice", "d"], ["c"], ["d"], ["c"]]);
    expect(names(false)[2]).toEqual(["c:choice", "d"]);
  });

  it("takes the lowest seed for all runs, the others for the experiment seeds, and any split", () => {
    const split = { train: "0:30%", test: "50%:100%" };
    const o = { ...plan(["seeds"]), seeds: [3, 5, 8], split };
    const [home] = firstParts(o);
    const [beside] = laterParts(o, at(9, 3));
    expect([home!.config.seeds, beside!.config.seeds]).toEqual([[3], [5, 8]]);
    expect([home!.config.split, beside!.config.split]).toEqual([split, split]);
    expect(laterParts({ ...o, seeds: [3] }, at(9, 3))).toEqual([]);
    expect(firstParts(plan(["E1"]))[0]!.config).toMatchObject({ seeds: [0], split: "paper" });
    expect(() => firstParts({ ...o, split: "papr" })).toThrow(/sweep.split/);
  });

  it("remembers every command that added to it", async () => {
    const folder = await mkdtemp(join(tmpdir(), "trimtab-study-"));
    onTestFinished(() => rm(folder, { recursive: true }));
    expect(await studyCommands(folder)).toEqual([]);
    for (const command of ["choices", "completions", "choices"]) await noteCommand(folder, command, false);
    expect(await studyCommands(folder)).toEqual(["choices", "completions"]);
    await noteCommand(folder, "anew", true);
    expect(await studyCommands(folder)).toEqual(["anew"]);
    await writeFile(join(folder, "study.json"), "{");
    expect(await studyCommands(folder)).toEqual([]);
  });

  it("knows every experiment, and those that are drawn with another", () => {
    expect(experimentsNamed([...EXPERIMENTS])).toEqual([...EXPERIMENTS]);
    expect(experimentsNamed(["e12", "E13"])).toEqual(["E5", "E15"]);
    expect(() => experimentsNamed(["leters"])).toThrow('did you mean "letters"?');
  });

  it("wants names or --all, not neither and not both", () => {
    expect(experimentsAsked([], true)).toBeUndefined();
    expect(experimentsAsked(["E1"], false)).toEqual(["E1"]);
    expect(() => experimentsAsked([], false)).toThrow("one of the two");
    expect(() => experimentsAsked(["E1"], true)).toThrow("one of the two");
  });

  it("takes layers that lie evenly and leaves the last out", () => {
    expect(quickLayers(30)).toEqual([3, 6, 9, 12, 16, 19, 22, 25]);
    expect(quickLayers(3)).toEqual([0, 1]);
    expect(quickLayers(12)).toHaveLength(8);
    for (const count of [2, 3, 5, 9, 12, 80]) expect(Math.max(...quickLayers(count))).toBeLessThan(count - 1);
  });
});
