/**
 * What the op-case table does not reach: matrices cut into several segments because one binding cannot hold them, one kernel
 * for rope and storeKv, copies within a buffer, reads and writes of parts, reuse of freed memory.
 */
import { expect, it } from "vitest";
import type { OpCase } from "../../../src/kernels/opCase.ts";
import { EXACT } from "../../../src/kernels/opCase.ts";
import { linearCase, opCases, WEIGHT_DTYPES } from "../../../src/kernels/opCases.ts";
import { WebgpuBackend } from "../../../src/kernels/webgpu/backend.ts";
import { openGpuDevice } from "../../../src/kernels/webgpu/device.ts";
import type { GpuMatrix } from "../../../src/kernels/webgpu/kernel.ts";
import type { OpCall } from "../../../src/tensor/backend.ts";
import { Tensor } from "../../../src/tensor/tensor.ts";
import { disagreements } from "../../support/agreement.ts";
import { needGpu, testAdapter, testGpu } from "../../support/gpu.ts";
import { describeNeeding } from "../../support/needs.ts";

/** A device that seems to bind no more than `bytes`. */
async function narrowGpu(bytes: number): Promise<WebgpuBackend> {
  const opened = await openGpuDevice({ adapter: testAdapter });
  const limits = { ...opened.features.limits, maxStorageBufferBindingSize: bytes };
  return new WebgpuBackend({ ...opened, features: { ...opened.features, limits } }, true);
}

describeNeeding(needGpu, "matrices in segments", async () => {
  const backend = await narrowGpu(16384);

  it("are cut between rows, each part within the limit", () => {
    const k = 256;
    const parts = [
      { dtype: "q4_k" as const, n: 150, k, bytes: new Uint8Array(150 * 144) },
      { dtype: "q4_k" as const, n: 3, k, bytes: new Uint8Array(3 * 144) },
      { dtype: "f16" as const, n: 40, k, bytes: new Uint8Array(40 * 512) },
    ];
    const { segments, shape } = backend.createMatrix("w", parts) as GpuMatrix;
    expect(shape).toEqual([193, 256]);
    expect(segments.map((s) => s.dtype)).toEqual(["q4_k", "q4_k", "f16", "f16"]);
    expect(segments.reduce((sum, s) => sum + s.n, 0)).toBe(193);
    expect(segments.map((s) => s.rowStart)).toEqual([0, segments[0]!.n, 153, 153 + segments[2]!.n]);
    expect(segments.every((s) => s.buffer.bytes <= 16384)).toBe(true);
  });

  it.each(WEIGHT_DTYPES)("of %s give the same products and rows", async (dtype) => {
    const K = dtype.endsWith("_k") ? 768 : 288;
    const product = linearCase({ dtype, T: 3, N: 129, K, bias: true, act: "silu", residual: "same" });
    expect(await disagreements(backend, product)).toEqual([]);
    const lookups = opCases().filter((c) => /^(embed|columns)/.test(c.name) && c.name.includes(`dtype=${dtype} `));
    expect(lookups.length).toBeGreaterThan(3);
    const narrow = await narrowGpu(4096);
    for (const c of lookups.filter((l) => l.name.includes("T=1 "))) expect(await disagreements(narrow, c)).toEqual([]);
    narrow.dispose();
  });
});

/** rope and storeKv behind it, of which the backend makes one dispatch. */
function ropeStoreCase(norm: boolean, Dh: number): OpCase {
  const heads = { H: 3, Hkv: 1, Dh };
  const [T, P] = [5, 9];
  return {
    name: `rope + storeKv Dh=${Dh} norm=${norm}`,
    op: "rope",
    ...EXACT,
    flops: 0,
    bytes: 0,
    record: (b) => {
      const qkv = b.f32("qkv", [T, 5 * Dh]);
      const [kCache, vCache] = [b.f32("k", [2 * T, Dh]), b.f32("v", [2 * T, Dh])];
      const gains = norm ? { qGain: b.f32("qGain", [Dh]), kGain: b.f32("kGain", [Dh]) } : {};
      const positions = b.i32("positions", [T], [8, 0, 3, 3, 7]);
      const [cos, sin] = [b.f32("cos", [P, Dh / 2]), b.f32("sin", [P, Dh / 2])];
      const slots = b.i32("slots", [T], [9, 1, 3, 0, 6]);
      const calls: OpCall[] = [
        { op: "rope", qkv, heads, positions, cos, sin, ...gains, eps: 1e-6 },
        { op: "storeKv", qkv, heads, slots, kCache, vCache },
      ];
      return { calls, outputs: ["qkv", "k", "v"] };
    },
  };
}

