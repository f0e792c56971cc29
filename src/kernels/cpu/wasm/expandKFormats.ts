/**
 * Decoders of the K-quants: super-blocks of 256 in 8 steps of 32, one body of code a format with shifts that depend on the
 * step. A code is put together from a low and a high bit field; a weight is d·scale·(code − middle), or
 * d·scale·code − dmin·min. Formulas as in ggml-quants.c (dequantize_row_q2_K … q6_K).
 */
import type { DType } from "../../../tensor/dtype.ts";
import { type Expr, f32x4, i32, i32x4, type Local, v128 } from "./asm.ts";
import { type BlockRef, bits, type DecoderFactory, loadScale, newVectors } from "./expandDecoder.ts";
import { madd } from "./math.ts";
import { wordOffset } from "./packFormats.ts";

/** Bits of the codes of one step: word(step) + g, shifted right by shift(step), has those of k = 4g … 4g + 3 in 4 bytes. */
interface BitField {
  readonly word: (step: Expr) => Expr;
  readonly shift: (step: Expr) => Expr;
  readonly count: number;
}

/** The integer scale (and minimum) of part `part` of a step, for 4 rows; `word(i)` loads word i of the block. */
type ScaleReader = (step: Expr, part: number, word: (index: Expr) => Expr) => { scale: Expr; min?: Expr };

interface KFormat {
  readonly low: BitField;
  readonly high?: BitField;
  readonly middle: number;
  /** Parts of a step with a scale of their own. */
  readonly parts: 1 | 2;
  readonly scales: ScaleReader;
}

const constant = (value: number): Expr => i32x4.splat(i32.const(value));
const byteShift = (index: Expr): Expr => i32.shl(i32.and(index, 3), 3);
/** Index of the 16-element group that part `part` of a step is, where a step has two. */
const group = (step: Expr, part: number): Expr => i32.add(i32.shl(step, 1), part);

const fourBits = (first: number): BitField => ({
  word: (step) => i32.add(i32.shl(i32.shrU(step, 1), 3), first),
  shift: (step) => i32.shl(i32.and(step, 1), 2),
  count: 4,
});
const twoBits = (first: number): BitField => ({
  word: (step) => i32.add(i32.shl(i32.shrU(step, 2), 3), first),
  shift: (step) => i32.shl(i32.and(step, 3), 1),
  count: 2,
});
const oneBit = (first: number): BitField => ({ word: () => i32.const(first), shift: (step) => step, count: 1 });

/** 8 scales and 8 minima of 6 bits in 12 bytes; the last four of each keep their upper bits with the first four. */
const scales6: ScaleReader = (step, _part, word) => {
  const byte = (index: number): Expr => i32x4.shrU(word(i32.const(index)), byteShift(step));
  const early = i32x4.splat(i32.select(-1, 0, i32.ltU(step, i32.const(4))));
  const late = (nibble: Expr, top: Expr): Expr => v128.or(nibble, i32x4.shl(bits(top, 6, 2), 4));
  return {
    scale: v128.bitselect(bits(byte(0), 0, 6), late(bits(byte(2), 0, 4), byte(0)), early),
    min: v128.bitselect(bits(byte(1), 0, 6), late(bits(byte(2), 4, 4), byte(1)), early),
  };
};

/** 16 scales of 4 bits and 16 minima of 4 bits, a byte together. */
const scales4: ScaleReader = (step, part, word) => {
  const byte = i32x4.shrU(word(i32.shrU(step, 1)), byteShift(group(step, part)));
  return { scale: bits(byte, 0, 4), min: bits(byte, 4, 4) };
};

/** 16 scales of 6 bits less 32: low nibbles in 8 bytes, upper bits in 4. Words 24, 25 and 26. */
const scales3: ScaleReader = (step, part, word) => {
  const shift = byteShift(group(step, part));
  const low = word(i32.add(i32.and(i32.shrU(step, 1), 1), 24));
  const nibble = i32x4.shrU(low, i32.add(shift, i32.and(step, 4)));
  const top = i32x4.shrU(word(i32.const(26)), i32.add(shift, i32.and(step, 6)));
  return { scale: i32x4.sub(v128.or(bits(nibble, 0, 4), i32x4.shl(bits(top, 0, 2), 4)), constant(32)) };
};

