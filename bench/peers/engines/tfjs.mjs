/** TensorFlow.js on its WebAssembly backend (one thread in Node: it needs the Worker of a page for more). Task: gemm. */

import { createRequire } from "node:module";
import { dirname } from "node:path";
import { setWasmPaths } from "@tensorflow/tfjs-backend-wasm";
import * as tf from "@tensorflow/tfjs-core";
import { best, serve, versionOf } from "../child.mjs";
import { checkGemm, GEMM, GEMM_MS, gemmInputs } from "../work.mjs";

await serve(async () => {
  const { M, K, N } = GEMM;
  setWasmPaths(`${dirname(createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm"))}/`);
  await tf.setBackend("wasm");
  await tf.ready();
  const inputs = gemmInputs();
  const w = tf.tensor2d(inputs.wt, [K, N]);
  const run = () => {
    const x = tf.tensor2d(inputs.x, [M, K]);
    const y = tf.matMul(x, w);
    const data = y.dataSync();
    x.dispose();
    y.dispose();
    return data;
  };
  await best(run, 500, 5);
  checkGemm(run(), inputs);
  return {
    facts: { version: versionOf("@tensorflow/tfjs-backend-wasm"), threads: 1 },
    round: async () => ({ gemm: await best(run, GEMM_MS, 5) }),
  };
});
