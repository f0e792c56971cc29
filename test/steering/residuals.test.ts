/**
 * Weighted sums of residuals against single runs added up in float64, on the CPU and on the GPU, and what a GPU is
 * asked to send back.
 */
import { describe, expect, it, vi } from "vitest";
import { createCpuBackend, createWebgpuBackend } from "../../src/kernels/index.ts";
import type { LanguageModel } from "../../src/model/index.ts";
import { type ReadText, type ResidualSums, sumResiduals } from "../../src/steering/residuals.ts";
import type { Backend } from "../../src/tensor/backend.ts";
import { stream } from "../../src/tensor/random.ts";
import { mockDevice } from "../kernels/webgpu/mockDevice.ts";
import { worstRowError } from "../support/goldens.ts";
import { needGpu, testGpu } from "../support/gpu.ts";
import { describeNeeding } from "../support/needs.ts";
import { loadTiny } from "../support/tiny.ts";

const next = stream(5);
const tokens = (n: number): number[] => Array.from({ length: n }, () => 1 + Math.floor(90 * next()));
/** Texts with common beginnings, read at one position or over several; more rows than one pass takes. */
const TEXTS: readonly ReadText[] = Array.from({ length: 12 }, () => tokens(40)).flatMap((start, i) =>
  Array.from({ length: 7 }, (_, j) => {
    const length = 55 + j;
    const from = i % 3 === 2 ? length - 9 : length - 1;
    return { tokens: [...start, ...tokens(length - 40)], from, to: i % 3 === 2 ? length - 2 : length };
  }),
);
const WEIGHTS = [
  TEXTS.map((_, i) => (i % 2 ? -1 : 1) / TEXTS.length),
  TEXTS.map(() => next() - 0.5),
  TEXTS.map((_, i) => (i < 10 ? 0.1 : 0)),
];

/** One run a text. */
async function byDefinition(model: LanguageModel, layers: readonly number[]): Promise<ResidualSums> {
  const { D } = model.config;
  const sums = WEIGHTS.map(() => layers.map(() => new Float64Array(D)));
  const lengths = new Float64Array(layers.length);
  for (const [i, text] of TEXTS.entries()) {
    const capture = layers.map((l) => `blocks.${l}.hook_resid_post` as const);
    const { captures } = await model.run(text.tokens.slice(0, text.to), { capture, logits: "none" });
    for (const [l, hook] of capture.entries()) {
      const mean = new Float64Array(D);
      const n = text.to - text.from;
      captures[hook]!.data.subarray(text.from * D).forEach((x, at) => (mean[at % D]! += x / n));
      for (const [k, w] of WEIGHTS.entries()) mean.forEach((x, d) => (sums[k]![l]![d]! += w[i]! * x));
      lengths[l]! += Math.hypot(...mean);
    }
  }
  return { sums: sums.map((s) => s.map((x) => Float32Array.from(x))), lengths: Float32Array.from(lengths) };
}

async function onBackend(name: string, backend: Backend, layers: readonly number[]): Promise<ResidualSums> {
  const model = await loadTiny(name, backend);
  const result = await sumResiduals(model, TEXTS, WEIGHTS, layers);
  model.dispose();
  return result;
}

function expectClose(got: ResidualSums, want: ResidualSums, tolerance: number): void {
  for (const [k, byLayer] of want.sums.entries())
    for (const [l, sum] of byLayer.entries())
      expect(worstRowError(got.sums[k]![l]!, sum, 1), `set ${k}, layer ${l}`).toBeLessThan(tolerance);
  got.lengths.forEach((x, l) => expect(x / want.lengths[l]!).toBeCloseTo(1, 5));
}

describe("sums of residuals", () => {
  it.each(["gpt2", "qwen3"])("are those of single runs: %s", async (name) => {
    const model = await loadTiny(name, createCpuBackend({ threads: 1 }));
    const layers = Array.from({ length: model.config.L }, (_, l) => l);
    expectClose(await sumResiduals(model, TEXTS, WEIGHTS, layers), await byDefinition(model, layers), 2e-5);
  });

  it("do not depend on threads, and stop at the last layer that is read", async () => {
    const backends = [1, 2, 3].map((threads) => createCpuBackend({ threads, soloWork: 0 }));
    const results = await Promise.all(backends.map((backend) => onBackend("llama", backend, [0])));
    expect(results[1]).toEqual(results[0]);
    expect(results[2]).toEqual(results[0]);
    expect(backends[0]!.counters.ops.attention).toBe(2); // one layer in each of two passes
  });
});

describeNeeding(needGpu, "sums of residuals on the GPU", async () => {
  const gpu = await testGpu();
  it.each(["gpt2", "llama"])("are those of the CPU: %s", async (name) => {
    const want = await onBackend(name, createCpuBackend({ threads: 1 }), [0, 1]);
    expectClose(await onBackend(name, gpu, [0, 1]), want, 5e-5);
  });
});

describe("a GPU", () => {
  it("sends back one read of all sums, and a word between passes", async () => {
    const backend = await createWebgpuBackend({ device: mockDevice().device });
    const model = await loadTiny("llama", backend);
    const read = vi.spyOn(backend, "read");
    const done: number[] = [];
    await sumResiduals(model, TEXTS, WEIGHTS, [0, 1], { onProgress: (rows) => done.push(rows) });
    const words = read.mock.calls.map(([, , bytes]) => bytes / 4);
    expect(done.length).toBeGreaterThan(1);
    expect(words).toEqual([...new Array<number>(done.length - 1).fill(1), 2 * (3 * model.config.D + 1)]);
  });

  it("is not given more passes once the signal has ended", async () => {
    const backend = await createWebgpuBackend({ device: mockDevice().device });
    const model = await loadTiny("llama", backend);
    const stop = new AbortController();
    const { liveBytes } = backend.counters;
    const onProgress = (): void => stop.abort(new Error("enough"));
    const running = sumResiduals(model, TEXTS, WEIGHTS, [0, 1], { signal: stop.signal, onProgress });
    await expect(running).rejects.toThrow("enough");
    expect(backend.gpuCounters.passes).toBe(1);
    expect(backend.counters.liveBytes).toBe(liveBytes);
  });
});
