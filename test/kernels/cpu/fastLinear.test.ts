import { describe, expect, it } from "vitest";
import { dequantize } from "../../../src/formats/dequantize.ts";
import type { CpuBackend } from "../../../src/kernels/cpu/backend.ts";
import { createCpuBackend } from "../../../src/kernels/index.ts";
import type { DType } from "../../../src/tensor/dtype.ts";
import { Tape } from "../../../src/tensor/ops.ts";
import { Scope } from "../../../src/tensor/scope.ts";
import { dotBackends, randomFloats, randomStored, WEIGHT_TYPES } from "./support.ts";

const QUANTISED = WEIGHT_TYPES.filter((t) => t.startsWith("q"));
const ROWS = [1, 2, 3, 7, 8, 17, 65];
const COLUMNS = [1, 15, 16, 17, 65, 129];

/** Rows of x as the documentation of `Precision` says, in float32 steps, times the scale that the kernel uses. */
function quantise(x: Float32Array): Float64Array {
  const out = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += 32) {
    const block = x.subarray(at, at + 32);
    const most = block.reduce((a, v) => Math.max(a, Math.abs(v)), 0);
    const inverse = most > 2 ** -100 ? Math.fround(127 / most) : 0;
    const d = Math.fround(most / 127);
    block.forEach((v, i) => {
      out[at + i] = d * roundHalfEven(Math.fround(v * inverse));
    });
  }
  return out;
}

function roundHalfEven(v: number): number {
  const floor = Math.floor(v);
  const up = v - floor > 0.5 || (v - floor === 0.5 && floor % 2 !== 0);
  return up ? floor + 1 : floor;
}

/** x·wᵀ in float64, and Σ|x·w| for each entry. */
function products(
  x: ArrayLike<number>,
  w: Float32Array,
  m: number,
  n: number,
  k: number,
): [Float64Array, Float64Array] {
  const [sums, sizes] = [new Float64Array(m * n), new Float64Array(m * n)];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let [sum, size] = [0, 0];
      for (let c = 0; c < k; c++) {
        const product = x[i * k + c]! * w[j * k + c]!;
        sum += product;
        size += Math.abs(product);
      }
      sums[i * n + j] = sum;
      sizes[i * n + j] = size;
    }
  }
  return [sums, sizes];
}

function worst(y: Float32Array, expected: Float64Array, sizes: Float64Array): number {
  let most = 0;
  for (const [i, v] of y.entries()) {
    const error = Math.abs(v - expected[i]!) / sizes[i]!;
    if (!(error <= most)) most = error;
  }
  return most;
}

interface Matrix {
  readonly dtype: DType;
  readonly n: number;
  readonly k: number;
  readonly bytes: Uint8Array;
}

const matrix = (dtype: DType, n: number, k: number): Matrix => ({
  dtype,
  n,
  k,
  bytes: randomStored(dtype, n * k, n + k),
});

/** fast(x) for every x, recorded in one list. */
function fast(
  backend: CpuBackend,
  parts: readonly Matrix[],
  xs: readonly Float32Array[],
  precision: "exact" | "fast" = "fast",
): Float32Array[] {
  const w = backend.createMatrix("w", parts);
  const scope = new Scope(backend);
  const tape = new Tape(backend, scope, precision);
  const { k } = parts[0]!;
  const ys = xs.map((x) => tape.linear(scope.from(x, [x.length / k, k], "x"), w));
  backend.run(tape.calls);
  const values = ys.map((y) => y.readSync() as Float32Array);
  backend.release(tape.calls);
  scope.dispose();
  backend.freeMatrix(w);
  return values;
}

it("three threads give the bits of one", async () => {
  const three = createCpuBackend({ threads: 3, soloWork: 0 });
  const one = createCpuBackend({ threads: 1 });
  try {
    await three.threadsReady();
    for (const dtype of ["q4_1", "q8_0", "q6_k"] as const) {
      const w = matrix(dtype, 150, 512);
      const xs = [1, 2, 7, 8, 40].map((m) => randomFloats(m * 512, m));
      expect(fast(three, [w], xs), dtype).toEqual(fast(one, [w], xs));
    }
  } finally {
    three.dispose();
    one.dispose();
  }
});

