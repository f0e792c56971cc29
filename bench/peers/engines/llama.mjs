/** llama.cpp through node-llama-cpp's prebuilt CPU binary, on the same GGUF. Task: fast. */
import { getLlama } from "node-llama-cpp";
import { serve, versionOf } from "../child.mjs";
import { DECODE_TOKENS, PREFILL_RUNS, PREFILL_TOKENS, prompt, THREADS } from "../work.mjs";

await serve(async () => {
  const llama = await getLlama({ gpu: false, maxThreads: THREADS, build: "never", logLevel: "error" });
  const model = await llama.loadModel({ modelPath: process.env.PEERS_GGUF });
  const contextSize = PREFILL_TOKENS + DECODE_TOKENS + 8;
  const context = await model.createContext({ contextSize, batchSize: 512, threads: THREADS });
  const sequence = context.getSequence();

  /** Milliseconds to the first token, and the least gap between the `count` that follow. */
  const generate = async (count) => {
    await sequence.clearHistory();
    const gaps = [];
    let [last, first] = [performance.now(), undefined];
    for await (const token of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
      const now = performance.now();
      gaps.push(now - last);
      last = now;
      first ??= token;
      if (gaps.length > count) break;
    }
    return { prefill: gaps[0], decode: Math.min(...gaps.slice(1)), first };
  };

  const { first: next } = await generate(DECODE_TOKENS);
  await generate(0);
  const round = async () => {
    const { prefill, decode } = await generate(DECODE_TOKENS);
    const times = [prefill];
    while (times.length < PREFILL_RUNS) times.push((await generate(0)).prefill);
    return { "prefill fast": Math.min(...times), "decode fast": decode };
  };
  return { facts: { version: versionOf("node-llama-cpp"), threads: THREADS, next }, round };
});
