/**
 * Programs: a call list lowered once to kernel runs, with their argument blocks in linear memory. Running one again touches
 * typed arrays only. Knows how ops are lowered; owns no memory.
 */
import type { OpCall, OpName } from "../../tensor/backend.ts";
import type { Command, LowerContext } from "./kernel.ts";
import type { LinearMemory } from "./memory.ts";
import { lowerColumns } from "./wasm/columns.ts";
import { lowerEmbed } from "./wasm/embed.ts";
import { lowerLinear } from "./wasm/linear.ts";
import { lowerRowOp } from "./wasm/rowOps.ts";

/** `run(args, begin, end, scratch)` of a kernel module. */
export type KernelRun = (args: number, begin: number, end: number, scratch: number) => void;

/** One entry a step: a kernel run, or a call of JavaScript. */
export interface Program {
  /** Length of the call list when it was lowered; a list that changed is lowered anew. */
  readonly calls: number;
  readonly steps: readonly (KernelRun | undefined)[];
  readonly hosts: readonly ((() => void) | undefined)[];
  /** Byte address of each step's argument block, as the signed word that a kernel takes. */
  readonly args: Int32Array;
  readonly units: Int32Array;
  readonly scratchBytes: number;
  /** How often each op is in the list. */
  readonly opNames: readonly OpName[];
  readonly opCounts: readonly number[];
  readonly block: { readonly address: number; readonly bytes: number };
}

export function lower(call: OpCall, ctx: LowerContext): readonly Command[] {
  switch (call.op) {
    case "linear":
      return lowerLinear(call, ctx);
    case "embed":
      return lowerEmbed(call, ctx);
    case "columns":
      return lowerColumns(call, ctx);
    default:
      return lowerRowOp(call, ctx) ?? [];
  }
}

export function buildProgram(
  calls: readonly OpCall[],
  ctx: LowerContext,
  memory: LinearMemory,
  kernel: (command: Command) => KernelRun,
): Program {
  const entries: (Command | (() => void))[] = [];
  const ops = new Map<OpName, number>();
  for (const call of calls) {
    ops.set(call.op, (ops.get(call.op) ?? 0) + 1);
    if (call.op === "host") entries.push(call.run);
    else entries.push(...lower(call, ctx).filter((c) => c.units > 0));
  }
  const steps = entries.map((e) => (typeof e === "function" ? undefined : kernel(e)));
  const words = entries.reduce((sum, e) => sum + (typeof e === "function" ? 0 : e.args.length), 0);
  const block = { address: memory.alloc(4 * words, "argument blocks"), bytes: 4 * words };
  const args = new Int32Array(entries.length);
  let at = block.address;
  entries.forEach((e, i) => {
    if (typeof e === "function") return;
    memory.i32.set(e.args, at / 4);
    args[i] = at;
    at += 4 * e.args.length;
  });
  return {
    calls: calls.length,
    steps,
    hosts: entries.map((e) => (typeof e === "function" ? e : undefined)),
    args,
    units: Int32Array.from(entries, (e) => (typeof e === "function" ? 0 : e.units)),
    scratchBytes: entries.reduce((most, e) => (typeof e === "function" ? most : Math.max(most, e.scratchBytes)), 0),
    opNames: [...ops.keys()],
    opCounts: [...ops.values()],
    block,
  };
}