describe.each(dotBackends)("fast linear on %s", (name, backend) => {
  it.each(QUANTISED)("%s equals a float64 model of the quantised product", (dtype) => {
    for (const k of dtype.endsWith("_k") ? [256, 512] : [32, 96, 576]) {
      for (const n of COLUMNS) {
        const w = matrix(dtype, n, k);
        const values = dequantize(dtype, w.bytes) as Float32Array;
        const xs = ROWS.map((m) => randomFloats(m * k, m + 3));
        fast(backend, [w], xs).forEach((y, i) => {
          const [expected, sizes] = products(quantise(xs[i]!), values, ROWS[i]!, n, k);
          expect(worst(y, expected, sizes), `M ${ROWS[i]} N ${n} K ${k}`).toBeLessThan(3e-6);
        });
      }
    }
  });

  it.each(QUANTISED)("%s differs from exact by what 8-bit activations cost, and no more", (dtype) => {
    const [m, n, k] = [9, 48, dtype.endsWith("_k") ? 1536 : 1152];
    const w = matrix(dtype, n, k);
    const x = randomFloats(m * k, 5);
    const [exact, size] = products(x, dequantize(dtype, w.bytes) as Float32Array, m, n, k);
    const error = worst(fast(backend, [w], [x])[0]!, exact, size);
    expect(error).toBeLessThan(2e-3);
    expect(error).toBeGreaterThan(1e-5);
  });

  it.each(QUANTISED)("%s: a row's result does not depend on the rows around it", (dtype) => {
    const [n, k] = [70, 512];
    const w = matrix(dtype, n, k);
    const x = randomFloats(101 * k, 8);
    const rows = (from: number, to: number): Float32Array => x.slice(from * k, to * k);
    const ranges = [
      [0, 1],
      [50, 51],
      [50, 53],
      [40, 60],
      [3, 101],
    ] as const;
    const [all, ...some] = fast(backend, [w], [x, ...ranges.map(([a, b]) => rows(a, b))]);
    ranges.forEach(([a, b], i) => expect(some[i]).toEqual(all!.slice(a * n, b * n)));
  });

  it("gives the same bits whatever the form of dot products", () => {
    const [m, n, k] = [3, 33, 512];
    const reference = dotBackends.find(([other]) => other.split(",")[0] === name.split(",")[0])![1];
    for (const dtype of QUANTISED) {
      const w = matrix(dtype, n, k);
      const x = randomFloats(m * k, 6);
      expect(fast(backend, [w], [x]), dtype).toEqual(fast(reference, [w], [x]));
    }
  });

  it("takes zeros, tiny, huge and non-finite rows", () => {
    const [n, k] = [20, 64];
    const w = matrix("q4_1", n, k);
    const x = new Float32Array(5 * k);
    x.fill(1e-38, k, 2 * k);
    x.set(
      randomFloats(k, 1).map((v) => v * 1e30),
      2 * k,
    );
    x.set(randomFloats(k, 2), 3 * k);
    x[3 * k + 40] = Number.NaN;
    x.set(randomFloats(k, 2), 4 * k);
    x[4 * k + 3] = Number.POSITIVE_INFINITY;
    const [y] = fast(backend, [w], [x]);
    expect(y!.subarray(0, 2 * n).every((v) => Math.abs(v) < 1e-30)).toBe(true);
    expect(y!.subarray(2 * n, 3 * n).every(Number.isFinite)).toBe(true);
    expect(y!.subarray(3 * n, 5 * n).some(Number.isFinite)).toBe(false);
  });

  it("takes matrices of several types, and computes plain ones exactly", () => {
    const k = 256;
    const parts = [matrix("q4_k", 20, k), matrix("q6_k", 37, k), matrix("f32", 3, k), matrix("bf16", 9, k)];
    for (const m of [1, 4, 30]) {
      const x = randomFloats(m * k, 4);
      const together = fast(backend, parts, [x])[0]!;
      let column = 0;
      for (const p of parts) {
        const alone = fast(backend, [p], [x], p.dtype.startsWith("q") ? "fast" : "exact")[0]!;
        for (let i = 0; i < m; i++) {
          const at = i * 69 + column;
          expect(together.slice(at, at + p.n)).toEqual(alone.slice(i * p.n, (i + 1) * p.n));
        }
        column += p.n;
      }
    }
  });
});
