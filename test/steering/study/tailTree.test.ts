/**
 * The tail tree against its definition: a hooked forward pass for every item, answer and cell, in the same engine; and its
 * cost, counted exactly.
 */
import { describe, expect, it } from "vitest";
import { type LanguageModel, logSumExp } from "../../../src/model/index.ts";
import { loadModel } from "../../../src/steering/index.ts";
import type { ItemGeometry } from "../../../src/steering/study/geometry.ts";
import { PassRows } from "../../../src/steering/study/tailRows.ts";
import { evaluateTails, type Grid, planEvaluation, type TailOptions } from "../../../src/steering/study/tailTree.ts";
import { BACKENDS } from "../../support/backends.ts";
import { defaultModelPath, describeNeeding, needModel } from "../../support/needs.ts";
import { loadTiny } from "../../support/tiny.ts";

const MULTIPLIERS = [-1, 0, 2];
const random = (seed: number) => () => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648 - 0.5;
};

/** Items whose prompts share beginnings; answers of one, two and three tokens behind a shared one. */
function makeItems(V: number, equalLengths: boolean): ItemGeometry[] {
  const token = (i: number): number => (i * 37 + 11) % V;
  const prompts = [
    [1, 2, 3, 4, 5],
    [1, 2, 3, 9, 8, 7, 6],
    [1, 2, 3, 4, 10],
    [40, 41, 42],
    [1, 2, 3, 9, 8, 12, 13, 14],
  ];
  const answers = equalLengths
    ? [[[20, 21], [22, 21]], [[20], [23]], [[20, 24, 25], [22, 26, 27]]] // biome-ignore format: pairs
    : [[[20, 21], [22]], [[20], [23, 24, 25]], [[20, 24, 25], [22, 26, 27]]]; // biome-ignore format: pairs
  return prompts.map((prompt, i) => {
    const [p, n] = answers[i % 3]! as [number[], number[]];
    const common = [...prompt, 30].map(token);
    return {
      positive: [...common, ...p.map(token)],
      negative: [...common, ...n.map(token)],
      prompt: prompt.length,
      differ: prompt.length + 1,
    };
  });
}

function makeGrid(model: LanguageModel, layers: readonly number[], scale: number): Grid {
  const next = random(7);
  const vector = (): Float32Array => Float32Array.from({ length: model.config.D }, () => scale * next());
  return { layers, multipliers: MULTIPLIERS, vectors: [0, 1].map(() => layers.map(vector)) };
}

/** One cell of one item by two hooked forward passes: the definition. */
async function naive(
  model: LanguageModel,
  g: ItemGeometry,
  start: number,
  cell: { layer: number; vector: Float32Array; multiplier: number; operator: TailOptions["operator"] },
): Promise<{ ab: number; rest: number; logprob: number }> {
  const { D, V } = model.config;
  const squares = cell.vector.reduce((sum, x) => sum + x * x, 0);
  const hook = (value: { shape: readonly number[]; data: Float32Array }): Float32Array => {
    const data = value.data.slice();
    for (let row = start; row < value.shape[0]!; row++) {
      const at = row * D;
      let dot = 0;
      for (let d = 0; d < D; d++) dot += data[at + d]! * cell.vector[d]!;
      const removed = cell.operator === "ablateThenAdd" ? dot / squares : 0;
      for (let d = 0; d < D; d++) data[at + d]! += (cell.multiplier - removed) * cell.vector[d]!;
    }
    return data;
  };
  const side = async (tokens: readonly number[]) => {
    const { logits } = await model.run(tokens, {
      hooks: { [`blocks.${cell.layer}.hook_resid_post`]: hook },
      cache: false,
    });
    const row = (p: number): Float32Array => logits!.data.subarray(p * V, (p + 1) * V);
    let [rest, logprob] = [0, 0];
    for (let p = g.differ - 1; p < tokens.length - 1; p++) {
      const z = row(p)[tokens[p + 1]!]!;
      if (p >= g.differ) rest += z;
      logprob += z - logSumExp(row(p));
    }
    return { first: row(g.differ - 1)[tokens[g.differ]!]!, rest, logprob };
  };
  const [p, n] = [await side(g.positive), await side(g.negative)];
  return { ab: p.first - n.first, rest: p.rest - n.rest, logprob: p.logprob - n.logprob };
}

