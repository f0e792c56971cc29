/** Element types, shapes, views, scopes and the tape's checks: what everything else stands on. */
import { describe, expect, it } from "vitest";
import { dequantize } from "../../src/formats/index.ts";
import { createReferenceBackend } from "../../src/kernels/index.ts";
import { BLOCK_DTYPES, byteLength, f16ToF32, f32ToBf16, f32ToF16 } from "../../src/tensor/dtype.ts";
import { checkKeys, nearest } from "../../src/tensor/errors.ts";
import { Tape } from "../../src/tensor/ops.ts";
import { Scope } from "../../src/tensor/scope.ts";
import { numel, sameShape } from "../../src/tensor/shape.ts";

const backend = createReferenceBackend({ dequantize: (dtype, bytes) => dequantize(dtype, bytes) });

describe("half precision", () => {
  it("keeps every finite f16 through float32 and back", () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = f16ToF32(bits);
      if (Number.isNaN(value))
        expect((f32ToF16(value) & 0x7c00) === 0x7c00 && (f32ToF16(value) & 0x3ff) !== 0).toBe(true);
      else expect(f32ToF16(value)).toBe(bits);
    }
  });

  it.each([
    [1 + 2 ** -11, 0x3c00], // half way: to even
    [1 + 3 * 2 ** -11, 0x3c02],
    [65519.996, 0x7bff],
    [65520, 0x7c00],
    [2 ** -25, 0],
    [2 ** -25 * 1.0001, 1],
    [-(2 ** -14), 0x8400],
  ])("rounds %d to nearest even", (value, bits) => expect(f32ToF16(value)).toBe(bits));

  it.each([
    [1, 0x3f80],
    [1 + 2 ** -8, 0x3f80],
    [1 + 3 * 2 ** -8, 0x3f82],
    [Number.NEGATIVE_INFINITY, 0xff80],
  ])("rounds %d to bf16", (value, bits) => expect(f32ToBf16(value)).toBe(bits));
});

describe("sizes", () => {
  it("are ggml's, and whole blocks only", () => {
    expect(BLOCK_DTYPES.map((d) => byteLength(d, 256))).toEqual([144, 160, 176, 192, 272, 84, 110, 144, 176, 210]);
    expect(() => byteLength("q4_k", 128)).toThrow(/q4_k stores blocks of 256 elements, got 128/);
  });

  it("of shapes are products, and refused when they are none", () => {
    expect([numel([]), numel([3, 0]), numel([2, 3, 5])]).toEqual([1, 0, 30]);
    expect(() => numel([2, -1])).toThrow(/dimension -1/);
    expect(() => numel([2 ** 30, 2 ** 30])).toThrow(/more than 2\^53/);
    expect([sameShape([1, 2], [1, 2]), sameShape([1, 2], [2, 1]), sameShape([1], [1, 1])]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("views", () => {
  const scope = new Scope(backend);
  const t = scope.from(
    Float32Array.from({ length: 12 }, (_, i) => i),
    [4, 3],
    "t",
  );

  it("share memory: rows and reshapes", () => {
    expect([...(t.rows(1, 3).readSync() as Float32Array)]).toEqual([3, 4, 5, 6, 7, 8]);
    t.reshape([2, 6])
      .rows(1, 2)
      .write(Float32Array.of(0, 0, 0, 0, 0, 9));
    expect((t.readSync() as Float32Array)[11]).toBe(9);
  });

  it("refuse what does not fit", () => {
    expect(() => t.reshape([5, 2])).toThrow(/element counts differ/);
    expect(() => t.rows(2, 5)).toThrow(/rows 2\.\.5.*0 ≤ from ≤ to ≤ 4/);
    expect(() => t.write(new Float32Array(3))).toThrow(/write 12 bytes into f32 \[4, 3\] of 48 bytes/);
  });
});

describe("a scope", () => {
  it("gives its children's buffers to the next child, and all of them back at the end", () => {
    const before = backend.counters.liveBytes;
    const root = new Scope(backend);
    const first = root.child();
    const { buffer } = first.tensor([8], "a");
    first.dispose();
    const second = root.child();
    expect(second.tensor([8], "b").buffer).toBe(buffer);
    expect(second.tensor([8], "c").buffer).not.toBe(buffer);
    second.dispose();
    root.dispose();
    expect(backend.counters.liveBytes).toBe(before);
    expect(() => root.tensor([1], "late")).toThrow(/after disposal/);
  });
});

describe("the tape", () => {
  const tape = new Tape(backend, new Scope(backend));
  const x = tape.scope.tensor([5, 4], "x");
  const w = backend.createMatrix("w", [{ dtype: "f32", n: 3, k: 4, bytes: new Uint8Array(48) }]);

  it("checks shapes when an operation is recorded, and names the operand", () => {
    expect(tape.linear(x, w).shape).toEqual([5, 3]);
    expect(() => tape.linear(tape.scope.tensor([5, 3], "y"), w)).toThrow(
      /linear\(w\): x has shape \[5, 3\], expected \[5, 4\]/,
    );
    expect(() => tape.linear(x, w, { bias: tape.scope.tensor([4], "b") })).toThrow(
      /linear\(w\): bias has shape \[4\], expected \[3\]/,
    );
    expect(() => tape.norm(x, { kind: "rms", eps: 1 }, tape.scope.tensor([3], "g"))).toThrow(/norm: gain/);
    expect(() => tape.add(x, tape.scope.tensor([4, 5], "z"))).toThrow(/add: b has shape \[4, 5\], expected \[5, 4\]/);
    expect(() => tape.gatherRows(x, tape.scope.tensor([2], "rows"))).toThrow(
      /gatherRows: rows has dtype f32, expected i32/,
    );
    expect(() => tape.copy(x, 2, tape.scope.tensor([5, 2], "c"), 0, 3)).toThrow(/copy: 3 columns/);
  });
});

describe("messages", () => {
  it("name the nearest of what there is", () => {
    expect(nearest("temprature", ["temperature", "topK"])).toBe("temperature");
    expect(nearest("xyz", ["temperature", "topK"])).toBeUndefined();
    expect(() => checkKeys({ topk: 1 }, ["topK", "seed"], "generate")).toThrow(
      /generate: unknown option "topk" — did you mean "topK"/,
    );
    expect(() => checkKeys({ whatever: 1 }, ["topK", "seed"], "generate")).toThrow(/known options: topK, seed/);
  });
});
