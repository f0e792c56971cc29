/**
 * How the quantised types decode. A block is a run of parts; the elements of a part share a scale and the place of their
 * bits: word w + g of a row has the codes of elements 4g … 4g + 3 in its four bytes. A weight is d·scale·(code − middle) or
 * d·scale·code − min, where every product is exact in float32 (24 bits at most), so it has one rounding at most and equals
 * float32 dequantisation bit for bit, fused or not. Formulas as in ggml-quants.c.
 */
import type { DType } from "../../../tensor/dtype.ts";
import { type Expr, i32, i32x4, v128 } from "./asm.ts";

/** Where the bits of a part's codes are; `part` is the part's index in its block. */
export interface BitField {
  /** Index of the first word. */
  readonly word: (part: Expr) => Expr;
  /** Right shift that brings the bits to the bottom of every byte. */
  readonly shift?: (part: Expr) => Expr;
  readonly count: number;
  /** One word for the whole block: group g of 4 elements is shifted by g more instead of lying g words on. */
  readonly oneWord?: boolean;
}

/** Integer factors of d and of the minimum, for 4 rows; `word(i)` loads word i of the block. */
export type ScaleReader = (part: Expr, word: (index: Expr) => Expr) => { scale: Expr; min?: Expr };

export interface QuantFormat {
  /** Parts of a block. */
  readonly parts: number;
  readonly low: BitField;
  readonly high?: BitField;
  /** Codes are signed bytes. */
  readonly signed?: boolean;
  /** Subtracted from the code; where it is 0 and codes are unsigned, scalar 1 of the block is a minimum. */
  readonly middle?: number;
  readonly scales?: ScaleReader;
  /** Sign of the stored minimum: w = scale·code + minSign·min. */
  readonly minSign?: 1 | -1;
}

/** Bits [at, at + count) of every lane. */
export function bits(v: Expr, at: number, count: number): Expr {
  const shifted = at ? i32x4.shrU(v, at) : v;
  return at + count === 32 ? shifted : v128.and(shifted, i32x4.splat(i32.const(2 ** count - 1)));
}

const times = (x: Expr, power: number): Expr => i32.shl(x, power);
const over = (x: Expr, power: number): Expr => i32.shrU(x, power);

/** Blocks of 32 with 4-bit codes: elements 0–15 in low nibbles, 16–31 in high ones. */
const nibbles = (first: number): BitField => ({
  word: () => i32.const(first),
  shift: (part) => times(part, 2),
  count: 4,
});
/** Their fifth bits, regrouped while packing: bit 8j + g is of element 4g + j. */
const fifthBits: BitField = { word: () => i32.const(0), shift: (part) => times(part, 2), count: 1, oneWord: true };

/** K-quants with 8 parts of 32: 64 elements share 8 words, the first 32 in low nibbles. */
const kNibbles = (first: number): BitField => ({
  word: (part) => i32.add(times(over(part, 1), 3), first),
  shift: (part) => times(i32.and(part, 1), 2),
  count: 4,
});
/** K-quants with 16 parts of 16: 128 elements share 8 words, 2 bits each. */
const kPairs = (first: number): BitField => ({
  word: (part) => i32.add(i32.add(times(over(part, 3), 3), times(i32.and(part, 1), 2)), first),
  shift: (part) => i32.and(part, 6),
  count: 2,
});
/** q6_K: 128 elements share 16 words, the first 64 in low nibbles. */
const sixBitNibbles: BitField = {
  word: (part) => i32.add(times(over(part, 3), 4), times(i32.and(part, 3), 2)),
  shift: (part) => i32.and(part, 4),
  count: 4,
};

const byteShift = (index: Expr): Expr => times(i32.and(index, 3), 3);

/** 8 scales and 8 minima of 6 bits in 12 bytes; the last four of each keep their upper bits with the first four. */
const scales6: ScaleReader = (part, word) => {
  const byte = (index: number): Expr => i32x4.shrU(word(i32.const(index)), byteShift(part));
  const early = i32x4.splat(i32.select(-1, 0, i32.ltU(part, 4)));
  const late = (nibble: Expr, top: Expr): Expr => v128.or(nibble, i32x4.shl(bits(top, 6, 2), 4));
  return {
    scale: v128.bitselect(bits(byte(0), 0, 6), late(bits(byte(2), 0, 4), byte(0)), early),
    min: v128.bitselect(bits(byte(1), 0, 6), late(bits(byte(2), 4, 4), byte(1)), early),
  };
};

/** 16 scales of 4 bits and 16 minima of 4 bits, a byte together. */
const scales4: ScaleReader = (part, word) => {
  const byte = i32x4.shrU(word(over(part, 2)), byteShift(part));
  return { scale: bits(byte, 0, 4), min: bits(byte, 4, 4) };
};

/** 16 scales of 6 bits less 32: low nibbles in words 24 and 25, upper bits in word 26. */
const scales3: ScaleReader = (part, word) => {
  const nibble = i32x4.shrU(
    word(i32.add(i32.and(over(part, 2), 1), 24)),
    i32.add(byteShift(part), i32.and(over(part, 1), 4)),
  );
  const top = i32x4.shrU(word(i32.const(26)), i32.add(byteShift(part), i32.and(over(part, 1), 6)));
  const scale = v128.or(bits(nibble, 0, 4), i32x4.shl(bits(top, 0, 2), 4));
  return { scale: i32x4.sub(scale, i32x4.splat(i32.const(32))) };
};

/** 16 signed bytes from word 48 on. */
const scales8: ScaleReader = (part, word) => ({
  scale: i32x4.shrS(i32x4.shl(word(i32.add(over(part, 2), 48)), i32.sub(24, byteShift(part))), 24),
});

export const QUANT_FORMATS: Partial<Record<DType, QuantFormat>> = {
  q4_0: { parts: 2, low: nibbles(0), middle: 8 },
  q4_1: { parts: 2, low: nibbles(0), minSign: 1 },
  q5_0: { parts: 2, low: nibbles(1), high: fifthBits, middle: 16 },
  q5_1: { parts: 2, low: nibbles(1), high: fifthBits, minSign: 1 },
  q8_0: { parts: 1, low: { word: () => i32.const(0), count: 8 }, signed: true },
  q2_k: { parts: 16, low: kPairs(4), scales: scales4, minSign: -1 },
  q3_k: {
    parts: 16,
    low: kPairs(8),
    high: { word: (part) => times(i32.and(part, 1), 2), shift: (part) => over(part, 1), count: 1 },
    middle: 4,
    scales: scales3,
  },
  q4_k: { parts: 8, low: kNibbles(3), scales: scales6, minSign: -1 },
  q5_k: {
    parts: 8,
    low: kNibbles(11),
    high: { word: () => i32.const(3), shift: (part) => part, count: 1 },
    scales: scales6,
    minSign: -1,
  },
  q6_k: { parts: 16, low: sixBitNibbles, high: kPairs(32), middle: 32, scales: scales8 },
};
