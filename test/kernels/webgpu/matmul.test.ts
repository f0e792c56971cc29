/** The matrix products of the GPU against the oracle: every weight type, odd sizes, every epilogue, every path. */
import { expect, it } from "vitest";
import { buildCase } from "../../../src/kernels/opCase.ts";
import { linearCase, WEIGHT_DTYPES } from "../../../src/kernels/opCases.ts";
import type { Dispatch, LinearPart } from "../../../src/kernels/webgpu/kernel.ts";
import { lowerMatmul } from "../../../src/kernels/webgpu/wgsl/matmul.wgsl.ts";
import { matrixDispatch, matrixTile, probeMatrixDialect } from "../../../src/kernels/webgpu/wgsl/matmulMatrix.wgsl.ts";
import { type Tile, tiledDispatches } from "../../../src/kernels/webgpu/wgsl/matmulTiled.wgsl.ts";
import { blockLayout, type DType } from "../../../src/tensor/dtype.ts";
import { needGpu } from "../../support/gpu.ts";
import { describeNeeding } from "../../support/needs.ts";
import { KernelBench, type Lower, linearParts } from "./tunedSupport.ts";

const SIZES = [1, 3, 17, 63, 65, 129];
/** A row length that the type can store and that no tile divides. */
const oddLength = (dtype: DType, i: number): number => {
  const { elems } = blockLayout(dtype);
  return elems === 1 ? SIZES[i % SIZES.length]! : elems * [1, 3, 2][i % 3]!;
};

/** SwiftShader takes seconds to compile a tile; how a type is read is tested with the registers. */
const TILED_DTYPES: readonly DType[] = process.env.TRIMTAB_FULL_CASES === "1" ? WEIGHT_DTYPES : ["f32", "q6_k"];
/** Activations rounded to 11 bits instead of 24, in a norm of 1e-10 for float32: some 100 times the error. */
const F16_SLACK = 100;
const ACTS = [undefined, "gelu", "gelu_tanh", "relu", "silu"] as const;
const lower: Lower = (call, ctx) => linearParts(call, ctx).flatMap((part) => lowerMatmul(part, ctx)!);
const by =
  (f: (part: LinearPart) => readonly Dispatch[]): Lower =>
  (call, ctx) =>
    linearParts(call, ctx).flatMap(f);

