import { describe, expect, it } from "vitest";
import { createCpuBackend } from "../../../src/kernels/index.ts";
import type { OpCall } from "../../../src/tensor/backend.ts";
import { Tape } from "../../../src/tensor/ops.ts";
import { Scope } from "../../../src/tensor/scope.ts";
import { backends, randomFloats } from "./support.ts";

const f32Bytes = (values: Float32Array): Uint8Array => new Uint8Array(values.buffer);

describe("CpuBackend", () => {
  it("names its tier and refuses unknown options", () => {
    for (const [name, backend] of backends)
      expect(backend.caps.tier).toMatch(name === "fma" ? /^wasm-simd\+fma/ : /^wasm-simd$/);
    expect(() => createCpuBackend({ fmaa: true } as never)).toThrow(/unknown option "fmaa" — did you mean "fma"/);
  });

  it("reads back what was written, at any offset and after growth", async () => {
    const backend = createCpuBackend();
    const a = backend.alloc(40, "a");
    backend.write(a, Float32Array.of(1, 2, 3));
    backend.write(a, Uint8Array.of(7, 8, 9), 13);
    const into = new Uint8Array(3);
    backend.readInto(a, 13, into);
    expect([...into]).toEqual([7, 8, 9]);
    backend.alloc(50_000_000, "big");
    backend.write(a, Uint8Array.of(4), 14);
    backend.readInto(a, 13, into);
    expect([...into]).toEqual([7, 4, 9]);
    expect(new Float32Array((await backend.read(a, 0, 12)).buffer)).toEqual(Float32Array.of(1, 2, 3));
    expect(() => backend.readInto(a, 38, into)).toThrow(/bytes 38\.\.41 of buffer a, which has 40/);
  });

  it("counts memory exactly and gives all of it back", () => {
    const backend = createCpuBackend();
    const buffer = backend.alloc(1000, "a");
    const matrix = backend.createMatrix("w", [{ dtype: "f32", n: 17, k: 5, bytes: f32Bytes(randomFloats(85, 1)) }]);
    expect(matrix.bytes).toBe(32 * 5 * 4); // two panels of 16 rows
    expect(backend.counters.liveBytes).toBe(1000 + matrix.bytes);
    backend.free(buffer);
    backend.free(buffer);
    backend.freeMatrix(matrix);
    backend.freeMatrix(matrix);
    expect(backend.counters).toMatchObject({ allocations: 1, liveBytes: 0, peakBytes: 1000 + 640 });
  });

  it("runs a list again without lowering it again, and calls JavaScript in its place", () => {
    const backend = createCpuBackend();
    const scope = new Scope(backend);
    const tape = new Tape(backend, scope);
    const x = scope.from(Float32Array.of(1, 2, 3), [1, 3], "x");
    const twice = tape.add(x, x);
    const seen: number[] = [];
    tape.host("look", () => seen.push(...(twice.readSync() as Float32Array)));
    tape.add(twice, x, x);
    backend.run(tape.calls);
    expect(seen).toEqual([2, 4, 6]);
    expect([...(x.readSync() as Float32Array)]).toEqual([3, 6, 9]);
    const live = backend.counters.liveBytes;
    backend.run(tape.calls);
    expect([...(x.readSync() as Float32Array)]).toEqual([9, 18, 27]);
    expect(backend.counters.ops).toEqual({ add: 4, host: 2 });
    expect(backend.counters.liveBytes).toBe(live);
    tape.add(x, x, x);
    backend.run(tape.calls);
    expect([...(x.readSync() as Float32Array)]).toEqual([54, 108, 162]);
    backend.release(tape.calls);
  });

  it("works above 2 GiB, where addresses are negative as signed words", () => {
    const backend = createCpuBackend();
    const low = backend.alloc(2 ** 31 + 1000, "low");
    const w = randomFloats(35 * 33, 1);
    const run = (): unknown => {
      const scope = new Scope(backend);
      const tape = new Tape(backend, scope);
      const matrix = backend.createMatrix("w", [{ dtype: "f32", n: 35, k: 33, bytes: f32Bytes(w) }]);
      const x = scope.from(randomFloats(7 * 33, 2), [7, 33], "x");
      const ids = scope.from(Int32Array.of(3, 34), [2], "ids");
      const bias = scope.from(randomFloats(35, 3), [35], "bias");
      const outputs = [
        tape.linear(x, matrix, { bias, act: "silu" }),
        tape.linear(x.rows(2, 3), matrix),
        tape.columns(x, matrix, ids),
        tape.embed(matrix, ids),
      ];
      backend.run(tape.calls);
      const values = outputs.map((t) => t.readSync());
      backend.release(tape.calls);
      scope.dispose();
      backend.freeMatrix(matrix);
      return values;
    };
    const high = run();
    backend.free(low);
    expect(high).toEqual(run());
  });

  it("says which error it is", () => {
    const backend = createCpuBackend({ maximumBytes: 4_000_000 });
    expect(() => backend.alloc(5_000_000, "kv cache")).toThrow(expect.objectContaining({ code: "E_OOM" }));
    const bytes = new Uint8Array(36);
    const create = (dtype: "q4_0" | "i32" | "f32", n: number, k: number) => () =>
      backend.createMatrix("w", [{ dtype, n, k, bytes }]);
    expect(create("q4_0", 1, 33)).toThrow(/matrix w: a q4_0 part of shape \[1, 33\].*K a multiple of 32/);
    expect(create("q4_0", 1, 32)).toThrow(/matrix w: q4_0 \[1, 32\] takes 18 bytes, got 36/);
    expect(create("i32", 3, 3)).toThrow(expect.objectContaining({ code: "E_DTYPE" }));
    expect(create("f32", 0, 3)).toThrow(expect.objectContaining({ code: "E_SHAPE" }));
    expect(() => backend.createMatrix("w", [])).toThrow(/matrix w: no parts/);
    expect(backend.counters.liveBytes).toBe(0);

    const scope = new Scope(backend);
    const x = scope.from(new Float32Array(9), [1, 9], "x");
    const matrix = backend.createMatrix("w", [{ dtype: "f32", n: 1, k: 9, bytes }]);
    const calls: OpCall[] = [{ op: "linear", x, w: matrix, y: scope.tensor([1, 1], "y") }];
    backend.freeMatrix(matrix);
    expect(() => backend.run(calls)).toThrow(/matrix w was freed or belongs to another backend/);
    scope.dispose();
    expect(() => x.readSync()).toThrow(/buffer x was freed/);
    backend.dispose();
    expect(() => backend.alloc(4, "late")).toThrow(expect.objectContaining({ code: "E_DISPOSED" }));
  });
});
