/**
 * Element types: the plain ones and the GGUF block types, their sizes, and bit conversions between half precisions and
 * float32. Knows nothing of tensors, files or devices.
 */
import { DTypeError } from "./errors.ts";

export const PLAIN_DTYPES = ["f32", "f16", "bf16", "i32", "u32", "u8"] as const;
export const BLOCK_DTYPES = ["q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_k", "q3_k", "q4_k", "q5_k", "q6_k"] as const;

export type PlainDType = (typeof PLAIN_DTYPES)[number];
export type BlockDType = (typeof BLOCK_DTYPES)[number];
export type DType = PlainDType | BlockDType;

/** Elements and bytes of the smallest unit that is stored as a whole (1 element for the plain types). */
export interface BlockLayout {
  readonly elems: number;
  readonly bytes: number;
}

/** Sizes as in ggml-common.h; the K-quants are super-blocks of 256 elements. */
const LAYOUTS: Readonly<Record<DType, BlockLayout>> = {
  f32: { elems: 1, bytes: 4 },
  f16: { elems: 1, bytes: 2 },
  bf16: { elems: 1, bytes: 2 },
  i32: { elems: 1, bytes: 4 },
  u32: { elems: 1, bytes: 4 },
  u8: { elems: 1, bytes: 1 },
  q4_0: { elems: 32, bytes: 18 },
  q4_1: { elems: 32, bytes: 20 },
  q5_0: { elems: 32, bytes: 22 },
  q5_1: { elems: 32, bytes: 24 },
  q8_0: { elems: 32, bytes: 34 },
  q2_k: { elems: 256, bytes: 84 },
  q3_k: { elems: 256, bytes: 110 },
  q4_k: { elems: 256, bytes: 144 },
  q5_k: { elems: 256, bytes: 176 },
  q6_k: { elems: 256, bytes: 210 },
};

export function blockLayout(dtype: DType): BlockLayout {
  return LAYOUTS[dtype];
}

/** Bytes that `elems` elements take. @throws DTypeError where `elems` is not a whole number of blocks. */
export function byteLength(dtype: DType, elems: number): number {
  const { elems: per, bytes } = LAYOUTS[dtype];
  if (elems % per !== 0) {
    throw new DTypeError(`${dtype} stores blocks of ${per} elements, got ${elems} elements`, "pad the row length");
  }
  return (elems / per) * bytes;
}

const scratchF32 = new Float32Array(1);
const scratchU32 = new Uint32Array(scratchF32.buffer);

/** float32 to bf16 bits, rounding to nearest even; NaN stays NaN. */
export function f32ToBf16(value: number): number {
  scratchF32[0] = value;
  const u = scratchU32[0]!;
  if ((u & 0x7fffffff) > 0x7f800000) return ((u >>> 16) | 0x40) & 0xffff;
  return ((u + 0x7fff + ((u >>> 16) & 1)) >>> 16) & 0xffff;
}

/** IEEE binary16 bits to float32 (exact). */
export function f16ToF32(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >>> 10) & 0x1f;
  const mantissa = bits & 0x3ff;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1 + mantissa / 1024) * 2 ** (exponent - 15);
}

/** float32 to IEEE binary16 bits, rounding to nearest even; overflow becomes infinity. */
export function f32ToF16(value: number): number {
  scratchF32[0] = value;
  const u = scratchU32[0]!;
  const sign = (u >>> 16) & 0x8000;
  const magnitude = u & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x477ff000) return sign | 0x7c00; // 65520 and above rounds to infinity
  if (magnitude < 0x33000001) return sign; // 2^-25 and below rounds to zero
  const exponent = (magnitude >>> 23) - 127;
  const mantissa = (magnitude & 0x7fffff) | 0x800000;
  const shift = exponent < -14 ? -1 - exponent : 13; // subnormal halves keep fewer bits
  const base = exponent < -14 ? 0 : (exponent + 14) << 10;
  const half = 1 << (shift - 1);
  const rounded = (mantissa + half - 1 + ((mantissa >>> shift) & 1)) >>> shift;
  return sign | (base + rounded);
}
