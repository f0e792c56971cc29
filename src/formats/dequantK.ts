/**
 * K-quants: super-blocks of 256 elements with small integer scales under one or two f16 scales. Layouts as in ggml-common.h
 * (block_q2_K ... block_q6_K); float32 step by step as in ggml's reference. Knows bytes, not files.
 */
import { f16ToF32 } from "../tensor/dtype.ts";
import type { BlockReader } from "./dequantize.ts";

const round = Math.fround;
const half = (b: Uint8Array, at: number): number => f16ToF32(b[at]! | (b[at + 1]! << 8));

/** Where 2-bit values of sub-block j of 16 elements lie: 128 elements share 32 bytes, in four groups of bits. */
const quarter = (j: number): number => 32 * (j >> 3) + 16 * (j & 1);
const group = (j: number): number => (j >> 1) & 3;

/** 6-bit scale and minimum j of the 12 packed bytes of Q4_K and Q5_K. */
function scaleMin(b: Uint8Array, at: number, j: number): readonly [number, number] {
  if (j < 4) return [b[at + j]! & 63, b[at + j + 4]! & 63];
  return [(b[at + j + 4]! & 15) | ((b[at + j - 4]! >> 6) << 4), (b[at + j + 4]! >> 4) | ((b[at + j]! >> 6) << 4)];
}

/** 6-bit scale j of the 12 packed bytes of Q3_K, less its offset of 32. */
function scaleQ3(b: Uint8Array, at: number, j: number): number {
  const low = j < 8 ? b[at + j]! & 15 : b[at + j - 8]! >> 4;
  const high = (b[at + 8 + (j & 3)]! >> (2 * (j >> 2))) & 3;
  return (low | (high << 4)) - 32;
}

export const K_QUANTS: Readonly<Record<"q2_k" | "q3_k" | "q4_k" | "q5_k" | "q6_k", BlockReader>> = {
  /** scales[16], qs[64], d, dmin. */
  q2_k(b, at, out, o) {
    const [d, dmin] = [half(b, at + 80), half(b, at + 82)];
    for (let j = 0; j < 16; j++) {
      const s = b[at + j]!;
      const [scale, min] = [round(d * (s & 15)), round(dmin * (s >> 4))];
      const [qs, shift] = [at + 16 + quarter(j), 2 * group(j)];
      for (let i = 0; i < 16; i++) out[o + 16 * j + i] = round(scale * ((b[qs + i]! >> shift) & 3)) - min;
    }
  },

  /** hmask[32], qs[64], scales[12], d. A set bit of hmask means that 4 is not subtracted. */
  q3_k(b, at, out, o) {
    const d = half(b, at + 108);
    for (let j = 0; j < 16; j++) {
      const scale = round(d * scaleQ3(b, at + 96, j));
      const [qs, shift] = [at + 32 + quarter(j), 2 * group(j)];
      const [mask, bit] = [at + 16 * (j & 1), j >> 1];
      for (let i = 0; i < 16; i++) {
        const high = (b[mask + i]! >> bit) & 1;
        out[o + 16 * j + i] = scale * (((b[qs + i]! >> shift) & 3) - (high ? 0 : 4));
      }
    }
  },

  /** d, dmin, scales[12], qs[128]. */
  q4_k(b, at, out, o) {
    const [d, dmin] = [half(b, at), half(b, at + 2)];
    for (let j = 0; j < 8; j++) {
      const [s, m] = scaleMin(b, at + 4, j);
      const [scale, min] = [round(d * s), round(dmin * m)];
      for (let i = 0; i < 32; i++) {
        const q = (b[at + 16 + 32 * (j >> 1) + i]! >> (4 * (j & 1))) & 15;
        out[o + 32 * j + i] = round(scale * q) - min;
      }
    }
  },

  /** d, dmin, scales[12], qh[32], qs[128]. */
  q5_k(b, at, out, o) {
    const [d, dmin] = [half(b, at), half(b, at + 2)];
    for (let j = 0; j < 8; j++) {
      const [s, m] = scaleMin(b, at + 4, j);
      const [scale, min] = [round(d * s), round(dmin * m)];
      for (let i = 0; i < 32; i++) {
        const low = (b[at + 48 + 32 * (j >> 1) + i]! >> (4 * (j & 1))) & 15;
        const high = (b[at + 16 + i]! >> j) & 1;
        out[o + 32 * j + i] = round(scale * (low | (high << 4))) - min;
      }
    }
  },

  /** ql[128], qh[64], scales[16] (signed), d. */
  q6_k(b, at, out, o) {
    const d = half(b, at + 208);
    for (let j = 0; j < 16; j++) {
      const scale = round(d * ((b[at + 192 + j]! << 24) >> 24));
      const g = group(j);
      const [ql, lowShift] = [at + 64 * (j >> 3) + 32 * (g & 1) + 16 * (j & 1), 4 * (g >> 1)];
      const [qh, highShift] = [at + 128 + quarter(j), 2 * g];
      for (let i = 0; i < 16; i++) {
        const low = (b[ql + i]! >> lowShift) & 15;
        const high = (b[qh + i]! >> highShift) & 3;
        out[o + 16 * j + i] = scale * ((low | (high << 4)) - 32);
      }
    }
  },
};
