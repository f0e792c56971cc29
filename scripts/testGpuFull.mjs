/**
 * `npm run test:gpu:full`: everything on the GPU that CI has no time for: the whole product of the op-case table, 48 greedy tokens
 * of the default model plain and steered, and the study's goldens. On the software adapter that test/support/gpu.ts finds, or
 * with TRIMTAB_GPU=hardware on the machine's own. Further arguments go to vitest.
 */
import { spawnSync } from "node:child_process";

const FILES = ["test/kernels/webgpu", "test/model/webgpu", "test/steering/study/goldens.test.ts"];

const env = { ...process.env, TRIMTAB_GPU_FULL: "1", TRIMTAB_FULL_CASES: "1" };
const patience = ["--testTimeout=1800000", "--hookTimeout=1800000"];
const args = ["node_modules/vitest/vitest.mjs", "run", ...patience, ...FILES, ...process.argv.slice(2)];
const started = performance.now();
const { status } = spawnSync(process.execPath, args, { stdio: "inherit", env });
console.log(`${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
process.exit(status ?? 1);
