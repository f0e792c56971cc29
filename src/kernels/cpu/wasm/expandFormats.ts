/**
 * Decoders of the plain types and of the formats with blocks of 32. Formulas as in ggml-quants.c; layout as in
 * packFormats.ts.
 */
import type { DType } from "../../../tensor/dtype.ts";
import { type Expr, f32x4, i32, i32x4, v128 } from "./asm.ts";
import { bits, type DecoderFactory, f16ToF32x4, loadScale, newVectors, signedByte } from "./expandDecoder.ts";
import { madd } from "./math.ts";
import { wordOffset } from "./packFormats.ts";

const f32Decoder: DecoderFactory = (_f, format) => ({
  steps: 1,
  emit(b, columns, sink) {
    for (const c of columns) sink(0, c, v128.load(b.panel, b.at + wordOffset(format, 0) + 16 * c));
  },
});

const bf16Decoder: DecoderFactory = (f, format, _features, lanes) => {
  const v = newVectors(f, lanes);
  return {
    steps: 1,
    emit(b, columns, sink) {
      columns.forEach((c, i) => f.set(v[i]!, v128.load(b.panel, b.at + wordOffset(format, 0) + 16 * c)));
      columns.forEach((c, i) => sink(0, c, i32x4.shl(v[i]!, 16)));
      columns.forEach((c, i) => sink(1, c, v128.and(v[i]!, i32x4.splat(i32.const(-65536)))));
    },
  };
};

const f16Decoder: DecoderFactory = (f, format, _features, lanes) => {
  const v = newVectors(f, lanes);
  const half = f.v128();
  return {
    steps: 1,
    emit(b, columns, sink) {
      columns.forEach((c, i) => f.set(v[i]!, v128.load(b.panel, b.at + wordOffset(format, 0) + 16 * c)));
      for (const k of [0, 1]) {
        columns.forEach((c, i) => {
          f.set(half, bits(v[i]!, 16 * k, 16));
          sink(k, c, f16ToF32x4(f, half));
        });
      }
    },
  };
};

/** Codes of 4 or 5 bits in blocks of 32 with a scale, and either a minimum or a fixed middle. */
function smallCodes(codeBits: 4 | 5, middle: number): DecoderFactory {
  return (f, format, features, lanes) => {
    const [d, m, v, high] = [lanes, lanes, lanes, lanes].map((n) => newVectors(f, n));
    const firstCode = codeBits === 5 ? 1 : 0;
    const weight = (code: Expr, i: number): Expr =>
      middle
        ? f32x4.mul(f32x4.fromI32(i32x4.sub(code, i32x4.splat(i32.const(middle)))), d![i]!)
        : madd(features, f32x4.fromI32(code), d![i]!, m![i]!);
    return {
      steps: 1,
      emit(b, columns, sink) {
        columns.forEach((c, i) => {
          f.set(d![i]!, loadScale(b, 0, c));
          if (!middle) f.set(m![i]!, loadScale(b, 1, c));
          if (codeBits === 5) f.set(high![i]!, v128.load(b.panel, b.at + wordOffset(format, 0) + 16 * c));
        });
        for (let group = 0; group < 8; group++) {
          const word = wordOffset(format, firstCode + (group % 4));
          columns.forEach((c, i) => f.set(v![i]!, v128.load(b.panel, b.at + word + 16 * c)));
          for (let j = 0; j < 4; j++) {
            columns.forEach((c, i) => {
              const low = bits(v![i]!, 8 * j + (group < 4 ? 0 : 4), 4);
              const fifth = codeBits === 5 ? i32x4.shl(bits(high![i]!, 8 * j + group, 1), 4) : undefined;
              sink(4 * group + j, c, weight(fifth ? v128.or(low, fifth) : low, i));
            });
          }
        }
      },
    };
  };
}

const q8Decoder: DecoderFactory = (f, format, _features, lanes) => {
  const [d, v] = [newVectors(f, lanes), newVectors(f, lanes)];
  return {
    steps: 1,
    emit(b, columns, sink) {
      columns.forEach((c, i) => f.set(d[i]!, loadScale(b, 0, c)));
      for (let group = 0; group < 8; group++) {
        columns.forEach((c, i) => f.set(v[i]!, v128.load(b.panel, b.at + wordOffset(format, group) + 16 * c)));
        for (let j = 0; j < 4; j++) {
          columns.forEach((c, i) => sink(4 * group + j, c, f32x4.mul(f32x4.fromI32(signedByte(v[i]!, j)), d[i]!)));
        }
      }
    },
  };
};

export const smallDecoders: Partial<Record<DType, DecoderFactory>> = {
  f32: f32Decoder,
  f16: f16Decoder,
  bf16: bf16Decoder,
  q4_0: smallCodes(4, 8),
  q4_1: smallCodes(4, 0),
  q5_0: smallCodes(5, 16),
  q5_1: smallCodes(5, 0),
  q8_0: q8Decoder,
};
