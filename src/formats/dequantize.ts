/**
 * Stored weights to float32: half precisions and the 32-element GGUF blocks; K-quants are in dequantK.ts. The arithmetic is
 * float32 step by step as in ggml's reference (ggml-quants.c dequantize_row_*), so values are equal to the last bit.
 */
import { type BlockDType, bf16ToF32, blockLayout, byteLength, type DType, f16ToF32 } from "../tensor/dtype.ts";
import { FormatError } from "../tensor/errors.ts";
import { K_QUANTS } from "./dequantK.ts";
import type { StoredDType } from "./tensorFile.ts";

/** Writes the elements of the block that starts at `b[at]` to `out[o...]`. */
export type BlockReader = (b: Uint8Array, at: number, out: Float32Array, o: number) => void;

const round = Math.fround;
const half = (b: Uint8Array, at: number): number => f16ToF32(b[at]! | (b[at + 1]! << 8));
const word = (b: Uint8Array, at: number): number =>
  b[at]! | (b[at + 1]! << 8) | (b[at + 2]! << 16) | (b[at + 3]! << 24);

const BLOCKS: Readonly<Record<BlockDType, BlockReader>> = {
  ...K_QUANTS,

  q4_0(b, at, out, o) {
    const d = half(b, at);
    for (let i = 0; i < 16; i++) {
      const q = b[at + 2 + i]!;
      out[o + i] = ((q & 15) - 8) * d;
      out[o + 16 + i] = ((q >> 4) - 8) * d;
    }
  },

  q4_1(b, at, out, o) {
    const [d, m] = [half(b, at), half(b, at + 2)];
    for (let i = 0; i < 16; i++) {
      const q = b[at + 4 + i]!;
      out[o + i] = round((q & 15) * d) + m;
      out[o + 16 + i] = round((q >> 4) * d) + m;
    }
  },

  q5_0(b, at, out, o) {
    const [d, high] = [half(b, at), word(b, at + 2)];
    for (let i = 0; i < 16; i++) {
      const q = b[at + 6 + i]!;
      out[o + i] = (((q & 15) | (((high >>> i) & 1) << 4)) - 16) * d;
      out[o + 16 + i] = (((q >> 4) | (((high >>> (i + 16)) & 1) << 4)) - 16) * d;
    }
  },

  q5_1(b, at, out, o) {
    const [d, m, high] = [half(b, at), half(b, at + 2), word(b, at + 4)];
    for (let i = 0; i < 16; i++) {
      const q = b[at + 8 + i]!;
      out[o + i] = round(((q & 15) | (((high >>> i) & 1) << 4)) * d) + m;
      out[o + 16 + i] = round(((q >> 4) | (((high >>> (i + 16)) & 1) << 4)) * d) + m;
    }
  },

  q8_0(b, at, out, o) {
    const d = half(b, at);
    for (let i = 0; i < 32; i++) out[o + i] = ((b[at + 2 + i]! << 24) >> 24) * d;
  },
};

/** @throws FormatError for types that are no weights, and for a byte count that holds no whole blocks. */
export function dequantize(dtype: StoredDType, bytes: Uint8Array, out?: Float32Array): Float32Array {
  if (dtype === "f32") return copyInto(new Float32Array(bytes.slice().buffer), out);
  if (dtype === "f16" || dtype === "bf16") return fromHalf(dtype === "f16" ? f16ToF32 : bf16ToF32, bytes, out);
  const read = BLOCKS[dtype as BlockDType];
  if (!read)
    throw new FormatError(
      `cannot turn ${dtype} into float32`,
      `possible: f32, f16, bf16, ${Object.keys(BLOCKS).join(", ")}`,
    );
  const block = blockLayout(dtype as DType);
  if (bytes.length % block.bytes !== 0)
    throw new FormatError(`${bytes.length} bytes do not hold whole ${dtype} blocks of ${block.bytes} bytes`);
  const n = bytes.length / block.bytes;
  const target = expectLength(out ?? new Float32Array(n * block.elems), n * block.elems);
  for (let i = 0; i < n; i++) read(bytes, i * block.bytes, target, i * block.elems);
  return target;
}

function expectLength(out: Float32Array, elems: number): Float32Array {
  if (out.length !== elems)
    throw new FormatError(
      `dequantize: room for ${out.length} values, expected ${elems} (${byteLength("f32", elems)} bytes)`,
    );
  return out;
}

function copyInto(values: Float32Array, out?: Float32Array): Float32Array {
  if (!out) return values;
  expectLength(out, values.length).set(values);
  return out;
}

function fromHalf(toF32: (bits: number) => number, bytes: Uint8Array, out?: Float32Array): Float32Array {
  const n = bytes.length >> 1;
  const target = expectLength(out ?? new Float32Array(n), n);
  for (let i = 0; i < n; i++) target[i] = toF32(bytes[2 * i]! | (bytes[2 * i + 1]! << 8));
  return target;
}
