/**
 * Times a whole model: prefill of 256 tokens and decode of 64, exact and fast. Knows the library's public calls only.
 */

import type { CpuBackend } from "../src/kernels/index.ts";
import { recordForward } from "../src/model/forward.ts";
import { NO_HOOKS } from "../src/model/hooks.ts";
import { KvStore } from "../src/model/kvCache.ts";
import { loadModel, type SteerableModel } from "../src/steering/index.ts";
import type { Row } from "./report.ts";

const PREFILL_TOKENS = 256;
const DECODE_TOKENS = 64;

/** Multiply-adds of one token through all matrices, twice. */
function flopsPerToken(m: SteerableModel): number {
  const { L, D, H, Hkv, Dh, F, gatedMlp } = m.config;
  return 2 * L * (D * (H + 2 * Hkv) * Dh + H * Dh * D + (gatedMlp ? 3 : 2) * D * F);
}

export interface Timing {
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
}

/** The best of `rounds` of prefill and of single decode steps, as CPU.md's peers were measured. */
export function timeModel(m: SteerableModel, precision: "exact" | "fast", rounds: number): Timing {
  const ids = Array.from({ length: PREFILL_TOKENS }, (_, i) => 100 + ((i * 7919) % 20_000));
  let [prefill, decode] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  const logits = new Uint8Array(4 * m.config.V);
  for (let round = 0; round < rounds; round++) {
    const store = new KvStore(m.backend, m.config);
    const cache = store.sequence(PREFILL_TOKENS + DECODE_TOKENS + 1);
    const spec = { hooks: NO_HOOKS, logits: "last", fromLayer: 0, toLayer: m.config.L, precision } as const;
    let inputs = [{ tokens: Int32Array.from(ids), cache, promptLength: PREFILL_TOKENS }];
    let start = performance.now();
    const first = recordForward(m, store, inputs, spec);
    first.run(inputs);
    m.backend.readInto(first.logits!.buffer, first.logits!.offsetBytes, logits);
    prefill = Math.min(prefill, performance.now() - start);
    first.dispose();
    inputs = [{ tokens: Int32Array.of(5), cache, promptLength: PREFILL_TOKENS }];
    const step = recordForward(m, store, inputs, spec);
    for (let i = 0; i < DECODE_TOKENS; i++) {
      if (!step.accepts(inputs)) throw new Error("the decode plan does not fit");
      start = performance.now();
      step.run(inputs);
      m.backend.readInto(step.logits!.buffer, step.logits!.offsetBytes, logits);
      decode = Math.min(decode, performance.now() - start);
    }
    step.dispose();
    cache.dispose();
    store.dispose();
  }
  return { prefillTokensPerSecond: (1000 * PREFILL_TOKENS) / prefill, decodeTokensPerSecond: 1000 / decode };
}

export async function benchModel(from: string, backend: CpuBackend, rounds: number): Promise<Row[]> {
  await backend.threadsReady();
  const m = await loadModel(from, { backend });
  const rows: Row[] = [];
  for (const precision of ["exact", "fast"] as const) {
    const t = timeModel(m, precision, rounds);
    const gflops = (t.prefillTokensPerSecond * flopsPerToken(m)) / 1e9;
    const gbytes = (t.decodeTokensPerSecond * m.weights.bytes) / 1e9;
    rows.push({
      name: `prefill ${PREFILL_TOKENS} ${precision}`,
      unit: "tok/s",
      value: t.prefillTokensPerSecond,
      also: { "GFLOP/s": gflops },
    });
    rows.push({
      name: `decode ${DECODE_TOKENS} ${precision}`,
      unit: "tok/s",
      value: t.decodeTokensPerSecond,
      also: { "GB/s": gbytes },
    });
  }
  return rows;
}