/** 16 signed bytes from word 48 on. */
const scales8: ScaleReader = (step, part, word) => {
  const v = word(i32.add(i32.shrU(step, 1), 48));
  return { scale: i32x4.shrS(i32x4.shl(v, i32.sub(24, byteShift(group(step, part)))), 24) };
};

const K_FORMATS: Partial<Record<DType, KFormat>> = {
  q2_k: { low: twoBits(4), middle: 0, parts: 2, scales: scales4 },
  q3_k: { low: twoBits(8), high: oneBit(0), middle: 4, parts: 2, scales: scales3 },
  q4_k: { low: fourBits(3), middle: 0, parts: 1, scales: scales6 },
  q5_k: { low: fourBits(11), high: oneBit(3), middle: 0, parts: 1, scales: scales6 },
  q6_k: {
    low: {
      word: (step) => i32.add(i32.shl(i32.shrU(step, 2), 4), i32.shl(i32.and(step, 1), 3)),
      shift: (step) => i32.shl(i32.and(step, 2), 1),
      count: 4,
    },
    high: { ...twoBits(32) },
    middle: 32,
    parts: 2,
    scales: scales8,
  },
};

const STEP_ELEMS = 32;
const WORDS_PER_STEP = STEP_ELEMS / 4;

function kDecoder(k: KFormat): DecoderFactory {
  return (f, format, features, lanes) => {
    const [scale, min, low, high] = [lanes, lanes, lanes, lanes].map((n) => newVectors(f, n));
    const [lowAt, highAt, block] = [f.i32(), f.i32(), f.i32()];
    const fieldAddress = (field: BitField, step: Local): Expr => i32.add(block, i32.shl(field.word(step), 6));
    const loadScales = (b: BlockRef, c: number, i: number, step: Local, part: number): void => {
      const word = (index: Expr): Expr => v128.load(i32.add(block, i32.shl(index, 6)), wordOffset(format, 0) + 16 * c);
      const s = k.scales(step, part, word);
      f.set(scale![i]!, f32x4.mul(loadScale(b, 0, c), f32x4.fromI32(s.scale)));
      if (!s.min) return;
      f.set(min![i]!, f32x4.neg(f32x4.mul(loadScale(b, 1, c), f32x4.fromI32(s.min))));
    };
    const weight = (code: Expr, i: number): Expr =>
      k.middle
        ? f32x4.mul(f32x4.fromI32(i32x4.sub(code, constant(k.middle))), scale![i]!)
        : madd(features, f32x4.fromI32(code), scale![i]!, min![i]!);
    return {
      steps: format.elems / STEP_ELEMS,
      emit(b, columns, sink, step) {
        if (!step) throw new Error("expand: K-quants are decoded in steps");
        f.set(block, i32.add(b.panel, b.at));
        f.set(lowAt, fieldAddress(k.low, step));
        if (k.high) f.set(highAt, fieldAddress(k.high, step));
        for (let g = 0; g < WORDS_PER_STEP; g++) {
          const offset = (c: number): number => wordOffset(format, g) + 16 * c;
          columns.forEach((c, i) => {
            if (g % (WORDS_PER_STEP / k.parts) === 0) loadScales(b, c, i, step, (g * k.parts) / WORDS_PER_STEP);
            f.set(low![i]!, i32x4.shrU(v128.load(lowAt, offset(c)), k.low.shift(step)));
            if (k.high) f.set(high![i]!, i32x4.shrU(v128.load(highAt, offset(c)), k.high.shift(step)));
          });
          for (let j = 0; j < 4; j++) {
            columns.forEach((c, i) => {
              const code = bits(low![i]!, 8 * j, k.low.count);
              const top = k.high ? i32x4.shl(bits(high![i]!, 8 * j, k.high.count), k.low.count) : undefined;
              sink(4 * g + j, c, weight(top ? v128.or(code, top) : code, i));
            });
          }
        }
      },
    };
  };
}

export const kDecoders: Partial<Record<DType, DecoderFactory>> = Object.fromEntries(
  Object.entries(K_FORMATS).map(([dtype, k]) => [dtype, kDecoder(k)]),
);
