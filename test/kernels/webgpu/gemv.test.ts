/** Products of 1 to 4 rows on the GPU against the oracle: weight types, odd sizes, with subgroups and without. */
import { expect, it } from "vitest";
import { buildCase } from "../../../src/kernels/opCase.ts";
import { linearCase, WEIGHT_DTYPES } from "../../../src/kernels/opCases.ts";
import { lowerGemv } from "../../../src/kernels/webgpu/wgsl/gemv.wgsl.ts";
import { blockLayout, type DType } from "../../../src/tensor/dtype.ts";
import { needGpu } from "../../support/gpu.ts";
import { describeNeeding } from "../../support/needs.ts";
import { KernelBench, type Lower, linearParts } from "./tunedSupport.ts";

const SIZES = [1, 3, 17, 63, 65, 129];
const lower: Lower = (call, ctx) => linearParts(call, ctx).flatMap((part) => lowerGemv(part, ctx)!);
const lengthOf = (dtype: DType, i: number): number => {
  const { elems } = blockLayout(dtype);
  return elems === 1 ? SIZES[5 - (i % 6)]! : elems * [9, 1, 3][i % 3]!;
};
/** On SwiftShader a type takes half a second to compile. */
const FEW: readonly DType[] = process.env.TRIMTAB_FULL_CASES === "1" ? WEIGHT_DTYPES : ["f32", "q8_0", "q3_k"];

async function checkTypes(bench: KernelBench, dtypes: readonly DType[], key: RegExp): Promise<void> {
  for (const [i, dtype] of dtypes.entries()) {
    const residual = ([undefined, "same", "other"] as const)[i % 3];
    const c = linearCase({ dtype, T: 1 + (i % 4), N: SIZES[i % 6]!, K: lengthOf(dtype, i), bias: i % 2 > 0, residual });
    expect(await bench.check(c, lower)).toEqual([expect.stringMatching(key)]);
  }
}

describeNeeding(needGpu, "gemv on the GPU", () => {
  it("sums by subgroups", async () => {
    await checkTypes(await KernelBench.open({ software: false }), FEW, /^gemv\/.*subgroups/);
  });

  it("sums by halving where there are no subgroups", async () => {
    await checkTypes(await KernelBench.open({ software: false, subgroups: undefined }), FEW, /^gemv\/.*tree/);
  });

  it("leaves no sum to others where a CPU plays the GPU", async () => {
    await checkTypes(await KernelBench.open({ software: true }), WEIGHT_DTYPES, /^matmulRegister\/[1-4]x8\/1\/1\//);
  });

  it("takes more rows of w than one dimension of the grid has workgroups", async () => {
    const bench = await KernelBench.open({ software: false });
    const limits = { ...bench.context.device.limits, maxComputeWorkgroupsPerDimension: 5 };
    const device = { ...bench.context.device, limits };
    const c = linearCase({ dtype: "f32", T: 1, N: 65, K: 300, bias: true, act: "gelu" });
    await bench.check(c, (call, ctx) => linearParts(call, ctx).flatMap((part) => lowerGemv(part, { ...ctx, device })!));
  });

  it("leaves five rows and more to matmul", async () => {
    const bench = await KernelBench.open({ software: false });
    const taken = [4, 5].map((T) => {
      const { calls, dispose } = buildCase(linearCase({ dtype: "f32", T, N: 3, K: 3 }), bench.backend);
      const [part] = linearParts(calls[0]!, bench.context);
      dispose();
      return lowerGemv(part!, bench.context) !== undefined;
    });
    expect(taken).toEqual([true, false]);
  });
});
