/**
 * The fused attention op: for each block of query rows, scores → mask → softmax → mix, all in scratch. It reads the
 * sequence table when it runs, so that one command serves every step of a generation. A unit is heads × query rows
 * (attentionPlan.ts).
 */
import { type OpCall, SEQ } from "../../../tensor/backend.ts";
import { type Command, type Features, f32Bits, type LowerContext } from "../kernel.ts";
import { type Expr, type Func, f32, f32x4, i32, type Local, ModuleBuilder, v128 } from "./asm.ts";
import { addDirectScores, addMix, addPanelScores, type CacheRows, fillRow } from "./attentionCore.ts";
import { type AttentionPlan, planAttention, planKey } from "./attentionPlan.ts";
import { forVectors, loadLanes, storeLanes } from "./math.ts";
import { softmaxRow } from "./softmax.ts";
import { at, emitUnits, rowAddress } from "./unitKernel.ts";

type AttentionCall = Extract<OpCall, { op: "attention" }>;

/** Sequences with fewer rows than this take the direct scores, whatever block they fall in. */
const PANEL_MIN_ROWS = 4;

/** One row of the sequence table in locals. */
export type Sequence = Readonly<Record<Exclude<keyof typeof SEQ, "width">, Local>>;

export function loadSequence(f: Func, row: Expr): Sequence {
  const word = (column: number): Local => f.i32(i32.load(row, 4 * column));
  return {
    rowStart: word(SEQ.rowStart),
    rows: word(SEQ.rows),
    ownStart: word(SEQ.ownStart),
    ownLength: word(SEQ.ownLength),
    prefixStart: word(SEQ.prefixStart),
    prefixLength: word(SEQ.prefixLength),
  };
}

/** Part of a sequence that one unit does: `n` query rows from its `first`, for the unit's heads from `head`. */
export interface Block {
  readonly seq: Sequence;
  readonly head: Expr;
  readonly first: Local;
  readonly n: Local;
}

/** Where the keys (or values) of a block's kv head lie. */
export function cacheRows(f: Func, cache: Expr, { heads: { H, Hkv, Dh } }: AttentionPlan, b: Block): CacheRows {
  const rowBytes = Hkv * Dh * 4;
  const base = f.i32(i32.add(cache, i32.mul(i32.divU(b.head, H / Hkv), Dh * 4)));
  return {
    prefixBase: f.i32(i32.add(base, i32.mul(b.seq.prefixStart, rowBytes))),
    ownBase: f.i32(i32.add(base, i32.mul(i32.sub(b.seq.ownStart, b.seq.prefixLength), rowBytes))),
    prefix: b.seq.prefixLength,
  };
}

/** The head and the block of rows of unit `index`; blocks alternate from both ends, because later ones see more keys. */
export function unitPosition(f: Func, plan: AttentionPlan, blocks: Expr, index: Local): { head: Local; block: Local } {
  const head = f.i32(i32.mul(i32.divU(index, blocks), plan.unitHeads));
  const b = f.i32(i32.remU(index, blocks));
  const half = i32.shrU(b, 1);
  return { head, block: f.i32(i32.select(i32.sub(i32.sub(blocks, 1), half), half, i32.and(b, 1))) };
}

/** Runs `body` for each row of the block, heads outermost: the order of rows in scratch. */
export function forBlockRows(f: Func, plan: AttentionPlan, b: Block, body: (g: Local, i: Local) => void): void {
  const [g, i] = [f.i32(), f.i32()];
  f.loop(g, 0, plan.unitHeads, 1, () => f.loop(i, 0, b.n, 1, () => body(g, i)));
}

/** Fills the z table with the addresses of a block's output rows, and those rows with 0. */
export function pointOutputs(f: Func, plan: AttentionPlan, z: Expr, b: Block, scratch: Local): void {
  const { H, Dh } = plan.heads;
  const slot = f.i32(i32.add(scratch, plan.zTable));
  const firstRow = rowAddress(f, z, i32.add(b.seq.rowStart, b.first), H * Dh * 4);
  forBlockRows(f, plan, b, (g, i) => {
    const head = i32.mul(i32.add(i32.mul(i, H), i32.add(b.head, g)), Dh * 4);
    const row = f.i32(i32.add(firstRow, head));
    forVectors(f, Dh, (offset, count) => storeLanes(f, at(row, offset), v128.zero(), count));
    f.storeI32(slot, row);
    f.increment(slot, 4);
  });
}

/** Keys that a block sees: absolute position of its first row, and [lo, hi) with `lo` on a panel boundary. */
export interface KeyRange {
  readonly position: Local;
  readonly lo: Local;
  readonly hi: Local;
}

/** Adds the functions that `emitScores` calls. */
export function addScores(
  m: ModuleBuilder,
  features: Features,
  plan: AttentionPlan,
): { panel: number; direct: number } {
  return { panel: addPanelScores(m, features, plan), direct: addDirectScores(m, features, plan) };
}

