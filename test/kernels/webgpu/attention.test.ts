/** Attention on the GPU against the oracle: head layouts, prefixes, windows, ragged batches, every path. */
import { expect, it } from "vitest";
import { buildCase } from "../../../src/kernels/opCase.ts";
import { type AttentionShape, attentionCase } from "../../../src/kernels/opCaseAttention.ts";
import { lowerAttention } from "../../../src/kernels/webgpu/wgsl/attention.wgsl.ts";
import { splitAttention } from "../../../src/kernels/webgpu/wgsl/attentionSplit.wgsl.ts";
import { needGpu } from "../../support/gpu.ts";
import { describeNeeding } from "../../support/needs.ts";
import { KernelBench, type Lower } from "./tunedSupport.ts";

const lower: Lower = (call, ctx) => {
  if (call.op !== "attention") throw new Error(call.op);
  return lowerAttention(call, ctx) ?? [];
};
const RAGGED = [
  { rows: 17, past: 3, prefix: 9 },
  { rows: 1, past: 0, prefix: 9 },
  { rows: 0, past: 4, prefix: 0 },
  { rows: 33, past: 0, prefix: 0 },
];
const PREFILL: readonly AttentionShape[] = [
  { heads: { H: 9, Hkv: 3, Dh: 64 }, seqs: [{ rows: 65, past: 0, prefix: 0 }], window: 0 },
  { heads: { H: 9, Hkv: 3, Dh: 64 }, seqs: RAGGED, window: 7 },
  { heads: { H: 4, Hkv: 4, Dh: 64 }, seqs: [{ rows: 63, past: 17, prefix: 129 }], window: 40 },
  { heads: { H: 3, Hkv: 1, Dh: 4 }, seqs: RAGGED, window: 0 },
  { heads: { H: 1, Hkv: 1, Dh: 4 }, seqs: [{ rows: 129, past: 1, prefix: 3 }], window: 1 },
];
const DECODE: readonly AttentionShape[] = [
  { heads: { H: 9, Hkv: 3, Dh: 64 }, seqs: [{ rows: 1, past: 62, prefix: 0 }], window: 0 },
  { heads: { H: 9, Hkv: 3, Dh: 64 }, seqs: [{ rows: 1, past: 0, prefix: 0 }], window: 0 },
  { heads: { H: 2, Hkv: 1, Dh: 64 }, seqs: [{ rows: 3, past: 300, prefix: 250 }], window: 0 },
  { heads: { H: 2, Hkv: 2, Dh: 64 }, seqs: [{ rows: 1, past: 600, prefix: 0 }], window: 257 },
  { heads: { H: 2, Hkv: 1, Dh: 12 }, seqs: RAGGED.slice(1, 3), window: 3 },
];

async function checkAll(bench: KernelBench, shapes: readonly AttentionShape[], keys: RegExp): Promise<void> {
  for (const s of shapes) {
    const ran = await bench.check(attentionCase(s), lower);
    expect(ran.join(" "), attentionCase(s).name).toMatch(keys);
  }
}

describeNeeding(needGpu, "attention on the GPU", () => {
  it("in registers, as a software adapter takes it", async () => {
    await checkAll(await KernelBench.open({ software: true }), [...PREFILL, ...DECODE], /^attentionRegister\/\d+$/);
  });

  it("by tiles of keys for many rows", async () => {
    await checkAll(await KernelBench.open({ software: false }), PREFILL, /^attentionFlash\/\d+$/);
  });

  it("by splits of the keys for few rows", async () => {
    const alone = /^attentionSplit\/\d+\/256\/alone$/;
    const bench = await KernelBench.open({ software: false });
    await checkAll(bench, [...DECODE.slice(0, 2), DECODE[4]!], alone);
    await checkAll(bench, DECODE.slice(2, 4), /^attentionSplit\/64\/256\/parts attentionCombine\/64$/);
  });

  it("where some splits have no keys, as with a cache that is not full", async () => {
    const bench = await KernelBench.open({ software: false });
    await bench.check(attentionCase(DECODE[0]!), (call) => {
      if (call.op !== "attention") throw new Error(call.op);
      return splitAttention({ ...call, maxKeys: 1500 });
    });
  });

  it("leaves heads that are no groups of four numbers, or too large, to the simple kernel", async () => {
    const bench = await KernelBench.open();
    const taken = [6, 8, 132].map((Dh) => {
      const shape = { heads: { H: 1, Hkv: 1, Dh }, seqs: [{ rows: 3, past: 0, prefix: 0 }], window: 0 };
      const { calls, dispose } = buildCase(attentionCase(shape), bench.backend);
      const dispatches = lower(calls[0]!, bench.context);
      dispose();
      return dispatches.length;
    });
    expect(taken).toEqual([0, 1, 0]);
  });
});
