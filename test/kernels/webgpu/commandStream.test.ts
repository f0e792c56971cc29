/**
 * What a decode step asks of the GPU, counted on a device that computes nothing: one pass, one submission, few dispatches, no
 * new GPU objects; hooks that are declared add a dispatch a layer at most.
 */
import { expect, it, vi } from "vitest";
import { createWebgpuBackend } from "../../../src/kernels/index.ts";
import { recordForward } from "../../../src/model/forward.ts";
import { compileHooks, type HookOptions } from "../../../src/model/hooks.ts";
import type { GenerateOptions } from "../../../src/model/index.ts";
import { KvStore } from "../../../src/model/kvCache.ts";
import { loadTiny, TINY_MODELS } from "../../support/tiny.ts";
import { mockDevice } from "./mockDevice.ts";

/** Counts of one decode step after others, with the logits read as generation reads them. */
async function countStep(name: string, o: (D: number, L: number) => HookOptions) {
  const mock = mockDevice();
  const backend = await createWebgpuBackend({ device: mock.device });
  const model = await loadTiny(name, backend);
  const { D, L } = model.config;
  const store = new KvStore(backend, model.config);
  const cache = store.sequence(100);
  const inputs = [{ tokens: new Int32Array(1), cache, promptLength: 0 }];
  const hooks = compileHooks(o(D, L), model.config);
  const plan = recordForward(model, store, inputs, { hooks, logits: "last", fromLayer: 0, toLayer: L });
  const step = async (): Promise<void> => {
    if (!plan.accepts(inputs)) throw new Error("the plan does not fit");
    plan.run(inputs);
    await plan.logits!.read();
  };
  for (let i = 0; i < 3; i++) await step();
  const before = { ...mock.counts };
  const { objects } = backend.gpuCounters;
  await step();
  const entries = Object.entries(mock.counts) as [keyof typeof before, number][];
  const step4 = Object.fromEntries(entries.map(([key, n]) => [key, n - before[key]])) as typeof before;
  expect(backend.gpuCounters.objects).toBe(objects);
  return { ...step4, L };
}

const MADE = { buffers: 0, bindGroups: 0, pipelines: 0, shaders: 0, layouts: 0, destroyed: 0 };

it.each(TINY_MODELS)("a decode step of %s is one pass and one submission, and makes nothing", async (name) => {
  const step = await countStep(name, () => ({}));
  expect(step).toMatchObject({ ...MADE, encoders: 1, passes: 1, submits: 1 });
  const aroundTheBlocks = name === "gpt2" ? 6 : 4; // embed (positions, their sum), last row, final norm, logits
  expect(step.dispatches - aroundTheBlocks).toBeLessThanOrEqual(10 * step.L);
  expect(step.dispatches).toBeGreaterThan(6 * step.L);
  expect(step.writes).toBe(4); // ids, positions, slots, sequence table
});

it("steering at every layer adds one dispatch and one small write a layer, and no submission", async () => {
  const plain = await countStep("llama", () => ({}));
  const steered = await countStep("llama", (D, L) => ({
    steer: Array.from({ length: L }, (_, l) => ({
      hook: `blocks.${l}.hook_resid_post`,
      vector: new Float32Array(D).fill(0.1),
    })),
  }));
  expect(steered).toMatchObject({ ...MADE, passes: 1, submits: 1 });
  expect(steered.dispatches).toBe(plain.dispatches + plain.L);
  expect(steered.writes).toBe(plain.writes + plain.L);
});

it("capturing at every layer adds one dispatch a layer and no pass", async () => {
  const plain = await countStep("llama", () => ({}));
  const captured = await countStep("llama", () => ({ capture: ["blocks.*.hook_resid_post"] }));
  expect(captured).toMatchObject({ ...MADE, passes: 1, submits: 1 });
  expect(captured.dispatches).toBe(plain.dispatches + plain.L);
});

it.each<[string, GenerateOptions, (V: number) => number, number]>([
  ["greedy", {}, () => 8, 1],
  ["top-k", { temperature: 0.8, topK: 40, topP: 0.9, minP: 0.01 }, () => 8 * 41, 1],
  ["all logits", { temperature: 0.8, topP: 0.9 }, (V) => 4 * V, 0],
  ["repetition penalty", { repetitionPenalty: 1.1 }, (V) => 4 * V, 0],
])("a token of generation, %s: one pass, one submission, one read of what decides it", async (_n, o, bytes, extra) => {
  const plain = await countStep("llama", () => ({}));
  const mock = mockDevice();
  const backend = await createWebgpuBackend({ device: mock.device });
  const model = await loadTiny("llama", backend);
  const read = vi.spyOn(backend, "read");
  const tokens: object[] = [];
  const onToken = (): void => {
    tokens.push({ ...mock.counts, objects: backend.gpuCounters.objects, reads: read.mock.calls.length });
  };
  await model.generate([1, 2, 3], { ...o, maxTokens: 6, ignoreEos: true, onToken }).result();
  const [before, after] = tokens.slice(-2) as Record<string, number>[];
  const step = Object.fromEntries(Object.entries(after!).map(([key, n]) => [key, n - before![key]!]));
  expect(step).toMatchObject({ ...MADE, passes: 1, submits: 1, objects: 0, reads: 1 });
  expect(step.dispatches).toBe(plain.dispatches + extra);
  expect(read.mock.lastCall![2]).toBe(bytes(model.config.V));
});

it("a run without a read is submitted when JavaScript yields", async () => {
  const mock = mockDevice();
  const backend = await createWebgpuBackend({ device: mock.device });
  const model = await loadTiny("llama", backend);
  const store = new KvStore(backend, model.config);
  const inputs = [{ tokens: [1, 2, 3], cache: store.sequence(8), promptLength: 3 }];
  const spec = { hooks: compileHooks({}, model.config), logits: "none", fromLayer: 0, toLayer: 1 } as const;
  const { submits, writes } = mock.counts;
  recordForward(model, store, inputs, spec).run(inputs);
  expect(mock.counts.submits).toBe(submits);
  await Promise.resolve();
  expect(mock.counts.submits).toBe(submits + 1);
  expect(mock.counts.writes).toBe(writes + 5); // the feed, and the parameters of all dispatches at once
});

it("compiles the kernels of a list ahead, each once", async () => {
  const mock = mockDevice();
  const backend = await createWebgpuBackend({ device: mock.device });
  const model = await loadTiny("llama", backend);
  const store = new KvStore(backend, model.config);
  const inputs = [{ tokens: [1, 2, 3], cache: store.sequence(8), promptLength: 3 }];
  const spec = {
    hooks: compileHooks({}, model.config),
    logits: "last",
    fromLayer: 0,
    toLayer: model.config.L,
  } as const;
  const plan = recordForward(model, store, inputs, spec);
  await Promise.all([backend.prepare(plan.calls), backend.prepare(plan.calls)]);
  const { pipelines } = mock.counts;
  expect(pipelines).toBeGreaterThan(5);
  plan.run(inputs);
  expect(mock.counts.pipelines).toBe(pipelines);
  const { dispatches } = mock.counts;
  expect(dispatches).toBeGreaterThan(pipelines);
});