describeNeeding(needGpu, "matmul on the GPU", () => {
  it("by registers, as a software adapter takes it", async () => {
    const bench = await KernelBench.open({ software: true });
    for (const [i, dtype] of WEIGHT_DTYPES.entries()) {
      const residual = ([undefined, "other", "same"] as const)[i % 3];
      const shape = { N: SIZES[(i + 4) % 6]!, K: oddLength(dtype, i), bias: i % 2 === 0, residual };
      for (const T of i < 3 ? [SIZES[i]!, SIZES[3 + i]!] : [SIZES[1 + (i % 4)]!]) {
        const keys = await bench.check(linearCase({ dtype, T, ...shape, act: ACTS[i % 5] }), lower);
        expect(keys).toEqual([expect.stringMatching(/^matmulRegister/)]);
      }
    }
  });

  it("by registers without subgroups", async () => {
    const bench = await KernelBench.open({ software: true, subgroups: undefined });
    for (const [T, N, K] of [
      [129, 65, 63],
      [1, 17, 129],
      [3, 129, 64],
    ] as const) {
      const keys = await bench.check(linearCase({ dtype: "f32", T, N, K, bias: true }), lower);
      expect(keys).toEqual([expect.stringMatching(/^matmulRegister\/[0-9x]+\/1\//)]);
    }
  });

  it("by tiles in workgroup memory, as a GPU takes it", async () => {
    const bench = await KernelBench.open({ software: false });
    for (const [i, dtype] of TILED_DTYPES.entries()) {
      const shape = { T: [1, 3, 5, 16][i % 4]!, N: SIZES[(i + 5) % 6]!, K: Math.min(oddLength(dtype, i + 1), 256) };
      const residual = ([undefined, "other", "same"] as const)[i % 3];
      const c = linearCase({ dtype, ...shape, bias: i % 2 === 0, residual, act: ACTS[i % 5] });
      expect(await bench.check(c, lower)).toEqual([expect.stringMatching(/^matmulTiled/)]);
    }
    const keys = await bench.check(linearCase({ dtype: "q8_0", T: 65, N: 129, K: 96, bias: true, act: "silu" }), lower);
    expect(keys).toEqual([expect.stringMatching(/^matmulTiled\/64x64/)]);
  });

  it("by tiles of every size, with K split", async () => {
    const bench = await KernelBench.open({ software: false });
    const small: Tile = { BM: 16, BN: 32, BK: 8, TM: 2, TN: 4 };
    const split = by((part) => tiledDispatches(part, small, { splits: 3, chunk4: 14 }));
    await bench.check(linearCase({ dtype: "f32", T: 17, N: 65, K: 129, bias: true, act: "gelu" }), split);
    await bench.check(linearCase({ dtype: "f32", T: 3, N: 33, K: 168, residual: "other" }), split);
    const keys = await bench.check(linearCase({ dtype: "q4_1", T: 9, N: 63, K: 1056, residual: "same" }), lower);
    expect(keys).toEqual([expect.stringMatching(/^matmulSplit\//), expect.stringMatching(/^matmulSplitSum/)]);
  });

  it("by matrix units, in both spellings, where the device has them (lavapipe of Mesa 26)", async ({ skip }) => {
    const bench = await KernelBench.open();
    const { device } = bench.context;
    const found = await probeMatrixDialect(bench.opened.device, device);
    if (found === undefined) return skip(`${bench.opened.description} has no f16 matrix units`);
    for (const dialect of ["layout", "flag"] as const) {
      for (const [dtype, T, N, K] of [
        ["f16", 63, 65, 129],
        ["q4_k", 129, 17, 256],
        ["q8_0", 3, 3, 96],
      ] as const) {
        const c = linearCase({ dtype, T, N, K, bias: true, act: "silu", residual: "same" });
        const tile = matrixTile(device, T, dialect)!;
        const keys = await bench.check(
          c,
          by((part) => [matrixDispatch(part, tile)]),
          F16_SLACK,
        );
        expect(keys).toEqual([expect.stringContaining(dialect)]);
      }
    }
  });

  it("by matrix units only where a fast product of many rows was asked for", async () => {
    const { context, backend } = await KernelBench.open();
    const units = [{ componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 }];
    const limits = { ...context.device.limits, maxComputeWorkgroupStorageSize: 49152 };
    const subgroups = { min: 32, max: 32 };
    const h200 = { ...context.device, software: false, f16: true, subgroups, subgroupMatrix: units, limits };
    const keyOf = (dtype: DType, T: number, o: { fast: boolean; dialect?: "layout" }): string => {
      const { calls, dispose } = buildCase(linearCase({ dtype, T, N: 64, K: 256 }), backend);
      const [part] = linearParts(calls[0]!, context);
      dispose();
      const device = { ...h200, matrixDialect: o.dialect };
      return lowerMatmul({ ...part!, precision: o.fast ? "fast" : "exact" }, { ...context, device })![0]!.key;
    };
    expect(keyOf("q8_0", 65, { fast: true, dialect: "layout" })).toMatch(/^matmulMatrix\/128x128x32\/16x16x16\/32/);
    expect(keyOf("q8_0", 65, { fast: false, dialect: "layout" })).toMatch(/^matmulTiled/);
    expect(keyOf("f32", 65, { fast: true, dialect: "layout" })).toMatch(/^matmulTiled/);
    expect(keyOf("q8_0", 5, { fast: true, dialect: "layout" })).toMatch(/^matmulTiled/);
    expect(keyOf("q8_0", 65, { fast: true })).toMatch(/^matmulTiled/);
  });
});