/** Largest difference to the definition over all cells. */
async function worstError(model: LanguageModel, items: ItemGeometry[], grid: Grid, o: TailOptions): Promise<number> {
  const got = await evaluateTails(model, items, grid, o);
  let worst = 0;
  let at = 0;
  for (const byLayer of grid.vectors) {
    for (const [l, vector] of byLayer.entries()) {
      for (const [i, g] of items.entries()) {
        for (const multiplier of grid.multipliers) {
          const cell = { layer: grid.layers[l]!, vector, multiplier, operator: o.operator };
          const untouched = o.published && multiplier === 0 ? { ...cell, operator: "add" as const } : cell;
          const want = await naive(model, g, o.start(g, i), untouched);
          const differences = [got.ab[at]! - want.ab];
          if (o.measures.includes("logit-sum")) differences.push(got.rest![at]! - want.rest);
          if (o.measures.includes("logprob")) differences.push(got.logprob![at]! - want.logprob);
          for (const d of differences) worst = Math.max(worst, Number.isNaN(d) ? Infinity : Math.abs(d));
          at++;
        }
      }
    }
  }
  return worst;
}

const options = (o: Partial<TailOptions> & { skip: 0 | 1 }): TailOptions => ({
  measures: ["ab", "logit-sum", "logprob"],
  operator: "add",
  start: (g) => g.prompt - 1 + o.skip,
  ...o,
});

describe.each(BACKENDS)("tail tree against the hooked forward: $name", ({ create }) => {
  it.each(["gpt2", "qwen3"])("%s, every layer, both operators, both skips, all measures", async (name) => {
    const model = await loadTiny(name, create());
    const grid = makeGrid(
      model,
      Array.from({ length: model.config.L }, (_, l) => l),
      3,
    );
    const items = makeItems(model.config.V, true);
    for (const operator of ["add", "ablateThenAdd"] as const)
      for (const skip of [0, 1] as const)
        expect(await worstError(model, items, grid, options({ operator, skip }))).toBeLessThan(1e-4);
    expect(
      await worstError(model, items, grid, options({ operator: "ablateThenAdd", skip: 1, published: true })),
    ).toBeLessThan(1e-4);
    const unequal = makeItems(model.config.V, false);
    expect(await worstError(model, unequal, grid, options({ skip: 1, measures: ["logprob"] }))).toBeLessThan(1e-4);
    expect(await worstError(model, unequal, grid, options({ skip: 0, measures: ["ab"] }))).toBeLessThan(1e-4);
  });

  it("gives the same numbers whatever the budget of rows", async () => {
    const model = await loadTiny("llama", create());
    const grid = makeGrid(model, [0, 1], 3);
    const items = makeItems(model.config.V, true);
    const whole = await evaluateTails(model, items, grid, options({ skip: 1, rowBudget: 100_000 }));
    for (const rowBudget of [1, 7, 30, 64]) {
      const parts = await evaluateTails(model, items, grid, options({ skip: 1, rowBudget }));
      expect(parts.evaluations).toBe(whole.evaluations);
      for (const key of ["ab", "rest", "logprob", "mass"] as const)
        parts[key]!.forEach((x, i) => expect(Math.abs(x - whole[key]![i]!), `${key}[${i}]`).toBeLessThan(1e-5));
    }
  });
});

