import { expect, it } from "vitest";
import { dequantize } from "../../../src/formats/dequantize.ts";
import type { CpuBackend } from "../../../src/kernels/cpu/backend.ts";
import { detectFeatures, tierName } from "../../../src/kernels/cpu/features.ts";
import { createCpuBackend } from "../../../src/kernels/index.ts";
import { Tape } from "../../../src/tensor/ops.ts";
import { Scope } from "../../../src/tensor/scope.ts";
import { randomFloats, randomStored, WEIGHT_TYPES } from "./support.ts";

const wide = detectFeatures({ fma: "auto", revectorize: true }).wide;

/** x·wᵀ, after enough runs for V8's optimised code to have replaced the first. */
function linear(
  backend: CpuBackend,
  dtype: (typeof WEIGHT_TYPES)[number],
  m: number,
  n: number,
  k: number,
  precision: "exact" | "fast",
): Float32Array {
  const w = backend.createMatrix("w", [{ dtype, n, k, bytes: randomStored(dtype, n * k, 7) }]);
  const scope = new Scope(backend);
  const tape = new Tape(backend, scope, precision);
  const y = tape.linear(scope.from(randomFloats(m * k, 9), [m, k], "x"), w);
  const until = performance.now() + 40;
  do backend.run(tape.calls);
  while (performance.now() < until);
  const values = y.readSync() as Float32Array;
  backend.release(tape.calls);
  scope.dispose();
  backend.freeMatrix(w);
  return values;
}

if (!wide) {
  it.skip("wide tiles [skipped: this V8 does not fuse vectors; run with Node 24]", () => {});
  it("is ignored where it has no effect", () => {
    expect(tierName(detectFeatures({ revectorize: true }))).not.toContain("revec");
  });
}

it("is off without relaxed SIMD", () => {
  expect(tierName(detectFeatures({ fma: false, revectorize: true }))).toBe("wasm-simd");
});

it.each(wide ? WEIGHT_TYPES : [])("wide tiles give the bits of the plain ones, %s", (dtype) => {
  const [plain, fused] = [createCpuBackend({ threads: 1 }), createCpuBackend({ threads: 1 })];
  Object.assign(fused.features, { wide: true });
  const k = 512;
  const w = dequantize(dtype, randomStored(dtype, 33 * k, 7)) as Float32Array;
  for (const m of [8, 19]) {
    for (const precision of ["exact", "fast"] as const) {
      const y = linear(fused, dtype, m, 33, k, precision);
      expect(y, `${precision} M ${m}`).toEqual(linear(plain, dtype, m, 33, k, precision));
      const x = randomFloats(m * k, 9);
      for (const [row, column] of [
        [0, 0],
        [m - 1, 32],
        [5, 15],
      ] as const) {
        const products = w.subarray(column * k, (column + 1) * k).map((v, i) => v * x[row * k + i]!);
        const size = products.reduce((a, v) => a + Math.abs(v), 0);
        const sum = products.reduce((a, v) => a + v, 0);
        expect(Math.abs(y[row * 33 + column]! - sum) / size).toBeLessThan(precision === "exact" ? 1e-5 : 3e-3);
      }
    }
  }
  plain.dispose();
  fused.dispose();
});
