/** onnxruntime-web (WebAssembly) and onnxruntime-node (native), float32. Tasks: gemm, exact. */
import { readFileSync } from "node:fs";
import { best, serve, versionOf } from "../child.mjs";
import { matMulModel } from "../onnx.mjs";
import { argmax, checkGemm, GEMM, GEMM_MS, gemmInputs, PREFILL_RUNS, prompt, THREADS } from "../work.mjs";

const [task, name] = process.argv.slice(2);

async function open(model) {
  const ort = await import(name);
  const web = name === "onnxruntime-web";
  if (web) ort.env.wasm.numThreads = THREADS;
  const o = web
    ? { executionProviders: ["wasm"], graphOptimizationLevel: "all" }
    : { executionProviders: ["cpu"], intraOpNumThreads: THREADS, interOpNumThreads: 1, graphOptimizationLevel: "all" };
  return { ort, session: await ort.InferenceSession.create(model, o), version: versionOf(name) };
}

async function gemm() {
  const inputs = gemmInputs();
  const { ort, session, version } = await open(matMulModel(GEMM, inputs.wt));
  const run = async () => {
    const x = new ort.Tensor("float32", inputs.x, [GEMM.M, GEMM.K]);
    return (await session.run({ x })).y.data;
  };
  await best(run, 500, 5);
  checkGemm(await run(), inputs);
  return { facts: { version, threads: THREADS }, round: async () => ({ gemm: await best(run, GEMM_MS, 5) }) };
}

async function exact() {
  const { ort, session, version } = await open(readFileSync(process.env.PEERS_ONNX));
  const ids = BigInt64Array.from(prompt, BigInt);
  const run = async () => {
    const result = await session.run({ ids: new ort.Tensor("int64", ids, [1, ids.length]) });
    return result.logits.data;
  };
  const next = argmax(await run());
  await best(run, 1000, 2);
  const round = async () => ({ "prefill exact": await best(run, 0, PREFILL_RUNS) });
  return { facts: { version, threads: THREADS, next }, round };
}

await serve(task === "gemm" ? gemm : exact);
