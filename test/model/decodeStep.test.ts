/**
 * What a decode step costs besides arithmetic: next to no JavaScript allocation, the same operations every time, and memory
 * that does not grow however many tokens are generated.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { createCpuBackend } from "../../src/kernels/index.ts";
import { recordForward } from "../../src/model/forward.ts";
import { compileHooks } from "../../src/model/hooks.ts";
import { KvStore } from "../../src/model/kvCache.ts";
import { Sampler } from "../../src/model/sampling.ts";
import { loadTiny, tinyIds } from "../support/tiny.ts";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

const STEPS = 1000;
/** Issue 4: forward and sampling together, averaged over 1,000 steps. */
const MOST_BYTES = 256;

describe.each([1, 2])("a decode step on %i threads", (threads) => {
  it.each([
    ["greedy", {}, false],
    ["sampled", { temperature: 0.8, topK: 20, topP: 0.9, repetitionPenalty: 1.1 }, false],
    ["steered", {}, true],
  ])(`allocates at most ${MOST_BYTES} bytes: %s`, async (_name, sampling, steered) => {
    const backend = createCpuBackend({ threads, soloWork: 0 });
    await backend.threadsReady();
    const model = await loadTiny("llama", backend);
    const store = new KvStore(backend, model.config);
    const cache = store.sequence(100);
    const token = new Int32Array(1);
    const inputs = [{ tokens: token, cache, promptLength: 0 }];
    const steer = { hook: "blocks.1.hook_resid_post", vector: new Float32Array(48).fill(0.01) };
    const hooks = compileHooks(steered ? { steer } : {}, model.config);
    const plan = recordForward(model, store, inputs, { hooks, logits: "last", fromLayer: 0, toLayer: model.config.L });
    const sampler = new Sampler(model.config.V, sampling);
    const logits = new Float32Array(model.config.V);
    const bytes = new Uint8Array(logits.buffer);
    const step = (): void => {
      if (cache.length === 99) cache.truncate(0);
      if (!plan.accepts(inputs)) throw new Error("the plan does not fit");
      plan.run(inputs);
      backend.readInto(plan.logits!.buffer, plan.logits!.offsetBytes, bytes);
      token[0] = sampler.next(logits);
    };
    for (let i = 0; i < 8000; i++) step(); // lets the compiler settle
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 6; round++) {
      collect();
      const before = process.memoryUsage().heapUsed;
      for (let i = 0; i < STEPS; i++) step();
      best = Math.min(best, (process.memoryUsage().heapUsed - before) / STEPS);
    }
    expect(best).toBeLessThanOrEqual(MOST_BYTES);
    backend.dispose();
  });
});

describe("a long run", () => {
  it("of 10,000 tokens over several prompts keeps memory flat", { timeout: 120_000 }, async () => {
    const backend = createCpuBackend();
    const model = await loadTiny("llama", backend);
    const ids = await tinyIds("llama");
    const run = async (tokens: number): Promise<void> => {
      for (let done = 0; done < tokens; done += 100) {
        await model
          .generate(ids.slice(done % 7), { maxTokens: 100, ignoreEos: true, temperature: 1, seed: done })
          .result();
      }
    };
    await run(2000);
    collect();
    const [device, heap] = [backend.counters.liveBytes, process.memoryUsage().heapUsed];
    await run(10_000);
    collect();
    expect(backend.counters.liveBytes).toBe(device);
    expect(process.memoryUsage().heapUsed - heap).toBeLessThan(2e6);
  });
});
