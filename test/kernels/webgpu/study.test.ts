/** The tail tree of the study on the software GPU against the CPU: branches, carried keys, both operators, several passes. */
import { expect, it } from "vitest";
import { createCpuBackend } from "../../../src/kernels/index.ts";
import type { ItemGeometry } from "../../../src/steering/study/geometry.ts";
import { evaluateTails, type TailOptions } from "../../../src/steering/study/tailTree.ts";
import { needGpu, testGpu } from "../../support/gpu.ts";
import { describeNeeding } from "../../support/needs.ts";
import { loadTiny } from "../../support/tiny.ts";

const PROMPTS = [
  [1, 2, 3, 4, 5],
  [1, 2, 3, 9, 8, 7, 6],
  [40, 41, 42],
];
const items: ItemGeometry[] = PROMPTS.map((prompt) => ({
  positive: [...prompt, 30, 20, 24],
  negative: [...prompt, 30, 22, 26],
  prompt: prompt.length,
  differ: prompt.length + 1,
}));

describeNeeding(needGpu, "the tail tree on the GPU", async () => {
  const backend = await testGpu();

  it.each([
    ["gpt2", "add", 2048],
    ["qwen3", "ablateThenAdd", 2048],
    ["llama", "add", 7],
  ] as const)("agrees with the CPU: %s, %s, %i rows a pass", async (name, operator, rowBudget) => {
    const o: TailOptions = {
      measures: ["ab", "logit-sum", "logprob"],
      operator,
      skip: 1,
      start: (g) => g.prompt,
      rowBudget,
    };
    const results = [];
    for (const device of [createCpuBackend({ threads: 1 }), backend]) {
      const model = await loadTiny(name, device);
      const { D, L } = model.config;
      const layers = Array.from({ length: L }, (_, l) => l);
      const vectors = [layers.map((l) => Float32Array.from({ length: D }, (_, d) => Math.sin(3 * d + l)))];
      results.push(await evaluateTails(model, items, { layers, multipliers: [-1, 0, 2], vectors }, o));
      model.dispose();
    }
    const [cpu, gpu] = results as [(typeof results)[0], (typeof results)[0]];
    expect(gpu.evaluations).toBe(cpu.evaluations);
    for (const key of ["ab", "rest", "logprob"] as const) {
      const differences = Array.from(cpu[key]!, (want, i) => Math.abs(gpu[key]![i]! - want));
      expect(differences.length, key).toBeGreaterThan(17);
      expect(Math.max(...differences), key).toBeLessThan(1e-4);
    }
  });
});