describe("cost of the tail tree", () => {
  const L = 30;
  const layers = Array.from({ length: L }, (_, l) => l);
  const vectors = [layers.map(() => new Float32Array(1))];
  const prompt = (own: number[]): number[] => [...Array.from({ length: 40 }, (_, i) => i), ...own];
  const items = [
    [50, 51, 52],
    [50, 51, 53, 54],
    [60, 61],
  ].map((own): ItemGeometry => {
    const common = [...prompt(own), 7];
    return {
      positive: [...common, 8, 9],
      negative: [...common, 10, 9],
      prompt: common.length - 1,
      differ: common.length,
    };
  });

  it.each([
    ["ab", 1, 1],
    ["ab", 0, 2],
    ["logit-sum", 1, 3],
    ["logprob", 0, 4],
  ] as const)("%s, skip %d: R = %d", (measure, skip, R) => {
    const grid = { layers, multipliers: [-1, 0, 1], vectors };
    const plan = planEvaluation(items, grid, L, options({ skip, measures: [measure] }));
    // 40 shared tokens, then 50 51, each with 52 | 53 54, and 60 61; with skip 0 the last of each prompt joins the tails
    const trie = 40 + 2 + 1 + 2 + 2 - (skip === 0 ? 3 : 0);
    const above = layers.reduce((sum, l) => sum + L - 1 - l, 0);
    expect(plan.evaluations).toBe(trie * L + 3 * R * L + 3 * R * 2 * above);
    const sums = plan.chunks.map((chunk) => new PassRows(chunk, plan.cells, [measure]).readout.sums.length);
    expect(plan.vocabularyRows).toBe(sums.reduce((a, b) => a + b));
    // the row that decides needs no sum of its own: it is in both answers, and cancels
    expect(plan.vocabularyRows).toBe(measure === "logprob" ? 3 + 3 * 2 * (1 + 2 * layers.length) : 3);
  });

  it("is what a pass really runs", async () => {
    const model = await loadTiny("llama", BACKENDS[1]!.create());
    const grid = makeGrid(model, [0, 1], 1);
    const small = makeItems(model.config.V, true);
    const o = options({ skip: 1, rowBudget: 40 });
    const plan = planEvaluation(small, grid, model.config.L, o);
    expect((await evaluateTails(model, small, grid, o)).evaluations).toBe(plan.evaluations);
  });

  it("ends where nothing is steered", () => {
    const plan = planEvaluation(items, { layers, multipliers: [0], vectors }, L, options({ skip: 1 }));
    expect(plan.chunks).toHaveLength(1);
    expect(plan.evaluations).toBe(47 * L + 3 * 3 * L);
  });

  it("holds the temporaries of one layer, not of all", async () => {
    const backend = BACKENDS[1]!.create();
    const model = await loadTiny("llama", backend);
    const grid = makeGrid(
      model,
      Array.from({ length: model.config.L }, (_, l) => l),
      1,
    );
    const before = backend.counters.liveBytes;
    const { mostRows } = planEvaluation(makeItems(model.config.V, true), grid, model.config.L, options({ skip: 1 }));
    await evaluateTails(model, makeItems(model.config.V, true), grid, options({ skip: 1 }));
    const { D, H, Hkv, Dh, F, V } = model.config;
    // residual stream; norm, q|k|v, z; gate|up, hidden; keys and values twice; and the logits of up to 128 rows
    const rowFloats = D + D + (H + 2 * Hkv) * Dh + H * Dh + 3 * F + 4 * Hkv * Dh;
    expect(backend.counters.peakBytes - before).toBeLessThan(2 * 4 * (mostRows * rowFloats + 128 * V));
    expect(backend.counters.liveBytes).toBe(before);
  });

  it("refuses a sum of logits over unequal answers", () => {
    const uneven = [{ ...items[0]!, positive: [...items[0]!.positive, 3] }];
    expect(() => planEvaluation(uneven, { layers, multipliers: [1], vectors }, L, options({ skip: 1 }))).toThrow(
      /item 1: its answers end after 4 and 3 tokens/,
    );
  });
});

describeNeeding(needModel, "tail tree on the default model", () => {
  it("three layers, both operators and skips", { timeout: 240_000 }, async () => {
    const model = await loadModel(defaultModelPath()!);
    const grid = { ...makeGrid(model, [3, 14, 27], 8), multipliers: [-1, 0, 1] };
    const items = makeItems(model.config.V, true).slice(0, 2);
    for (const operator of ["add", "ablateThenAdd"] as const)
      for (const skip of [0, 1] as const)
        expect(await worstError(model, items, grid, options({ operator, skip }))).toBeLessThan(1e-4);
    model.dispose();
  });
});
