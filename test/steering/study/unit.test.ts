/** Units of the study on the default model: texts of the settings, training with controls, and what a unit's result holds. */
import { expect, it } from "vitest";
import {
  type DatasetItem,
  estimateUnit,
  loadModel,
  runUnit,
  type StudyOptions,
  steerability,
  type UnitSpec,
  unitRunner,
} from "../../../src/steering/index.ts";
import { defaultSkip, itemGeometry, itemTexts, steeringStart } from "../../../src/steering/study/geometry.ts";
import { norm, trainVectors } from "../../../src/steering/study/train.ts";
import { cosine } from "../../support/goldens.ts";
import { defaultModelPath, describeNeeding, needModel } from "../../support/needs.ts";

const STATEMENTS = ["I like people", "I trust friends", "I enjoy arguing", "I shout at dogs", "I help a lot", "I lie"];
const CHOICES = STATEMENTS.map((statement, i): DatasetItem => {
  const [yes, no] = i % 2 === 0 ? ["(A)", "(B)"] : ["(B)", "(A)"];
  const [a, b] = i % 2 === 0 ? ["Yes", "No"] : ["No", "Yes"];
  const prompt = `Would you say "${statement}"?\n\nChoices:\n(A): ${a}\n(B): ${b}`;
  return { prompt, positive: yes, negative: no, question: statement, where: `test:${i + 1}` };
});
const COMPLETIONS = [
  ["The soup tasted", " delicious", " disgusting"],
  ["The hotel room looked", " beautiful", " filthy"],
  ["My new job is", " amazing", " awful"],
  ["The concert was", " brilliant", " dreadful"],
].map(([prompt, positive, negative], i): DatasetItem => {
  return { prompt: prompt!, positive: positive!, negative: negative!, question: prompt!, where: `test:${i + 1}` };
});
const persona = { positive: "You are kind.", negative: "You are unkind." };
const split = { train: "0:4", test: "4:6" };

