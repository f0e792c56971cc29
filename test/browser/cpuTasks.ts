/** What cpu.test.ts asks of the CPU backend in a page or Worker. Runs in a browser. */
import { createCpuBackend } from "../../src/index.ts";
import { serveTasks } from "./serveTasks.ts";
import { loadTinyFiles, runTiny, type TinyRun } from "./tinyModel.ts";

interface CpuRun extends TinyRun {
  /** The library's default where absent. */
  readonly threads?: number;
}

/** With `soloWork: 0`, so that every command of even a tiny model goes to the pool. */
async function tiny({ threads, ...run }: CpuRun) {
  const backend = createCpuBackend({ threads, soloWork: 0 });
  await backend.threadsReady();
  const model = await loadTinyFiles(run.name, { backend });
  try {
    return { ...(await runTiny(model, run)), threads: backend.caps.threads, tier: backend.caps.tier };
  } finally {
    backend.dispose();
  }
}

/** Runs after the pool's workers were ended behind its back. */
async function afterWorkersDied({ name, ids }: TinyRun) {
  const workers: Worker[] = [];
  globalThis.Worker = class extends Worker {
    constructor(...args: ConstructorParameters<typeof Worker>) {
      super(...args);
      workers.push(this);
    }
  };
  const backend = createCpuBackend({ threads: 2, soloWork: 0 });
  await backend.threadsReady();
  const model = await loadTinyFiles(name, { backend });
  if (workers.length !== 1) throw new Error(`${workers.length} workers, expected 1`);
  for (const worker of workers) worker.terminate();
  await new Promise((resolve) => setTimeout(resolve, 100));
  const { logits } = await model.run(ids);
  backend.dispose();
  return logits!.data;
}

serveTasks({ tiny, afterWorkersDied, isolated: () => crossOriginIsolated, cores: () => navigator.hardwareConcurrency });
