/** jax-js on its WebAssembly backend (one thread in Node: it needs the Worker of a page for more). Task: gemm. */
import { defaultDevice, init, numpy as np } from "@jax-js/jax";
import { best, serve, versionOf } from "../child.mjs";
import { checkGemm, GEMM, GEMM_MS, gemmInputs } from "../work.mjs";

await serve(async () => {
  const { M, K, N } = GEMM;
  await init("wasm");
  defaultDevice("wasm");
  const inputs = gemmInputs();
  const w = np.array(inputs.wt).reshape([K, N]);
  const run = async () => {
    const x = np.array(inputs.x).reshape([M, K]);
    return np.matmul(x, w.ref).data();
  };
  await best(run, 500, 5);
  checkGemm(await run(), inputs);
  const version = versionOf("@jax-js/jax");
  return { facts: { version, threads: 1 }, round: async () => ({ gemm: await best(run, GEMM_MS, 5) }) };
});
