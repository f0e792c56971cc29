/**
 * Call lists to dispatches: which kernel does what, which linear path a segment takes, and which neighbouring calls one
 * kernel does together. Knows all kernels; runs none.
 */
import type { OpCall } from "../../tensor/backend.ts";
import type { CallOf, Dispatch, LinearPart, LowerContext } from "./kernel.ts";
import { lowerAblate } from "./wgsl/ablate.wgsl.ts";
import { lowerActivation } from "./wgsl/activation.wgsl.ts";
import { lowerAdd } from "./wgsl/add.wgsl.ts";
import { lowerAffine } from "./wgsl/affine.wgsl.ts";
import { lowerAttention } from "./wgsl/attention.wgsl.ts";
import { lowerAttnMix } from "./wgsl/attnMix.wgsl.ts";
import { lowerAttnScores } from "./wgsl/attnScores.wgsl.ts";
import { lowerAttnSimple } from "./wgsl/attnSimple.wgsl.ts";
import { lowerColumns } from "./wgsl/columns.wgsl.ts";
import { lowerCopy } from "./wgsl/copy.wgsl.ts";
import { lowerEmbed } from "./wgsl/embed.wgsl.ts";
import { lowerGatherRows } from "./wgsl/gatherRows.wgsl.ts";
import { lowerGemv } from "./wgsl/gemv.wgsl.ts";
import { lowerGlu } from "./wgsl/glu.wgsl.ts";
import { lowerLinearSimple } from "./wgsl/linearSimple.wgsl.ts";
import { lowerLogSumExp } from "./wgsl/logSumExp.wgsl.ts";
import { lowerMatmul } from "./wgsl/matmul.wgsl.ts";
import { lowerNorm } from "./wgsl/norm.wgsl.ts";
import { lowerRope } from "./wgsl/rope.wgsl.ts";
import { lowerSoftmax } from "./wgsl/softmax.wgsl.ts";
import { lowerSteer } from "./wgsl/steer.wgsl.ts";
import { lowerStoreKv } from "./wgsl/storeKv.wgsl.ts";
import { lowerSumRows } from "./wgsl/sumRows.wgsl.ts";
import { lowerTopK } from "./wgsl/topK.wgsl.ts";

/** A call of JavaScript between dispatches. */
export type HostCall = CallOf<"host">;

/** The dispatches of a list in order, and its host calls. */
export function lowerCalls(calls: readonly OpCall[], ctx: LowerContext): (Dispatch | HostCall)[] {
  const out: (Dispatch | HostCall)[] = [];
  for (let i = 0; i < calls.length; i++) {
    const call = calls[i]!;
    const next = calls[i + 1];
    if (call.op === "host") out.push(call);
    else if (next && storesWhatItRotates(call, next, ctx)) {
      out.push(...lowerRope(call as CallOf<"rope">, ctx, next as CallOf<"storeKv">));
      i++;
    } else out.push(...lowerCall(call, ctx));
  }
  return out.filter((d) => "op" in d || d.grid.every((n) => n > 0));
}

function lowerCall(call: Exclude<OpCall, HostCall>, ctx: LowerContext): readonly Dispatch[] {
  switch (call.op) {
    case "embed":
      return lowerEmbed(call, ctx);
    case "norm":
      return lowerNorm(call, ctx);
    case "affine":
      return lowerAffine(call);
    case "linear":
      return lowerLinear(call, ctx);
    case "columns":
      return lowerColumns(call, ctx);
    case "rope":
      return lowerRope(call, ctx);
    case "storeKv":
      return lowerStoreKv(call);
    case "attention":
      return chooseAttention(call, ctx);
    case "attnScores":
      return lowerAttnScores(call);
    case "softmax":
      return lowerSoftmax(call, ctx);
    case "attnMix":
      return lowerAttnMix(call);
    case "glu":
      return lowerGlu(call);
    case "activation":
      return lowerActivation(call);
    case "add":
      return lowerAdd(call);
    case "steer":
      return lowerSteer(call);
    case "ablate":
      return lowerAblate(call, ctx);
    case "logSumExp":
      return lowerLogSumExp(call, ctx);
    case "topK":
      return lowerTopK(call, ctx);
    case "sumRows":
      return lowerSumRows(call);
    case "gatherRows":
      return lowerGatherRows(call);
    case "copy":
      return lowerCopy(call);
  }
}

/** Storage buffers of the largest form of rope with a store. */
const ROPE_STORE_BUFFERS = 9;

function storesWhatItRotates(call: OpCall, next: OpCall, ctx: LowerContext): boolean {
  if (call.op !== "rope" || next.op !== "storeKv") return false;
  const { limits } = ctx.device;
  return next.qkv === call.qkv && limits.maxStorageBuffersPerShaderStage >= ROPE_STORE_BUFFERS;
}

function lowerLinear(call: CallOf<"linear">, ctx: LowerContext): Dispatch[] {
  const { x, w, bias, act, residual, y, precision = "exact" } = call;
  const [N, K] = w.shape;
  const T = x.elems / K;
  return ctx
    .gpuMatrix(w)
    .segments.flatMap((segment) => chooseLinear({ T, N, K, x, w: segment, bias, act, residual, y, precision }, ctx));
}

/** The first path that takes the part. */
function chooseLinear(part: LinearPart, ctx: LowerContext): readonly Dispatch[] {
  const tuned = ctx.simple ? undefined : (lowerGemv(part, ctx) ?? lowerMatmul(part, ctx));
  return tuned ?? lowerLinearSimple(part);
}

function chooseAttention(call: CallOf<"attention">, ctx: LowerContext): readonly Dispatch[] {
  return (ctx.simple ? undefined : lowerAttention(call, ctx)) ?? lowerAttnSimple(call);
}
