/**
 * Stored weights to float32: floats and the 32-element GGUF blocks; K-quants are in dequantK.ts. The arithmetic is float32
 * step by step as in ggml's reference (ggml-quants.c, dequantize_row_*), so values are equal to the last bit. Knows bytes,
 * not files.
 */
import { type BlockDType, f16ToF32 } from "../tensor/dtype.ts";
import { FormatError, ShapeError } from "../tensor/errors.ts";
import { K_QUANTS } from "./dequantK.ts";
import { type StoredDType, storedLayout } from "./tensorFile.ts";

/** Writes the elements of the block that starts at `b[at]` to `out[o...]`. */
export type BlockReader = (b: Uint8Array, at: number, out: Float32Array, o: number) => void;

type FloatDType = "f64" | "f32" | "f16" | "bf16" | "f8_e4m3" | "f8_e5m2";

const round = Math.fround;
const half = (b: Uint8Array, at: number): number => f16ToF32(b[at]! | (b[at + 1]! << 8));
const word = (b: Uint8Array, at: number): number =>
  b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24);

const BLOCKS: Readonly<Record<BlockDType, BlockReader>> = {
  ...K_QUANTS,

  /** d, qs[16]: elements 0-15 in the low, 16-31 in the high half bytes, as in all of these. */
  q4_0(b, at, out, o) {
    const d = half(b, at);
    for (let i = 0; i < 16; i++) {
      const q = b[at + 2 + i]!;
      out[o + i] = ((q & 15) - 8) * d;
      out[o + 16 + i] = ((q >> 4) - 8) * d;
    }
  },

  /** d, m, qs[16]. */
  q4_1(b, at, out, o) {
    const [d, m] = [half(b, at), half(b, at + 2)];
    for (let i = 0; i < 16; i++) {
      const q = b[at + 4 + i]!;
      out[o + i] = round((q & 15) * d) + m;
      out[o + 16 + i] = round((q >> 4) * d) + m;
    }
  },

  /** d, qh (u32, the fifth bits), qs[16]. */
  q5_0(b, at, out, o) {
    const [d, high] = [half(b, at), word(b, at + 2)];
    for (let i = 0; i < 16; i++) {
      const q = b[at + 6 + i]!;
      out[o + i] = (((q & 15) | (((high >>> i) & 1) << 4)) - 16) * d;
      out[o + 16 + i] = (((q >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16) * d;
    }
  },

  /** d, m, qh, qs[16]. */
  q5_1(b, at, out, o) {
    const [d, m, high] = [half(b, at), half(b, at + 2), word(b, at + 4)];
    for (let i = 0; i < 16; i++) {
      const q = b[at + 8 + i]!;
      out[o + i] = round(((q & 15) | (((high >>> i) & 1) << 4)) * d) + m;
      out[o + 16 + i] = round(((q >> 4) | (((high >>> (i + 16)) & 1) << 4)) * d) + m;
    }
  },

  /** d, qs[32] (signed). */
  q8_0(b, at, out, o) {
    const d = half(b, at);
    for (let i = 0; i < 32; i++) out[o + i] = ((b[at + 2 + i]! << 24) >> 24) * d;
  },
};

const FLOATS: Readonly<Record<FloatDType, (bytes: Uint8Array, out: Float32Array) => void>> = {
  f64(bytes, out) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < out.length; i++) out[i] = view.getFloat64(8 * i, true);
  },
  f32(bytes, out) {
    new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(bytes);
  },
  f16(bytes, out) {
    const table = valuesOf("f16", 65536, f16ToF32);
    for (let i = 0; i < out.length; i++) out[i] = table[bytes[2 * i]! | (bytes[2 * i + 1]! << 8)]!;
  },
  bf16(bytes, out) {
    const bits = new Uint32Array(out.buffer, out.byteOffset, out.length);
    for (let i = 0; i < out.length; i++) bits[i] = (bytes[2 * i]! << 16) | (bytes[2 * i + 1]! << 24);
  },
  f8_e4m3(bytes, out) {
    const table = valuesOf("f8_e4m3", 256, e4m3);
    for (let i = 0; i < out.length; i++) out[i] = table[bytes[i]!]!;
  },
  f8_e5m2(bytes, out) {
    const table = valuesOf("f8_e5m2", 256, (bits) => f16ToF32(bits << 8));
    for (let i = 0; i < out.length; i++) out[i] = table[bytes[i]!]!;
  },
};

/** OCP 8-bit float E4M3: bias 7, no infinities, one NaN a sign (arXiv:2209.05433 §3). */
function e4m3(bits: number): number {
  const sign = bits & 0x80 ? -1 : 1;
  const exponent = (bits >> 3) & 15;
  const mantissa = bits & 7;
  if (exponent === 15 && mantissa === 7) return Number.NaN;
  return exponent === 0 ? sign * mantissa * 2 ** -9 : sign * (1 + mantissa / 8) * 2 ** (exponent - 7);
}

const tables = new Map<FloatDType, Float32Array>();

/** The value of every bit pattern, computed once: f16 by table runs several times as fast as by arithmetic. */
function valuesOf(dtype: FloatDType, patterns: number, value: (bits: number) => number): Float32Array {
  let table = tables.get(dtype);
  if (!table) {
    table = Float32Array.from({ length: patterns }, (_, bits) => value(bits));
    tables.set(dtype, table);
  }
  return table;
}

/**
 * The elements of `bytes`, which hold whole blocks of `dtype` and need no alignment, as float32; f64 is rounded, everything
 * else exact. Fills and returns `out` if given. NaNs may lose their payload.
 * @throws FormatError for types that are no weights and for split blocks; ShapeError where `out` has another length.
 */
export function dequantize(dtype: StoredDType, bytes: Uint8Array, out?: Float32Array): Float32Array {
  const float = Object.hasOwn(FLOATS, dtype) ? FLOATS[dtype as FloatDType] : undefined;
  const block = Object.hasOwn(BLOCKS, dtype) ? BLOCKS[dtype as BlockDType] : undefined;
  if (!float && !block) {
    const possible = [...Object.keys(FLOATS), ...Object.keys(BLOCKS)].join(", ");
    throw new FormatError(`cannot turn ${dtype} into float32`, `possible: ${possible}`);
  }
  const { elems, bytes: unit } = storedLayout(dtype);
  if (bytes.length % unit !== 0)
    throw new FormatError(`${bytes.length} bytes do not hold whole ${dtype} blocks of ${unit} bytes`);
  const n = (bytes.length / unit) * elems;
  const target = out ?? new Float32Array(n);
  if (target.length !== n) throw new ShapeError(`dequantize: room for ${target.length} values, expected ${n}`);
  if (float) float(bytes, target);
  if (block) for (let at = 0, o = 0; at < bytes.length; at += unit, o += elems) block(bytes, at, target, o);
  return target;
}
