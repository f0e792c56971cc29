/** topK as it is cut for real GPUs, on whatever adapter there is: many parts a row, stages, 256 threads. */
import { expect, it } from "vitest";
import { topKCase } from "../../../src/kernels/opCaseRowSets.ts";
import { lowerTopK } from "../../../src/kernels/webgpu/wgsl/topK.wgsl.ts";
import { needGpu } from "../../support/gpu.ts";
import { describeNeeding } from "../../support/needs.ts";
import { KernelBench, type Lower } from "./tunedSupport.ts";

const lower: Lower = (call, ctx) => (call.op === "topK" ? lowerTopK(call, ctx) : expect.fail(call.op));

describeNeeding(needGpu, "topK on the GPU", async () => {
  const bench = await KernelBench.open({ software: false });

  it.each([
    [1, 49152, 1, "normal", 2],
    [1, 49152, 41, "normal", 2],
    [2, 49153, 257, "normal", 2],
    [1, 50257, 512, "tied", 2],
    [3, 2049, 1, "tied", 2],
    [3, 2049, 3, "equal", 2],
    [2, 2047, 256, "normal", 1],
    [1, 129, 129, "tied", 1],
    [5, 1, 1, "normal", 1],
  ] as const)("%i rows of %i, k = %i, %s: %i stages", async (R, N, K, data, stages) => {
    const keys = await bench.check(topKCase({ R, N, K, data }), lower);
    expect(keys).toHaveLength(stages);
    for (const key of keys) expect(key).toMatch(/^topK\/\d+ 256 /);
  });
});
