/** What webgpu.test.ts asks of the WebGPU backend in a page or Worker. Runs in a browser. */
import { createWebgpuBackend, type WebgpuBackend } from "../../src/kernels/index.ts";
import { opCases } from "../../src/kernels/opCases.ts";
import { disagreements } from "../support/agreement.ts";
import { serveTasks } from "./serveTasks.ts";
import { loadTinyFiles, runTiny, type TinyRun } from "./tinyModel.ts";

async function withGpu<T>(body: (backend: WebgpuBackend) => Promise<T>): Promise<T> {
  const backend = await createWebgpuBackend({ adapter: "software" });
  try {
    return await body(backend);
  } finally {
    backend.dispose();
  }
}

/** Every row of the table against the oracle. */
const cases = ({ full }: { full: boolean }) =>
  withGpu(async (backend) => {
    const table = opCases({ full });
    const wrong: string[] = [];
    for (const c of table) wrong.push(...(await disagreements(backend, c)));
    return { wrong, rows: table.length, adapter: backend.description };
  });

const tiny = (run: TinyRun) => withGpu(async (backend) => runTiny(await loadTinyFiles(run.name, { backend }), run));

serveTasks({ cases, tiny, refused: () => createWebgpuBackend() });
