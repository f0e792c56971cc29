/** Dequantisation against Python's gguf.quants, numpy and ml_dtypes, value by value, to the last bit. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  bufferSource,
  dequantize,
  openSafetensors,
  type StoredDType,
  type TensorFile,
} from "../../src/formats/index.ts";
import { BLOCK_DTYPES } from "../../src/tensor/dtype.ts";
import { FormatError, ShapeError } from "../../src/tensor/errors.ts";
import { fixtures } from "../support/needs.ts";

const TYPES: StoredDType[] = ["f64", "f32", "f16", "bf16", "f8_e4m3", "f8_e5m2", ...BLOCK_DTYPES];

/** The first element whose bits differ, NaNs being equal to each other. */
function firstDifference(got: Float32Array, expected: Float32Array): string | undefined {
  if (got.length !== expected.length) return `${got.length} values, expected ${expected.length}`;
  const [a, b] = [got, expected].map((v) => new Uint32Array(v.buffer, v.byteOffset, v.length)) as [
    Uint32Array,
    Uint32Array,
  ];
  for (let i = 0; i < a.length; i++) {
    if (a[i] !== b[i] && !(Number.isNaN(got[i]!) && Number.isNaN(expected[i]!)))
      return `element ${i}: ${got[i]}, expected ${expected[i]}`;
  }
  return undefined;
}

describe("dequantize", () => {
  let file: TensorFile;
  beforeAll(async () => {
    const path = join(fixtures, "formats", "blocks.safetensors");
    file = await openSafetensors(bufferSource(new Uint8Array(readFileSync(path)), path));
  });
  const values = async (dtype: StoredDType) => new Float32Array((await file.read(`${dtype}.values`)).slice().buffer);

  it.each(TYPES)("%s equals Python on random and extreme blocks", async (dtype) => {
    const expected = await values(dtype);
    const bytes = await file.read(`${dtype}.bytes`);
    expect(firstDifference(dequantize(dtype, bytes), expected)).toBeUndefined();
    // the fixture would show an error: many different values, and non-finite ones where a scale can be such
    expect(new Set(expected).size).toBeGreaterThan(90);
    expect([...expected].some((v) => !Number.isFinite(v))).toBe(true);
  });

  it.each(TYPES)("%s is read at an odd offset and written into a given array", async (dtype) => {
    const bytes = await file.read(`${dtype}.bytes`);
    const odd = new Uint8Array(bytes.length + 1).subarray(1);
    odd.set(bytes);
    const expected = await values(dtype);
    const room = new Float32Array(expected.length + 2).fill(7);
    const out = room.subarray(1, -1);
    expect(dequantize(dtype, odd, out)).toBe(out);
    expect(firstDifference(out, expected)).toBeUndefined();
    expect([room[0], room.at(-1)]).toEqual([7, 7]);
  });

  it("gives nothing for nothing", () => {
    for (const dtype of TYPES) expect(dequantize(dtype, new Uint8Array(0))).toEqual(new Float32Array(0));
  });

  it.each(TYPES.filter((t) => !t.startsWith("f8")))("%s refuses a split block", (dtype) => {
    expect(() => dequantize(dtype, new Uint8Array(1))).toThrow(FormatError);
  });

  it("refuses types that are no weights, and an array of another length", () => {
    for (const dtype of ["i32", "u8", "bool", "c64", "f4"] as const)
      expect(() => dequantize(dtype, new Uint8Array(8))).toThrow(/cannot turn .* possible: f64, f32, f16/);
    expect(() => dequantize("toString" as StoredDType, new Uint8Array(8))).toThrow(FormatError);
    expect(() => dequantize("q8_0", new Uint8Array(34), new Float32Array(31))).toThrow(ShapeError);
    expect(() => dequantize("f16", new Uint8Array(4), new Float32Array(3))).toThrow(/room for 3 values, expected 2/);
  });
});
