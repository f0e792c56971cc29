/** trimtab, from its built files (TRIMTAB_DIST). Tasks: gemm, exact, fast. */
import { pathToFileURL } from "node:url";
import { best, serve } from "../child.mjs";
import {
  argmax,
  checkGemm,
  DECODE_TOKENS,
  GEMM,
  GEMM_MS,
  gemmInputs,
  PREFILL_RUNS,
  prompt,
  THREADS,
} from "../work.mjs";

const [task, revectorize] = [process.argv[2], process.argv[3] === "revectorize"];
const at = (path) => import(new URL(path, pathToFileURL(`${process.env.TRIMTAB_DIST}/`)).href);

const options = { threads: THREADS, setV8Flags: true, ...(revectorize ? { revectorize } : {}) };

async function openBackend() {
  const { createCpuBackend } = await at("index.js");
  const backend = createCpuBackend(options);
  await backend.threadsReady();
  const { tier, threads } = backend.caps;
  return { backend, facts: { tier, threads } };
}

async function gemm() {
  const { backend, facts } = await openBackend();
  const { Tensor } = await at("tensor/tensor.js");
  const { M, K, N } = GEMM;
  const inputs = gemmInputs();
  const { x } = inputs;
  const tensor = (label, shape) => {
    const count = shape.reduce((a, b) => a * b, 1);
    return new Tensor(backend, backend.alloc(4 * count, label), "f32", shape);
  };
  const [tx, ty] = [tensor("x", [M, K]), tensor("y", [M, N])];
  const part = { dtype: "f32", n: N, k: K, bytes: new Uint8Array(inputs.w.buffer) };
  const calls = [{ op: "linear", x: tx, w: backend.createMatrix("w", [part]), y: ty }];
  const y = new Float32Array(M * N);
  const yBytes = new Uint8Array(y.buffer);
  const whole = () => {
    backend.write(tx.buffer, x, tx.offsetBytes);
    backend.run(calls);
    backend.readInto(ty.buffer, ty.offsetBytes, yBytes);
  };
  await best(whole, 500, 5);
  checkGemm(y, inputs);
  const round = async () => ({
    gemm: await best(whole, GEMM_MS, 5),
    "gemm, resident": await best(() => backend.run(calls), GEMM_MS, 5),
  });
  return { facts, round };
}

async function model(precision) {
  const { backend, facts } = await openBackend();
  const { loadModel } = await at("index.js");
  const m = await loadModel(process.env.PEERS_GGUF, { backend });
  const prefill = async () => (await m.run(prompt, { logits: "last", precision, cache: false })).logits.data;
  const decode = async () => {
    let [least, last] = [Number.POSITIVE_INFINITY, Number.NaN];
    const onToken = () => {
      const now = performance.now();
      if (now - last < least) least = now - last;
      last = now;
    };
    const o = { maxTokens: DECODE_TOKENS + 1, temperature: 0, ignoreEos: true, precision, onToken };
    await m.generate(prompt, o).result();
    return least;
  };
  const next = argmax(await prefill());
  await best(prefill, 1000, 3);
  if (precision === "fast") await decode();
  const round = async () => ({
    [`prefill ${precision}`]: await best(prefill, 0, PREFILL_RUNS),
    ...(precision === "fast" ? { "decode fast": await decode() } : {}),
  });
  return { facts: { ...facts, next }, round };
}

await serve(() => (task === "gemm" ? gemm() : model(task)));
