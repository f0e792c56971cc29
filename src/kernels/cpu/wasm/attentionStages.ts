/**
 * Attention in the stages that hooks see, for one sequence: attnScores and attnMix (softmax.ts is the one between). Built of
 * the same routines as the fused op and equal to it bit for bit.
 */
import { type OpCall, SEQ } from "../../../tensor/backend.ts";
import { type Command, type Features, f32Bits, type LowerContext } from "../kernel.ts";
import { type Func, i32, type Local, ModuleBuilder } from "./asm.ts";
import {
  addScores,
  type Block,
  cacheRows,
  emitScores,
  forBlockRows,
  loadSequence,
  pointOutputs,
  unitPosition,
  visibleKeys,
} from "./attention.ts";
import { addMix, fillRow } from "./attentionCore.ts";
import { type AttentionPlan, planAttention, planKey } from "./attentionPlan.ts";
import { emitUnits } from "./unitKernel.ts";

type Call<Op extends OpCall["op"]> = Extract<OpCall, { op: Op }>;

/** The block of rows that unit `index` does of a sequence of `Tq` rows. */
function unitBlock(f: Func, plan: AttentionPlan, w: { seq: Local; Tq: Local; blocks: Local }, index: Local): Block {
  const { head, block } = unitPosition(f, plan, w.blocks, index);
  const first = f.i32(i32.mul(block, plan.blockRows));
  const n = f.i32(i32.sub(w.Tq, first));
  f.set(n, i32.select(n, plan.blockRows, i32.ltS(n, plan.blockRows)));
  return { seq: loadSequence(f, w.seq), head, first, n };
}

/** Address of row (head + g, first + i) of a tensor [H, Tq, Tk]. */
function patternRow(f: Func, base: Local, w: { Tq: Local; Tk: Local }, b: Block, g: Local, i: Local): Local {
  const row = i32.add(i32.mul(i32.add(b.head, g), w.Tq), i32.add(b.first, i));
  return f.i32(i32.add(base, i32.shl(i32.mul(row, w.Tk), 2)));
}

function emitAttnScores(features: Features, plan: AttentionPlan): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const functions = addScores(m, features, plan);
  const names = ["qkv", "kCache", "seq", "out", "scale", "window", "Tq", "Tk", "blocks"] as const;
  return emitUnits(
    features,
    names,
    (f, w, index, scratch) => {
      const b = unitBlock(f, plan, w, index);
      const keys = emitScores(f, plan, functions, w, b, scratch);
      const row = f.i32(i32.add(scratch, plan.scores));
      forBlockRows(f, plan, b, (g, i) => {
        const { from, to } = visibleKeys(f, w.window, keys, i);
        const out = patternRow(f, w.out, w, b, g, i);
        fillRow(f, out, i32.const(0), from, Number.NEGATIVE_INFINITY);
        const offset = f.i32(i32.shl(from, 2));
        f.copyMemory(i32.add(out, offset), i32.add(row, offset), i32.sub(i32.shl(to, 2), offset));
        fillRow(f, out, to, w.Tk, Number.NEGATIVE_INFINITY);
        f.increment(row, plan.stride * 4);
      });
    },
    m,
  );
}

function emitAttnMix(features: Features, plan: AttentionPlan): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const mix = addMix(m, features, plan);
  const names = ["pattern", "vCache", "seq", "z", "Tq", "Tk", "blocks"] as const;
  return emitUnits(
    features,
    names,
    (f, w, index, scratch) => {
      const b = unitBlock(f, plan, w, index);
      const row = f.i32(i32.add(scratch, plan.scores));
      forBlockRows(f, plan, b, (g, i) => {
        f.copyMemory(row, patternRow(f, w.pattern, w, b, g, i), i32.shl(w.Tk, 2));
        f.increment(row, plan.stride * 4);
      });
      pointOutputs(f, plan, w.z, b, scratch);
      const v = cacheRows(f, w.vCache, plan, b);
      const M = i32.mul(b.n, plan.unitHeads);
      f.call(mix, [M, i32.const(0), w.Tk, v.prefixBase, v.ownBase, v.prefix, scratch]);
    },
    m,
  );
}

export function lowerAttnScores(c: Call<"attnScores">, ctx: LowerContext): Command {
  const [, Tq = 1, Tk = 1] = c.scores.shape;
  const plan = planAttention(c.heads, Tq, Tk);
  return {
    key: `attnScores/${planKey(plan)}`,
    emit: (features) => emitAttnScores(features, plan),
    args: [
      ...[
        ctx.address(c.qkv),
        ctx.address(c.kCache),
        ctx.address(c.seqs) + c.seq * SEQ.width * 4,
        ctx.address(c.scores),
      ],
      ...[f32Bits(c.scale), c.window, Tq, Tk, plan.blocks],
    ],
    units: plan.units,
    scratchBytes: plan.scratchBytes,
  };
}

export function lowerAttnMix(c: Call<"attnMix">, ctx: LowerContext): Command {
  const [, Tq = 1, Tk = 1] = c.pattern.shape;
  const plan = planAttention(c.heads, Tq, Tk);
  return {
    key: `attnMix/${planKey(plan)}`,
    emit: (features) => emitAttnMix(features, plan),
    args: [
      ...[ctx.address(c.pattern), ctx.address(c.vCache), ctx.address(c.seqs) + c.seq * SEQ.width * 4, ctx.address(c.z)],
      ...[Tq, Tk, plan.blocks],
    ],
    units: plan.units,
    scratchBytes: plan.scratchBytes,
  };
}
