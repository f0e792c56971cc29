/**
 * The forward pass, recorded: tokens -> embedding -> blocks -> final norm -> logits. It may start and stop at a layer, and
 * compute logits for all rows, some rows, or some vocabulary entries only. What it returns is a Plan: a call list with its
 * memory, which runs as often as wanted (each decode step is one run). Knows nothing of text, sampling or steering methods.
 */
import type { Backend, OpCall, Precision } from "../tensor/backend.ts";
import { ShapeError } from "../tensor/errors.ts";
import { Tape } from "../tensor/ops.ts";
import { Scope } from "../tensor/scope.ts";
import { format } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { recordBlock, recordNorm } from "./block.ts";
import type { ModelConfig } from "./config.ts";
import { Feed, type SequenceInput } from "./feed.ts";
import { type Capture, HookRecorder } from "./hookRecorder.ts";
import type { HookSet } from "./hooks.ts";
import type { KvStore } from "./kvCache.ts";
import type { Weights } from "./weights.ts";

/** Which logits: none, every row, the last row of each sequence, or rows counted from the start of each sequence's input. */
export type LogitRows = "none" | "all" | "last" | readonly number[];

export interface ForwardSpec {
  readonly hooks: HookSet;
  readonly logits: LogitRows;
  /** Only these vocabulary entries, in this order. */
  readonly columns?: readonly number[];
  /** Also the so many largest of each row of logits. */
  readonly top?: number;
  /** First layer to run; above 0, `resid` [T, D] is the residual stream that enters it. */
  readonly fromLayer: number;
  /** Layer to stop before; below L, logits must be "none". */
  readonly toLayer: number;
  readonly resid?: Float32Array;
  /** Stop after the last capture or JavaScript hook instead of computing what nobody asked for. */
  readonly stopEarly?: boolean;
  /** Default "exact". */
  readonly precision?: Precision;
}

export interface ForwardModel {
  readonly backend: Backend;
  readonly config: ModelConfig;
  readonly weights: Weights;
}

/** A recorded forward pass and the memory that it works in. */
export interface Plan {
  readonly calls: readonly OpCall[];
  readonly feed: Feed;
  /** Residual stream after the last layer that ran [T, D]. */
  readonly resid: Tensor;
  /** [R, V or columns] and the rows of each sequence among the R. */
  readonly logits?: Tensor;
  readonly logitRows: readonly number[];
  /** i32 [R, 2, top]: places of the largest logits of each row, and their bits (`topK`). */
  readonly top?: Tensor;
  readonly captures: readonly Capture[];
  /** False where the list was cut by `stopEarly`, or stopped at a layer: the caches then lack upper layers. */
  readonly complete: boolean;
  /** Makes room for another run in the caches; false where this list cannot do that run and must be recorded anew. */
  accepts(inputs: readonly SequenceInput[]): boolean;
  /**
   * Runs the list; the caches move on. From the second time on, only with inputs that `accepts` took. A promise where
   * JavaScript hooks have to wait for the device.
   */
  run(inputs: readonly SequenceInput[]): void | Promise<void>;
  dispose(): void;
}

/** Records the forward pass for `inputs`. @throws ShapeError, HookError. */
export function recordForward(
  m: ForwardModel,
  store: KvStore,
  inputs: readonly SequenceInput[],
  spec: ForwardSpec,
): Plan {
  const { config: c, weights: w, backend } = m;
  w.expectUsable();
  const root = new Scope(backend);
  try {
    const feed = new Feed(
      root,
      inputs.map((i) => i.tokens.length),
    );
    feed.fill(inputs);
    const tape = new Tape(backend, root, spec.precision);
    const h = new HookRecorder(tape, root, feed, spec.hooks);
    const maxKeys = feed.maxKeys();

    const resid = spec.fromLayer === 0 ? embed(tape, h, c, w, feed) : resume(root, spec, feed, c);
    for (let l = spec.fromLayer; l < spec.toLayer; l++) {
      const inputsOfBlock = { config: c, rows: feed, rope: w.rope, k: store.k[l]!, v: store.v[l]!, maxKeys };
      tape.within(() => recordBlock(tape, h, l, w.blocks[l]!, inputsOfBlock, resid));
    }
    const counts = logitRowCounts(spec.logits, feed);
    const logits = counts.length ? unembed(tape, h, c, w, feed, spec, resid) : undefined;
    const top = logits && spec.top ? tape.topK(logits, spec.top) : undefined;

    const cut = spec.stopEarly === true && !logits && h.neededCalls > 0 && h.neededCalls < tape.calls.length;
    if (cut) tape.calls.length = h.neededCalls;
    return makePlan(m, root, store, tape.calls, h, maxKeys, {
      feed,
      resid,
      logits,
      logitRows: counts,
      top,
      complete: !cut && spec.fromLayer === 0 && spec.toLayer === c.L,
    });
  } catch (error) {
    root.dispose();
    throw error;
  }
}

