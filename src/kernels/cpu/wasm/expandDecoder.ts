/**
 * The decoder of quantised panels: emits, for one part of a block and a few column groups, the set-up of scales and
 * pointers, and the decoding of one word (4 elements). The words of a part are a loop, never straight-line code: V8 moves
 * all loads of a basic block to its top and spills them (measured on Node 20: a q4_1 GEMV twice as slow when unrolled).
 */
import type { Features } from "../kernel.ts";
import { type Expr, type Func, f32x4, i32, i32x4, type Local, v128 } from "./asm.ts";
import { type BitField, bits, type QuantFormat } from "./expandFormats.ts";
import { loadScale } from "./expandScales.ts";
import { madd } from "./math.ts";
import { PANEL, type PanelFormat, wordOffset } from "./packFormats.ts";

/** Receives the weights of panel columns [4c, 4c + 4) at element `k` past the last `advance`, in rising k for each c. */
export type WeightSink = (k: number, c: number, weights: Expr) => void;

/** Elements of one word of every quantised type. */
export const WORD_ELEMS = 4;
export const WORD_BYTES = 4 * PANEL;

const newVectors = (f: Func, count: number): Local[] => Array.from({ length: count }, () => f.v128());

export class QuantDecoder {
  readonly #scale: Local[];
  readonly #min: Local[];
  readonly #low: Local[];
  readonly #high: Local[];
  readonly #lowAt: Local;
  readonly #lowShift: Local;
  readonly #highAt: Local;
  readonly #highShift: Local;

  constructor(
    readonly f: Func,
    readonly format: PanelFormat,
    readonly quant: QuantFormat,
    readonly features: Features,
    lanes: number,
  ) {
    [this.#scale, this.#min, this.#low, this.#high] = [lanes, lanes, lanes, lanes].map((n) => newVectors(f, n)) as [
      Local[],
      Local[],
      Local[],
      Local[],
    ];
    [this.#lowAt, this.#lowShift, this.#highAt, this.#highShift] = [f.i32(), f.i32(), f.i32(), f.i32()];
  }

  /** Words of a part. */
  get words(): number {
    return this.format.elems / this.quant.parts / WORD_ELEMS;
  }

  /** Sets scales and pointers for part `part` of the block at `panel`, whose converted scalars are at `scales`. */
  emitPart(panel: Local, scales: Local, part: Expr, columns: readonly number[]): void {
    const { f, quant } = this;
    this.#point(panel, part, quant.low, this.#lowAt, this.#lowShift);
    if (quant.high) this.#point(panel, part, quant.high, this.#highAt, this.#highShift);
    columns.forEach((c, i) => {
      const [scale, min] = [this.#scale[i]!, this.#min[i]!];
      const word = (index: Expr): Expr =>
        v128.load(i32.add(panel, i32.mul(index, WORD_BYTES)), wordOffset(this.format, 0) + 16 * c);
      const integer = quant.scales?.(part, word);
      f.set(scale, loadScale(scales, 0, c));
      if (integer) f.set(scale, f32x4.mul(scale, f32x4.fromI32(integer.scale)));
      if (!quant.minSign) return;
      f.set(min, loadScale(scales, 1, c));
      if (integer?.min) f.set(min, f32x4.mul(min, f32x4.fromI32(integer.min)));
      if (quant.minSign < 0) f.set(min, f32x4.neg(min));
    });
  }

  #point(panel: Local, part: Expr, field: BitField, at: Local, shift: Local): void {
    this.f.set(at, i32.add(panel, i32.mul(field.word(part), WORD_BYTES)));
    if (field.shift) this.f.set(shift, field.shift(part));
  }

  /** Decodes the word at the pointers for each of `columns`, and moves the pointers on to the next word. */
  emitWord(columns: readonly number[], sink: WeightSink): void {
    const { f, quant } = this;
    columns.forEach((c, i) => {
      this.#load(quant.low, this.#low[i]!, this.#lowAt, this.#lowShift, c);
      if (quant.high) this.#load(quant.high, this.#high[i]!, this.#highAt, this.#highShift, c);
    });
    for (let j = 0; j < WORD_ELEMS; j++) columns.forEach((c, i) => sink(j, c, this.#weight(i, j)));
    f.increment(this.#lowAt, WORD_BYTES);
    if (quant.high?.oneWord) f.increment(this.#highShift, 1);
    else if (quant.high) f.increment(this.#highAt, WORD_BYTES);
  }

  #load(field: BitField, target: Local, at: Local, shift: Local, c: number): void {
    const v = v128.load(at, wordOffset(this.format, 0) + 16 * c);
    this.f.set(target, field.shift ? i32x4.shrU(v, shift) : v);
  }

  #weight(i: number, j: number): Expr {
    const { quant } = this;
    const scale = this.#scale[i]!;
    const low = this.#low[i]!;
    if (quant.signed) return f32x4.mul(f32x4.fromI32(signedByte(low, j)), scale);
    let code = bits(low, 8 * j, quant.low.count);
    if (quant.high) {
      code = v128.or(code, i32x4.shl(bits(this.#high[i]!, 8 * j, quant.high.count), quant.low.count));
    }
    if (quant.middle) {
      return f32x4.mul(f32x4.fromI32(i32x4.sub(code, i32x4.splat(i32.const(quant.middle)))), scale);
    }
    return madd(this.features, f32x4.fromI32(code), scale, this.#min[i]!);
  }
}

/** Byte j of every lane, sign-extended. */
function signedByte(v: Expr, j: number): Expr {
  return i32x4.shrS(j < 3 ? i32x4.shl(v, 24 - 8 * j) : v, 24);
}
