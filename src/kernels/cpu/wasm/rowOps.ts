/** The dispatcher from calls to WASM kernels, for every operation that reads no weight matrix. */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, LowerContext } from "../kernel.ts";
import { lowerAblate } from "./ablate.ts";
import { lowerAttention } from "./attention.ts";
import { lowerAttnMix, lowerAttnScores } from "./attentionStages.ts";
import { lowerCopy, lowerGatherRows } from "./copy.ts";
import { lowerActivation, lowerAdd, lowerAffine } from "./elementwise.ts";
import { lowerGlu } from "./glu.ts";
import { lowerStoreKv } from "./kv.ts";
import { lowerLogSumExp } from "./logSumExp.ts";
import { lowerNorm } from "./norm.ts";
import { lowerRope } from "./rope.ts";
import { lowerSoftmax } from "./softmax.ts";
import { lowerSteer } from "./steer.ts";
import { lowerSumRows } from "./sumRows.ts";
import { lowerTopK } from "./topK.ts";

/** The commands of a call, or undefined for the operations on matrices and `host`, which are lowered elsewhere. */
export function lowerRowOp(call: OpCall, ctx: LowerContext): Command[] | undefined {
  const command = lower(call, ctx);
  return command && (command.units > 0 ? [command] : []);
}

function lower(call: OpCall, ctx: LowerContext): Command | undefined {
  switch (call.op) {
    case "norm":
      return lowerNorm(call, ctx);
    case "affine":
      return lowerAffine(call, ctx);
    case "rope":
      return lowerRope(call, ctx);
    case "storeKv":
      return lowerStoreKv(call, ctx);
    case "attention":
      return lowerAttention(call, ctx);
    case "attnScores":
      return lowerAttnScores(call, ctx);
    case "softmax":
      return lowerSoftmax(call, ctx);
    case "attnMix":
      return lowerAttnMix(call, ctx);
    case "glu":
      return lowerGlu(call, ctx);
    case "activation":
      return lowerActivation(call, ctx);
    case "add":
      return lowerAdd(call, ctx);
    case "logSumExp":
      return lowerLogSumExp(call, ctx);
    case "ablate":
      return lowerAblate(call, ctx);
    case "steer":
      return lowerSteer(call, ctx);
    case "topK":
      return lowerTopK(call, ctx);
    case "sumRows":
      return lowerSumRows(call, ctx);
    case "gatherRows":
      return lowerGatherRows(call, ctx);
    case "copy":
      return lowerCopy(call, ctx);
    case "embed":
    case "linear":
    case "columns":
    case "host":
      return undefined;
  }
}