describeNeeding(needModel, "units of the study", async () => {
  const model = needModel.ok ? await loadModel(defaultModelPath()!) : undefined!;
  const spec = (options: StudyOptions, more: Partial<UnitSpec> = {}): UnitSpec => ({
    dataset: { name: "kindness", format: "choice", items: CHOICES, persona, sha256: "-", licence: "CC0-1.0" },
    setting: "BASE",
    seed: 0,
    options: { split, layers: [9, 20], ...options },
    ...more,
  });

  it("writes the texts of every setting", () => {
    const [item] = CHOICES as [DatasetItem];
    const text = (setting: Parameters<typeof itemTexts>[2]["setting"], published = false) =>
      itemTexts(model, item, { format: "choice", setting, persona, published });
    const chat = (system: string, user: string): string =>
      `<|im_start|>system\n${system}<|im_end|>\n<|im_start|>user\n${user}<|im_end|>\n<|im_start|>assistant\n`;
    const base = "You are a helpful, honest and concise assistant.";
    expect(text("BASE")).toEqual({
      base: chat(base, item.prompt),
      positive: `${chat(base, item.prompt)} (A)`,
      negative: `${chat(base, item.prompt)} (B)`,
      templated: true,
    });
    expect(text("SYS_POS").base).toBe(chat("You are kind.", item.prompt));
    expect(text("USER_NEG").base).toBe(chat(base, `You are unkind.\n\n${item.prompt}`));
    expect(text("BASE", true).positive).toBe(`${chat(base, item.prompt).trimEnd()} (A)`);
    const completion = itemTexts(model, COMPLETIONS[0]!, { format: "completion", setting: "BASE" });
    expect(completion.positive).toBe(
      `${chat(base, "Complete the sentence: The soup tasted")}The soup tasted delicious`,
    );
    expect(itemTexts(model, COMPLETIONS[0]!, { format: "completion", setting: "RAW" }).base).toBe("The soup tasted");
  });

  it("finds where answers differ and where steering starts", () => {
    const choice = itemGeometry(model, CHOICES[0]!, { format: "choice", setting: "BASE" });
    expect(model.tokenizer!.decode(choice.positive.slice(choice.prompt))).toBe(" (A)");
    expect(choice.differ).toBe(choice.prompt + 1);
    expect(choice.positive.length).toBe(choice.prompt + 3);
    expect([steeringStart(choice, 0, ""), steeringStart(choice, 1, "")]).toEqual([choice.prompt - 1, choice.prompt]);
    const word = itemGeometry(model, COMPLETIONS[0]!, { format: "completion", setting: "RAW" });
    expect(word.differ).toBe(word.prompt);
    expect([defaultSkip([choice]), defaultSkip([word]), defaultSkip([choice, word])]).toEqual([1, 0, 0]);
    expect(() => steeringStart(word, 1, "row 3")).toThrow(/row 3: skip 1 starts steering at .*use skip 0/);
    const same = { ...COMPLETIONS[0]!, negative: " delicious and" };
    expect(() => itemGeometry(model, same, { format: "completion", setting: "RAW" })).toThrow(/test:1: the answers/);
  });

  it("trains the mean difference and its controls in one pass", { timeout: 60_000 }, async () => {
    const controls = { random: 2, shuffled: 1, debiased: true, sizes: [2, 2, 5] };
    const o = { format: "choice", setting: "BASE", layers: [9, 20], controls, seed: 3 } as const;
    const items = CHOICES.slice(0, 5); // three with (A), two with (B)
    const trained = await trainVectors(model, items, o);
    const names = ["", "shuffled-0", "debiased", "train-2", "random-0", "random-1"];
    expect(trained.map((v) => v.control)).toEqual(names);
    const extract = async (some: DatasetItem[]): Promise<Float32Array> =>
      (await model.extract(some, { layers: [9] })).at(9).vector;
    const [plain, , debiased, ofTwo, random0, random1] = trained.map((v) => v.directions[0]!);
    expect(cosine(plain!, await extract(items))).toBeGreaterThan(0.999999);
    const two = await extract(items.slice(0, 2));
    expect(cosine(ofTwo!, two)).toBeGreaterThan(0.999999);
    expect(norm(ofTwo!) / norm(two)).toBeCloseTo(1, 5);
    const [a, b] = [await extract(items.filter((_, i) => i % 2 === 0)), await extract(items.filter((_, i) => i % 2))];
    const balanced = a.map((x, d) => (x + b[d]!) / 2);
    expect(cosine(debiased!, balanced)).toBeGreaterThan(0.9999);
    expect(norm(debiased!) / norm(balanced)).toBeCloseTo(1, 3);
    expect(norm(random0!) / norm(plain!)).toBeCloseTo(1, 5);
    expect(Math.abs(cosine(random0!, random1!))).toBeLessThan(0.2);
    expect(Math.abs(cosine(random0!, plain!))).toBeLessThan(0.2);
    const again = await trainVectors(model, items, o);
    expect(again[4]!.directions[1]).toEqual(trained[4]!.directions[1]);
    await expect(trainVectors(model, [items[0]!], o)).rejects.toThrow(/debiased vectors: 1 training items .* 0 have/);
  });

  it("trains a vector once, and has it without its controls too", { timeout: 60_000 }, async () => {
    const run = unitRunner(model);
    const phases = async (options: object): Promise<Set<string>> => {
      const seen = new Set<string>();
      const asked = spec(options);
      await run(asked, { onProgress: (p) => seen.add(p.phase) });
      return seen;
    };
    expect([...(await phases({ controls: { random: 1, sizes: [1] } }))].sort()).toEqual(["evaluate", "extract"]);
    expect([...(await phases({ operator: "ablateThenAdd", controls: { swapped: true } }))]).toEqual(["evaluate"]);
    expect([...(await phases({ controls: { shuffled: 1 } }))].sort()).toEqual(["evaluate", "extract"]);
  });

  it("names vectors, matches norms, exchanges options, and costs what it said", { timeout: 120_000 }, async () => {
    const all = spec({
      trainSettings: ["BASE", "SYS_POS", "SYS_NEG", "USER_POS", "USER_NEG"],
      controls: { random: 1, swapped: true },
      measures: ["ab", "logit-sum", "logprob"],
    });
    let last = { done: 0, total: -1 };
    const unit = await runUnit(model, all, {
      onProgress: (p) => {
        if (p.phase === "evaluate") last = p;
      },
    });
    const settings = ["BASE", "SYS_POS", "SYS_NEG", "USER_POS", "USER_NEG"];
    expect(unit.vectors).toEqual([...settings.flatMap((s) => [s, `${s}/random-0`]), "mean"]);
    const some = await runUnit(model, {
      ...all,
      options: { ...all.options, controls: { random: 1, shuffled: 1, under: ["BASE"] } },
    });
    expect(some.vectors).toEqual(["BASE", "BASE/shuffled-0", "BASE/random-0", ...settings.slice(1), "mean"]);
    expect(some.norms[2]! / some.norms[0]!).not.toBeCloseTo(1, 2); // a control keeps its length beside its vector
    for (let v = 0; v < unit.vectors.length; v++) {
      expect(unit.norms[v * 2]! / unit.norms[0]!).toBeCloseTo(1, 4);
      expect(unit.norms[v * 2 + 1]! / unit.norms[1]!).toBeCloseTo(1, 4);
    }
    expect(unit.items.map((i) => i.swapped)).toEqual([false, false, true, true]);
    expect(unit.items[0]!.index).toBe(unit.items[2]!.index);
    expect(unit.items[0]!.letter).not.toBe(unit.items[2]!.letter);
    expect(unit.items[0]!.yesNo).toBe(unit.items[2]!.yesNo);
    expect(unit.items.every((i) => i.mass > 0 && i.mass < 1)).toBe(true);
    expect(unit.skip).toBe(1);
    const size = unit.vectors.length * 2 * 4 * 7;
    for (const values of Object.values(unit.propensities)) {
      expect(values.length).toBe(size);
      expect(values.every((x) => Number.isFinite(x))).toBe(true);
    }
    const estimate = estimateUnit(model, all);
    expect(estimate.evaluations).toBe(last.total);
    expect(last.done).toBe(last.total);
    expect(estimate.resultRows).toBe(size);
  });

  it("gives the same study for the same seed, and summaries of its slopes", { timeout: 60_000 }, async () => {
    const dataset = { ...spec({}).dataset, name: "mood", format: "completion", items: COMPLETIONS } as const;
    const o = { split: { train: "0:2", test: "2:4" }, layers: [14], controls: { random: 1 } } as const;
    const [a, b] = [await steerability(model, dataset, o), await steerability(model, dataset, o)];
    expect(a.unit.setting).toBe("RAW");
    expect(a.unit.propensities).toEqual(b.unit.propensities);
    const [plain, random] = a.summary;
    expect([plain!.vector, random!.vector]).toEqual(["RAW", "RAW/random-0"]);
    expect(plain!.meanSlope).toBeGreaterThan(random!.meanSlope);
    expect(plain!.interval.low).toBeLessThanOrEqual(plain!.meanSlope);
    const slope = (item: number): number =>
      a.unit.multipliers.reduce((sum, m, k) => sum + (m / 7) * a.unit.propensities.logprob![item * 7 + k]!, 0);
    expect(plain!.slopes[1]).toBeCloseTo(slope(1), 4);
  });

  it("refuses what it does not know, and stops when told", async () => {
    await expect(runUnit(model, spec({ layer: [3] } as never))).rejects.toThrow(/"layer".*"?layers/);
    await expect(runUnit(model, spec({ layers: [30] }))).rejects.toThrow(/study: layer 30/);
    await expect(runUnit(model, spec({ trainSettings: [] }))).rejects.toThrow(/no training settings/);
    const { persona: _, ...bare } = spec({}).dataset;
    await expect(runUnit(model, spec({}, { dataset: bare, setting: "SYS_POS" }))).rejects.toThrow(/persona prompts/);
    const stop = new AbortController();
    const running = runUnit(model, spec({}), {
      signal: stop.signal,
      onProgress: () => stop.abort(new Error("enough")),
    });
    await expect(running).rejects.toThrow("enough");
  });
});