describeNeeding(needGpu, "the backend", async () => {
  const backend = await testGpu();

  it.each([
    [false, 6],
    [true, 64],
    [true, 130],
  ])("rotates and stores in one dispatch (norm %s, Dh %i)", async (norm, Dh) => {
    const { dispatches } = backend.gpuCounters;
    expect(await disagreements(backend, ropeStoreCase(norm, Dh))).toEqual([]);
    expect(backend.gpuCounters.dispatches - dispatches).toBe(1);
  });

  it("copies within one buffer, and reads and writes parts of it", async () => {
    const x = new Tensor(backend, backend.alloc(80, "x"), "f32", [5, 4]);
    x.write(Float32Array.from({ length: 20 }, (_, i) => i));
    backend.run([{ op: "copy", src: x.rows(0, 2), srcColumn: 0, dst: x.rows(3, 5), dstColumn: 0, columns: 4 }]);
    x.rows(1, 2).write(Float32Array.from([-1, -2, -3, -4]));
    expect([...((await x.rows(1, 5).read()) as Float32Array)]).toEqual([
      -1, -2, -3, -4, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5, 6, 7,
    ]);
    expect([...(await backend.read(x.buffer, 6, 3))]).toEqual([128, 63, 0]); // the middle of 1.0 and 2.0
  });

  it("gathers rows of a buffer into others of it, and refuses what cannot be bound", async () => {
    const x = new Tensor(backend, backend.alloc(64, "resid"), "f32", [4, 4]);
    const rows = new Tensor(backend, backend.alloc(8, "rows"), "i32", [2]);
    x.write(Float32Array.from({ length: 16 }, (_, i) => i));
    rows.write(Int32Array.from([1, 0]));
    backend.run([{ op: "gatherRows", x, rows, y: x.rows(2, 4) }]);
    expect([...((await x.rows(2, 4).read()) as Float32Array)]).toEqual([4, 5, 6, 7, 0, 1, 2, 3]);
    const softmax = { op: "softmax", x, y: x } as const;
    expect(() => backend.run([softmax])).toThrow(/"softmax\/\d+" reads and writes resid through two bindings/);
  });

  it("keeps the order of runs, writes and reads, with memory that was freed in between", async () => {
    const tensor = (label: string) => new Tensor(backend, backend.alloc(16, label), "f32", [4]);
    const [a, sum] = [tensor("a"), tensor("sum")];
    sum.write(new Float32Array(4));
    for (let i = 1; i <= 50; i++) {
      const b = tensor("b");
      b.write(new Float32Array(4).fill(i));
      a.write(new Float32Array(4).fill(i / 2));
      const calls: OpCall[] = [
        { op: "add", a: sum, b, y: sum },
        { op: "add", a: sum, b: a, y: sum },
      ];
      backend.run(calls);
      backend.release(calls);
      backend.free(b.buffer);
    }
    expect((await sum.read())[0]).toBe(1.5 * 1275);
    const { objects } = backend.gpuCounters;
    const again = tensor("b");
    again.write(new Float32Array(4));
    expect(backend.gpuCounters.objects).toBe(objects);
  });

  it("reports a kernel that the compiler refuses, by name", async () => {
    const { device } = await openGpuDevice({ adapter: testAdapter });
    const { Pipelines } = await import("../../../src/kernels/webgpu/pipelines.ts");
    const code = () => "@compute @workgroup_size(1) fn main() { nonsense(); }";
    const broken = { key: "broken", code, bindings: [], words: [], grid: [1, 1, 1], workgroupSize: [1, 1, 1] } as const;
    await expect(new Pipelines(device, () => {}).prepare([broken])).rejects.toThrow(
      /"broken" does not compile.*nonsense/s,
    );
    device.destroy();
  });
});
