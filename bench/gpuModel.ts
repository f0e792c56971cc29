/**
 * Times the whole model on the GPU: prefill and decode, and what hooks cost a decode step: bare, with every residual stream
 * captured, steered, and with a JavaScript hook. The four are taken in turn, so that other work on the machine hits all.
 * Beside each stands what as many empty dispatches take. Knows the recorder of a forward pass, no kernels.
 */
import type { WebgpuBackend } from "../src/kernels/index.ts";
import { recordForward } from "../src/model/forward.ts";
import { compileHooks, type HookOptions } from "../src/model/hooks.ts";
import { KvStore } from "../src/model/kvCache.ts";
import { loadModel, type SteerableModel } from "../src/steering/index.ts";
import type { GpuRoofline } from "./gpuRoofline.ts";
import type { Row } from "./report.ts";

export interface ModelLoad {
  readonly prefillTokens: number;
  readonly decodeTokens: number;
  readonly rounds: number;
}

/** Layer-wide capture, one addition in the middle, one function in the middle. */
function variants(m: SteerableModel): Record<string, HookOptions> {
  const middle = `blocks.${m.config.L >> 1}.hook_resid_post`;
  const vector = new Float32Array(m.config.D).fill(0.01);
  return {
    bare: {},
    captured: { capture: ["blocks.*.hook_resid_post"] },
    steered: { steer: { hook: middle, vector } },
    "JavaScript hook": { hooks: { [middle]: () => undefined } },
  };
}

interface Session {
  readonly prefillMs: number;
  /** One decode step, and what it asks of the GPU. */
  readonly stepMs: number;
  readonly dispatches: number;
  readonly submits: number;
}

/** Prefill, then decode steps after the first of which nothing is recorded or compiled any more; the best of each. */
async function runSession(
  m: SteerableModel,
  backend: WebgpuBackend,
  o: HookOptions,
  load: ModelLoad,
): Promise<Session> {
  const store = new KvStore(backend, m.config);
  const cache = store.sequence(load.prefillTokens + load.decodeTokens + 1);
  const hooks = compileHooks(o, m.config);
  const spec = { hooks, logits: "last", fromLayer: 0, toLayer: m.config.L } as const;
  const tokens = Int32Array.from({ length: load.prefillTokens }, (_, i) => 100 + ((i * 7919) % 20_000));
  const timed = async (inputs: Parameters<typeof recordForward>[2], plan: ReturnType<typeof recordForward>) => {
    const start = performance.now();
    const waiting = plan.run(inputs);
    if (waiting) await waiting; // only a list with JavaScript in it: to wait for nothing would submit early
    const logits = plan.logits!;
    await backend.read(logits.buffer, logits.offsetBytes, 4 * logits.elems);
    return performance.now() - start;
  };
  try {
    let inputs = [{ tokens, cache, promptLength: tokens.length }];
    const first = recordForward(m, store, inputs, spec);
    const prefillMs = await timed(inputs, first);
    first.dispose();
    inputs = [{ tokens: Int32Array.of(5), cache, promptLength: tokens.length }];
    const step = recordForward(m, store, inputs, spec);
    await timed(inputs, step);
    let stepMs = Number.POSITIVE_INFINITY;
    const before = { ...backend.gpuCounters };
    for (let i = 1; i < load.decodeTokens; i++) {
      if (!step.accepts(inputs)) throw new Error("the decode plan does not fit");
      stepMs = Math.min(stepMs, await timed(inputs, step));
    }
    const per = (name: "dispatches" | "submits"): number =>
      (backend.gpuCounters[name] - before[name]) / (load.decodeTokens - 1);
    step.dispose();
    return { prefillMs, stepMs, dispatches: per("dispatches"), submits: per("submits") };
  } finally {
    cache.dispose();
    store.dispose();
  }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

export async function benchGpuModel(
  from: string,
  backend: WebgpuBackend,
  load: ModelLoad,
  roof: GpuRoofline,
): Promise<Row[]> {
  const m = await loadModel(from, { backend });
  const cells = Object.entries(variants(m));
  const sessions = new Map<string, Session[]>();
  for (let round = 0; round <= load.rounds; round++) {
    for (const [name, o] of cells) {
      try {
        const session = await runSession(m, backend, o, load);
        if (round > 0) sessions.set(name, [...(sessions.get(name) ?? []), session]); // the first round compiles
      } catch (error) {
        if (round === 0) console.log(`${name}: not measured: ${(error as Error).message}`);
      }
    }
  }
  const bare = sessions.get("bare") ?? [];
  const prefill = bare.map((s) => s.prefillMs);
  const rows: Row[] = [
    {
      name: `prefill ${load.prefillTokens}`,
      unit: "tok/s",
      value: (1000 * load.prefillTokens) / Math.min(...prefill),
      also: { "median ms": median(prefill) },
    },
  ];
  for (const [name, list] of sessions) {
    const steps = list.map((s) => s.stepMs);
    const ratio = median(steps.map((ms, i) => ms / bare[i]!.stepMs));
    const { dispatches, submits } = list[0]!;
    rows.push({
      name: `decode, ${name}`,
      unit: "tok/s",
      value: 1000 / Math.min(...steps),
      also: {
        "median ms": median(steps),
        "time of bare": ratio,
        dispatches,
        submits,
        "dispatches alone, ms": dispatches * roof.dispatchMs,
      },
    });
  }
  return rows;
}
