import { describe, expect, it } from "vitest";
import { dequantize } from "../../../src/formats/dequantize.ts";
import type { CpuBackend } from "../../../src/kernels/cpu/backend.ts";
import type { MatrixPart } from "../../../src/tensor/backend.ts";
import type { DType } from "../../../src/tensor/dtype.ts";
import { Tape } from "../../../src/tensor/ops.ts";
import { Scope } from "../../../src/tensor/scope.ts";
import type { Tensor } from "../../../src/tensor/tensor.ts";
import { backends, randomFloats, randomStored, WEIGHT_TYPES } from "./support.ts";

type Recorded = Record<string, Tensor>;

/** Records with a matrix made of `parts`, runs, and returns the outputs as arrays; frees everything. */
function evaluate(
  backend: CpuBackend,
  parts: readonly MatrixPart[],
  record: (t: Tape, w: ReturnType<CpuBackend["createMatrix"]>, scope: Scope) => Recorded,
): Record<string, Float32Array> {
  const w = backend.createMatrix("w", parts);
  const scope = new Scope(backend);
  const tape = new Tape(backend, scope);
  const outputs = record(tape, w, scope);
  backend.run(tape.calls);
  const values = Object.fromEntries(Object.entries(outputs).map(([name, t]) => [name, t.readSync() as Float32Array]));
  backend.release(tape.calls);
  scope.dispose();
  backend.freeMatrix(w);
  return values;
}

const part = (dtype: DType, n: number, k: number, seed = n + k): MatrixPart => ({
  dtype,
  n,
  k,
  bytes: randomStored(dtype, n * k, seed),
});

const f32Part = (n: number, k: number, values: Float32Array): MatrixPart => ({
  dtype: "f32",
  n,
  k,
  bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});

