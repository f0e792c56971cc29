/** The thread pool: the same bits for any number of threads, workers that die, processes that end. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { describe, expect, it, onTestFinished } from "vitest";
import { LinearMemory } from "../../../src/kernels/cpu/memory.ts";
import { ThreadPool } from "../../../src/kernels/cpu/pool.ts";
import { createCpuBackend } from "../../../src/kernels/index.ts";
import { loadModel } from "../../../src/steering/index.ts";
import { defaultModelPath, describeNeeding, needBuild, needModel, root } from "../../support/needs.ts";
import { loadTiny, tinyIds } from "../../support/tiny.ts";

const ids = await tinyIds("llama");

/** Workers that start until the test ends. */
function catchWorkers(): Worker[] {
  const module = process.getBuiltinModule("node:worker_threads");
  const { Worker: real } = module;
  const started: Worker[] = [];
  module.Worker = class extends real {
    constructor(...args: ConstructorParameters<typeof real>) {
      super(...args);
      started.push(this);
    }
  };
  onTestFinished(() => void (module.Worker = real));
  return started;
}

describe("threads", () => {
  it.each([2, 3, 4])("%i give the numbers of one", async (threads) => {
    const [one, many] = [createCpuBackend({ threads: 1 }), createCpuBackend({ threads, soloWork: 0 })];
    await many.threadsReady();
    const [a, b] = [await loadTiny("llama", one), await loadTiny("llama", many)];
    expect((await b.run(ids)).logits).toEqual((await a.run(ids)).logits);
    const options = { maxTokens: 30, ignoreEos: true };
    expect((await b.generate(ids, options).result()).tokens).toEqual((await a.generate(ids, options).result()).tokens);
    expect(many.caps.threads).toBe(threads);
    many.dispose();
  });

  it.each([0, 1.5, 1000])("refuses %d of them", (threads) => {
    expect(() => createCpuBackend({ threads })).toThrow(/threads .*give a whole number from 1 to 256/);
  });

  it("reports a worker that died, once, and goes on alone", async () => {
    const backend = createCpuBackend({ threads: 2, soloWork: 0 });
    const workers = catchWorkers();
    const model = await loadTiny("llama", backend);
    const want = (await model.run(ids)).logits;
    await backend.threadsReady();
    expect(workers).toHaveLength(1);
    for (const worker of workers) void worker.terminate();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await expect(model.run(ids)).rejects.toThrow(/thread pool broke: thread 1 of 2.*goes on with one thread/);
    expect((await model.run(ids)).logits).toEqual(want);
    expect(backend.caps.threads).toBe(1);
  });

  it("stop with the pool", async () => {
    const pool = new ThreadPool(new LinearMemory({ shared: true }), 3);
    for (let i = 0; i < 500 && !pool.complete; i++) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(pool.complete).toBe(true);
    pool.dispose();
    expect(pool.usable).toBe(false);
  });
});

describeNeeding(needBuild, "a process", () => {
  it("ends by itself while workers are parked", () => {
    const script = `
      import { createCpuBackend } from ${JSON.stringify(join(root, "dist/kernels/index.js"))};
      const backend = createCpuBackend({ threads: 2 });
      await backend.threadsReady();
      console.log("threads", backend.caps.threads);`;
    const { status, stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 20_000,
    });
    expect({ status, stdout }).toEqual({ status: 0, stdout: "threads 2\n" });
  });
});

describeNeeding(needModel, "SmolLM2", () => {
  it("writes the same text on one thread and on three", { timeout: 120_000 }, async () => {
    const answers = [];
    for (const threads of [1, 3]) {
      const backend = createCpuBackend({ threads });
      await backend.threadsReady();
      const model = await loadModel(defaultModelPath()!, { backend });
      const { logits } = await model.run("The quick brown fox", { raw: true, logits: "last" });
      answers.push({
        logits,
        tokens: (await model.generate("The quick brown fox", { raw: true, maxTokens: 12 }).result()).tokens,
      });
      backend.dispose();
    }
    expect(answers[1]).toEqual(answers[0]);
  });
});