/** Packs the block's queries, times the scale, and leaves its unmasked scores in scratch. */
export function emitScores(
  f: Func,
  plan: AttentionPlan,
  functions: { panel: number; direct: number },
  w: { qkv: Local; kCache: Local; scale: Local; window: Local },
  b: Block,
  scratch: Local,
): KeyRange {
  const { H, Hkv, Dh } = plan.heads;
  const rowBytes = (H + 2 * Hkv) * Dh * 4;
  const q = rowAddress(f, w.qkv, i32.add(b.seq.rowStart, b.first), rowBytes);
  const to = f.i32(scratch);
  const scale = f.v128(f32x4.splat(f32.reinterpret(w.scale)));
  forBlockRows(f, plan, b, (g, i) => {
    const from = f.i32(i32.add(q, i32.add(i32.mul(i, rowBytes), i32.mul(i32.add(b.head, g), Dh * 4))));
    forVectors(f, Dh, (offset, count) => {
      storeLanes(f, at(to, offset), f32x4.mul(loadLanes(at(from, offset), count), scale), count);
    });
    f.increment(to, Dh * 4);
  });
  const keys = i32.add(b.seq.prefixLength, b.seq.ownLength);
  const position = f.i32(i32.add(i32.sub(keys, b.seq.rows), b.first));
  const hi = f.i32(i32.add(position, b.n));
  const lowest = f.i32(i32.add(i32.sub(position, w.window), 1));
  const windowed = i32.and(i32.gtS(w.window, 0), i32.gtS(lowest, 0));
  const lo = f.i32(i32.select(i32.and(lowest, -8), i32.const(0), windowed));
  const cache = cacheRows(f, w.kCache, plan, b);
  const M = i32.mul(b.n, plan.unitHeads);
  const args = [M, lo, hi, cache.prefixBase, cache.ownBase, cache.prefix, scratch];
  f.if(
    i32.ltS(b.seq.rows, PANEL_MIN_ROWS),
    () => f.call(functions.direct, args),
    () => f.call(functions.panel, args),
  );
  return { position, lo, hi };
}

/** Keys [from, to) that row `i` of a block sees. */
export function visibleKeys(f: Func, window: Local, keys: KeyRange, i: Local): { from: Local; to: Local } {
  const to = f.i32(i32.add(i32.add(keys.position, i), 1));
  const from = f.i32(i32.sub(to, window));
  f.set(from, i32.select(from, 0, i32.and(i32.gtS(window, 0), i32.gtS(from, 0))));
  return { from, to };
}

/** Turns the block's score rows into pattern rows; whole vectors of hidden keys are set to 0 without computing them. */
function emitPattern(
  f: Func,
  features: Features,
  plan: AttentionPlan,
  window: Local,
  b: Block,
  keys: KeyRange,
  scratch: Local,
): void {
  const row = f.i32(i32.add(scratch, plan.scores));
  forBlockRows(f, plan, b, (_, i) => {
    const { from, to } = visibleKeys(f, window, keys, i);
    const first = f.i32(i32.and(from, -8));
    const end = f.i32(i32.and(i32.add(to, 7), -8));
    fillRow(f, row, first, from, Number.NEGATIVE_INFINITY);
    fillRow(f, row, to, end, Number.NEGATIVE_INFINITY);
    const offset = f.i32();
    const [firstByte, endByte] = [f.i32(i32.shl(first, 2)), f.i32(i32.shl(end, 2))];
    softmaxRow(f, features, row, row, (body) => f.loop(offset, firstByte, endByte, 16, () => body(offset, 4)));
    fillRow(f, row, keys.lo, first, 0);
    fillRow(f, row, end, keys.hi, 0);
    f.increment(row, plan.stride * 4);
  });
}

function emitAttention(features: Features, plan: AttentionPlan): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const scores = addScores(m, features, plan);
  const mix = addMix(m, features, plan);
  const names = ["qkv", "kCache", "vCache", "seqs", "z", "scale", "window", "sequences", "blocks"] as const;
  return emitUnits(
    features,
    names,
    (f, w, index, scratch) => {
      const { head, block } = unitPosition(f, plan, w.blocks, index);
      const blockStart = f.i32(i32.mul(block, plan.blockRows));
      const blockEnd = f.i32(i32.add(blockStart, plan.blockRows));
      const s = f.i32();
      f.loop(s, 0, w.sequences, 1, () => {
        const seq = loadSequence(f, rowAddress(f, w.seqs, s, SEQ.width * 4));
        const first = f.i32(i32.sub(blockStart, seq.rowStart));
        f.set(first, i32.select(first, 0, i32.gtS(first, 0)));
        const end = f.i32(i32.sub(blockEnd, seq.rowStart));
        f.set(end, i32.select(end, seq.rows, i32.ltS(end, seq.rows)));
        const b = { seq, head, first, n: f.i32(i32.sub(end, first)) };
        f.if(i32.gtS(b.n, 0), () => {
          const keys = emitScores(f, plan, scores, w, b, scratch);
          emitPattern(f, features, plan, w.window, b, keys, scratch);
          pointOutputs(f, plan, w.z, b, scratch);
          const v = cacheRows(f, w.vCache, plan, b);
          f.call(mix, [i32.mul(b.n, plan.unitHeads), keys.lo, keys.hi, v.prefixBase, v.ownBase, v.prefix, scratch]);
        });
      });
    },
    m,
  );
}

export function lowerAttention(c: AttentionCall, ctx: LowerContext): Command {
  const T = c.qkv.shape[0] ?? 1;
  const plan = planAttention(c.heads, T, c.maxKeys);
  return {
    key: `attention/${planKey(plan)}`,
    emit: (features) => emitAttention(features, plan),
    args: [
      ...[c.qkv, c.kCache, c.vCache, c.seqs, c.z].map((t) => ctx.address(t)),
      ...[f32Bits(c.scale), c.window, c.seqs.elems / SEQ.width, plan.blocks],
    ],
    units: plan.units,
    scratchBytes: plan.scratchBytes,
  };
}
