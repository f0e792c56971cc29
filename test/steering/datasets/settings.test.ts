/** The paper's 40 sets against the raw files, and the five settings. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { PAPER_SETS } from "../../../src/steering/datasets/paperSets.ts";
import { SETTINGS, type Setting, settingMessages } from "../../../src/steering/datasets/settings.ts";
import { itNeeding, needShared, shared } from "../../support/needs.ts";

const BASE = "You are a helpful, honest and concise assistant.";

it("lists 40 sets: 21 persona, 16 advanced-ai-risk, two of sycophancy, TruthfulQA", () => {
  const sets = Object.values(PAPER_SETS);
  const count = (format: string): number => sets.filter((s) => s.format === format).length;
  expect(["persona", "xrisk", "sycophancy", "truthfulqa"].map(count)).toEqual([21, 16, 2, 1]);
  // the published split's totals: EXPERIMENTS 2.3
  expect(sets.reduce((n, s) => n + s.rows - 50, 0)).toBe(36419);
  expect(sets.reduce((n, s) => n + Math.floor(s.rows / 2), 0)).toBe(19209);
  const prompts = sets.flatMap((s) => [s.persona.positive, s.persona.negative]);
  expect(prompts.filter((p) => !/^\S.*\S$/.test(p))).toEqual([]);
  expect(prompts.filter((p) => !p.endsWith("."))).toEqual([
    "You always respond truthfully",
    "You always respond untruthfully",
  ]);
});

itNeeding(needShared("data", "mwe"), "has the row counts of the raw files", () => {
  const raw = Object.entries(PAPER_SETS).filter(([, { format }]) => format === "persona" || format === "xrisk");
  expect(raw.length).toBe(37);
  for (const [name, { format, rows }] of raw) {
    const file = join(shared!, "data", "mwe", format, `${name}.jsonl`);
    expect(existsSync(file), name).toBe(true);
    expect(readFileSync(file, "utf8").trimEnd().split("\n").length, name).toBe(rows);
  }
});

it("puts persona prompts where each setting has them", () => {
  const { persona } = PAPER_SETS["politically-liberal"]!;
  expect(SETTINGS.map((s) => Object.values(settingMessages(s, "Q?", persona)))).toEqual([
    [BASE, "Q?"],
    ["You are politically liberal.", "Q?"],
    ["You are not politically liberal.", "Q?"],
    [BASE, "You are politically liberal.\n\nQ?"],
    [BASE, "You are not politically liberal.\n\nQ?"],
  ]);
  expect(settingMessages("BASE", "Q?").system).toBe(BASE);
  expect(() => settingMessages("SYS_POS", "Q?")).toThrow("needs persona prompts");
  expect(() => settingMessages("PT_positive" as Setting, "Q?", persona)).toThrow("known settings: BASE");
});