/** ids -> resid [T, D]. */
function embed(t: Tape, h: HookRecorder, c: ModelConfig, w: Weights, feed: Feed): Tensor {
  const resid = t.embed(w.embed, feed.ids);
  h.point("hook_embed", resid);
  if (w.positions) {
    const positions = t.embed(w.positions, feed.positions);
    h.point("hook_pos_embed", positions, [c.D]);
    t.add(resid, positions, resid);
  }
  return resid;
}

function resume(root: Scope, spec: ForwardSpec, feed: Feed, c: ModelConfig): Tensor {
  const got = spec.resid?.length ?? 0;
  if (!spec.resid || got !== feed.T * c.D) {
    throw new ShapeError(
      `starting at layer ${spec.fromLayer} needs resid ${format([feed.T, c.D])}, got ${got} numbers`,
    );
  }
  return root.from(spec.resid, [feed.T, c.D], "resid");
}

/** resid [T, D] -> logits [R, V] or [R, columns]. Rows are chosen before the product unless a hook wants to see them all. */
function unembed(
  t: Tape,
  h: HookRecorder,
  c: ModelConfig,
  w: Weights,
  feed: Feed,
  spec: ForwardSpec,
  resid: Tensor,
): Tensor {
  const hooked = ["ln_final.hook_scale", "ln_final.hook_normalized", "hook_logits"].some((name) => h.wants(name));
  const chosen = chosenRows(spec.logits, feed);
  const rows = chosen && t.scope.from(Int32Array.from(chosen), [chosen.length], "logit rows");
  const x = recordNorm(t, h, "ln_final", rows && !hooked ? t.gatherRows(resid, rows) : resid, w.lnFinal, c);
  const columns = spec.columns && t.scope.from(Int32Array.from(spec.columns), [spec.columns.length], "logit columns");
  if (!hooked) return columns ? t.columns(x, w.unembed, columns) : t.linear(x, w.unembed);
  const logits = t.linear(x, w.unembed);
  h.point("hook_logits", logits, [c.V]);
  const picked = rows ? t.gatherRows(logits, rows) : logits;
  return spec.columns ? pickColumns(t, picked, spec.columns) : picked;
}

function pickColumns(t: Tape, x: Tensor, columns: readonly number[]): Tensor {
  const y = t.scope.tensor([x.shape[0]!, columns.length], "logit columns");
  for (const [i, column] of columns.entries()) t.copy(x, column, y, i, 1);
  return y;
}

function chosenRows(rows: LogitRows, feed: Feed): number[] | undefined {
  if (rows === "all" || rows === "none") return undefined;
  if (rows === "last") return feed.sequences.map((s) => s.rowStart + s.rows - 1);
  return feed.sequences.flatMap((s) =>
    rows.map((r) => {
      const row = r < 0 ? s.rows + r : r;
      if (Number.isInteger(row) && row >= 0 && row < s.rows) return s.rowStart + row;
      throw new ShapeError(
        `logits of row ${r}: this run has ${s.rows} rows`,
        "rows count from 0, negative ones from the end",
      );
    }),
  );
}

/** Number of logit rows of each sequence; empty for none. */
function logitRowCounts(rows: LogitRows, feed: Feed): number[] {
  if (rows === "none") return [];
  return feed.sequences.map((s) => (rows === "all" ? s.rows : rows === "last" ? 1 : rows.length));
}

function makePlan(
  { backend, weights }: ForwardModel,
  root: Scope,
  store: KvStore,
  calls: readonly OpCall[],
  h: HookRecorder,
  maxKeys: number,
  parts: Pick<Plan, "feed" | "resid" | "logits" | "logitRows" | "top" | "complete">,
): Plan {
  const { generation } = store;
  const waits = !backend.caps.synchronous && calls.some((c) => c.op === "host");
  let fresh = true;
  return {
    ...parts,
    calls,
    captures: h.captures,
    accepts(inputs) {
      for (const [s, { cache }] of inputs.entries()) cache.reserve(parts.feed.sequences[s]!.rows);
      const fits = inputs.every(({ cache }) => cache.capacity <= maxKeys);
      return fits && !h.sizedByCache && store.generation === generation;
    },
    run(inputs) {
      weights.expectUsable();
      if (!fresh) parts.feed.fill(inputs);
      fresh = false;
      h.writeAdditions();
      if (waits && backend.runAsync) return backend.runAsync(calls).then(() => parts.feed.advance());
      backend.run(calls);
      parts.feed.advance();
      return undefined;
    },
    dispose() {
      backend.release(calls);
      root.dispose();
    },
  };
}