/** Largest |y − x·wᵀ| over Σ|x·w|, in float64. */
function worstError(y: Float32Array, x: Float32Array, w: Float32Array, m: number, n: number, k: number): number {
  let worst = 0;
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let [sum, size] = [0, 0];
      for (let c = 0; c < k; c++) {
        const product = x[i * k + c]! * w[j * k + c]!;
        sum += product;
        size += Math.abs(product);
      }
      const error = Math.abs(y[i * n + j]! - sum) / size;
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

const ROWS = [1, 2, 3, 5, 6, 7, 17, 63, 65, 129];
const COLUMNS = [1, 3, 15, 16, 17, 63, 65, 192];

describe.each(backends)("linear on %s", (_name, backend) => {
  it.each([1, 3, 17, 32, 63, 64, 96])("equals float64 products, K = %i", (k) => {
    for (const n of COLUMNS) {
      const w = randomFloats(n * k, n);
      const values = evaluate(backend, [f32Part(n, k, w)], (t, matrix, scope) =>
        Object.fromEntries(
          ROWS.map((m) => [String(m), t.linear(scope.from(randomFloats(m * k, m), [m, k], "x"), matrix)]),
        ),
      );
      for (const m of ROWS) expect(worstError(values[m]!, randomFloats(m * k, m), w, m, n, k)).toBeLessThan(1e-6);
    }
  });

  it.each([
    [65, 576, 1536],
    [7, 1536, 576],
    [1, 1536, 192],
  ])("equals float64 products at the shapes of a model: %i × %i × %i", (m, k, n) => {
    const [w, x] = [randomFloats(n * k, 1), randomFloats(m * k, 2)];
    const { y } = evaluate(backend, [f32Part(n, k, w)], (t, matrix, s) => ({
      y: t.linear(s.from(x, [m, k], "x"), matrix),
    }));
    expect(worstError(y!, x, w, m, n, k)).toBeLessThan(1e-6);
  });

  describe.each(WEIGHT_TYPES)("%s", (dtype) => {
    const k = dtype.endsWith("_k") ? 768 : dtype.startsWith("q") ? 96 : 63;

    it("decodes to the float32 values of the formats layer, bit for bit", () => {
      const n = 37;
      const p = part(dtype, n, k);
      const { rows } = evaluate(backend, [p], (t, w, s) => ({
        rows: t.embed(
          w,
          s.from(
            Int32Array.from({ length: n }, (_, i) => n - 1 - i),
            [n],
            "ids",
          ),
        ),
      }));
      const want = dequantize(dtype, p.bytes);
      for (let i = 0; i < n; i++)
        expect(rows!.slice(i * k, i * k + k)).toEqual(want.slice((n - 1 - i) * k, (n - i) * k));
    });

    it("multiplies as float32 weights do, bit for bit, at any number of rows and columns", () => {
      for (const n of [1, 16, 35]) {
        const p = part(dtype, n, k);
        const record = (t: Tape, w: ReturnType<CpuBackend["createMatrix"]>, s: Scope): Recorded =>
          Object.fromEntries(
            [1, 2, 5, 6, 7, 100].map((m) => [String(m), t.linear(s.from(randomFloats(m * k, m), [m, k], "x"), w)]),
          );
        const plain = evaluate(backend, [f32Part(n, k, dequantize(dtype, p.bytes))], record);
        expect(evaluate(backend, [p], record)).toEqual(plain);
      }
    });
  });

  it("gives a row the same bits whatever rows stand beside it", () => {
    const [n, k, m] = [40, 96, 101];
    const x = randomFloats(m * k, 3);
    const values = evaluate(backend, [part("q4_1", n, k)], (t, w, s) => {
      const all = s.from(x, [m, k], "x");
      return {
        all: t.linear(all, w),
        ...Object.fromEntries([0, 50, 100].map((r) => [`row${r}`, t.linear(all.rows(r, r + 1), w)])),
        some: t.linear(all.rows(50, 53), w),
      };
    });
    for (const r of [0, 50, 100]) expect(values[`row${r}`]).toEqual(values.all!.slice(r * n, r * n + n));
    expect(values.some).toEqual(values.all!.slice(50 * n, 53 * n));
  });

  it.each([undefined, "gelu", "gelu_tanh", "relu", "silu"] as const)(
    "fuses bias, %s and residual without changing a bit",
    (act) => {
      const [n, k] = [35, 64];
      for (const m of [1, 9]) {
        const { fused, unfused } = evaluate(backend, [part("f32", n, k)], (t, w, s) => {
          const x = s.from(randomFloats(m * k, 5), [m, k], "x");
          const bias = s.from(randomFloats(n, 6), [n], "bias");
          const residual = s.from(randomFloats(m * n, 7), [m, n], "residual");
          const plain = t.linear(x, w, { bias });
          return {
            unfused: t.add(act ? t.activation(plain, act) : plain, residual),
            fused: t.linear(x, w, { bias, act, residual, y: residual }),
          };
        });
        expect(fused).toEqual(unfused);
      }
    },
  );

  it("takes parts of several types, stacked, in linear, embed and columns", () => {
    const k = 256;
    const parts = [part("q4_k", 20, k), part("q6_k", 7, k), part("q6_k", 30, k, 9), part("f32", 3, k)];
    const n = 60;
    const whole = new Float32Array(n * k);
    let at = 0;
    for (const p of parts) {
      whole.set(dequantize(p.dtype, p.bytes), at);
      at += p.n * k;
    }
    const ids = Int32Array.of(59, 0, 19, 20, 26, 27, 56, 57, 33);
    for (const m of [1, 100]) {
      const record = (t: Tape, w: ReturnType<CpuBackend["createMatrix"]>, s: Scope): Recorded => {
        const x = s.from(randomFloats(m * k, 8), [m, k], "x");
        const idsTensor = s.from(ids, [ids.length], "ids");
        return { y: t.linear(x, w), rows: t.embed(w, idsTensor), columns: t.columns(x, w, idsTensor) };
      };
      const got = evaluate(backend, parts, record);
      expect(got).toEqual(evaluate(backend, [f32Part(n, k, whole)], record));
      ids.forEach((id, c) => {
        for (let r = 0; r < m; r++) expect(got.columns![r * ids.length + c]).toBe(got.y![r * n + id]);
      });
    }
  });
});
