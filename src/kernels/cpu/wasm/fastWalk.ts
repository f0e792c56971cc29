/**
 * Walks a quantised panel for `fast`: scale part after scale part, hands out the codes as bytes (4 columns of 4 elements a
 * vector) and then the part's scales. As in expandDecoder.ts, words are loops, never straight-line code, for V8's sake.
 * Nibble pairs of the 32-element types are taken together, so that every word is loaded once.
 */
import { type Expr, type Func, f32x4, i8x16, i32, i32x4, type Local, v128 } from "./asm.ts";
import { WORD_BYTES } from "./expandDecoder.ts";
import type { BitField } from "./expandFormats.ts";
import { f16ToF32x4, loadScale } from "./expandScales.ts";
import type { FastFormat } from "./fastFormats.ts";
import { splatConst } from "./math.ts";
import { halfOffset, PANEL, wordOffset } from "./packFormats.ts";

/** Column groups of 4. */
export const GROUPS = [0, 1, 2, 3] as const;
/** Bytes of scratch that a walk needs: scale and minimum of a K-quant block for 16 columns as float32. */
export const WALK_SCRATCH_BYTES = 2 * 4 * PANEL;

export interface CodeSink {
  /** Starts a scale part. */
  begin(): void;
  /** Starts and ends a run of words whose 16-bit sums cannot overflow. */
  openRun(): void;
  closeRun(): void;
  /** Announces the words of this iteration, as offsets in words from the current place in K. */
  words(offsets: readonly number[]): void;
  /** Codes of announced word `index` for column group c. */
  codes(index: number, c: number, bytes: Expr): void;
  /** Moves the current place on. */
  advance(words: number): void;
  /** Ends a scale part. */
  end(scale: (c: number) => Expr, minimum: ((c: number) => Expr) | undefined): void;
}

/** Emits the walk over one panel; `panel` ends at the panel's end. `scratch` has WALK_SCRATCH_BYTES. */
export function emitCodeWalk(
  f: Func,
  format: FastFormat,
  blocks: number,
  panel: Local,
  scratch: Local,
  sink: CodeSink,
): void {
  const walk = new Walk(f, format, panel, scratch, sink);
  const end = f.i32(i32.add(panel, blocks * format.panel.bytes * PANEL));
  f.while(i32.ne(panel, end), () => {
    walk.emitBlock();
    f.increment(panel, format.panel.bytes * PANEL);
  });
}

class Walk {
  readonly #lowMask: Local;
  readonly #highMask: Local;
  readonly #lowAt: Local;
  readonly #lowShift: Local;
  readonly #highAt: Local;
  readonly #highShift: Local;
  readonly #word: Local;
  readonly #left: Local;

  constructor(
    readonly f: Func,
    readonly format: FastFormat,
    readonly panel: Local,
    readonly scratch: Local,
    readonly sink: CodeSink,
  ) {
    const { low, high } = format.quant;
    const mask = (field?: BitField): Local => f.v128(i8x16.splat(i32.const(field ? 2 ** field.count - 1 : 0)));
    [this.#lowMask, this.#highMask, this.#word] = [mask(low), mask(high), f.v128()];
    [this.#lowAt, this.#lowShift, this.#highAt, this.#highShift] = [f.i32(), f.i32(), f.i32(), f.i32()];
    this.#left = f.i32();
  }

  emitBlock(): void {
    const { f, format, sink } = this;
    const { quant, panel } = format;
    if (quant.scales) {
      this.#convertScales();
      const part = f.i32();
      f.loop(part, 0, quant.parts, 1, () => {
        sink.begin();
        this.#emitWords(part, format.partElems / 4);
        this.#endPart(part);
      });
      return;
    }
    sink.begin();
    if (quant.parts === 2 && !quant.high) this.#emitNibbles();
    else for (let p = 0; p < quant.parts; p++) this.#emitWords(i32.const(p), panel.elems / quant.parts / 4);
    sink.end((c) => this.#blockScalar(0, c), quant.minSign ? (c) => this.#blockScalar(1, c) : undefined);
  }

  /** The low nibbles of 4 words are elements 0–15, the high ones 16–31. */
  #emitNibbles(): void {
    const { f, format, panel, sink } = this;
    f.set(this.#lowAt, panel);
    sink.openRun();
    f.loop(this.#left, 0, 4, 1, () => {
      sink.words([0, 4]);
      for (const c of GROUPS) {
        f.set(this.#word, v128.load(this.#lowAt, wordOffset(format.panel, 0) + 16 * c));
        sink.codes(0, c, v128.and(this.#word, this.#lowMask));
        sink.codes(1, c, v128.and(i32x4.shrU(this.#word, 4), this.#lowMask));
      }
      f.increment(this.#lowAt, WORD_BYTES);
      sink.advance(1);
    });
    sink.closeRun();
    sink.advance(4);
  }

  /** The words of one bit part, in runs that 16-bit sums can take. */
  #emitWords(part: Expr, words: number): void {
    const { f, format, sink } = this;
    const { low, high } = format.quant;
    this.#point(part, low, this.#lowAt, this.#lowShift);
    if (high) this.#point(part, high, this.#highAt, this.#highShift);
    const run = Math.min(words, format.plan.chainWords);
    for (let done = 0; done < words; done += run) {
      sink.openRun();
      f.loop(this.#left, 0, run, 1, () => {
        sink.words([0]);
        for (const c of GROUPS) sink.codes(0, c, this.#codes(c));
        f.increment(this.#lowAt, WORD_BYTES);
        if (high?.oneWord) f.increment(this.#highShift, 1);
        else if (high) f.increment(this.#highAt, WORD_BYTES);
        sink.advance(1);
      });
      sink.closeRun();
    }
  }

  #point(part: Expr, field: BitField, at: Local, shift: Local): void {
    this.f.set(at, i32.add(this.panel, i32.mul(field.word(part), WORD_BYTES)));
    if (field.shift) this.f.set(shift, field.shift(part));
  }

  #codes(c: number): Expr {
    const { low, high } = this.format.quant;
    const field = (b: BitField, at: Local, shift: Local, mask: Local): Expr => {
      const word = v128.load(at, wordOffset(this.format.panel, 0) + 16 * c);
      return b.count === 8 ? word : v128.and(b.shift ? i32x4.shrU(word, shift) : word, mask);
    };
    const codes = field(low, this.#lowAt, this.#lowShift, this.#lowMask);
    if (!high) return codes;
    return v128.or(codes, i32x4.shl(field(high, this.#highAt, this.#highShift, this.#highMask), low.count));
  }

  /**
   * Scalar `index` of a 32-element block. The exponent is moved by a multiplication, which is right for every finite f16
   * (and slow for subnormal ones, which are rare here).
   */
  #blockScalar(index: number, c: number): Expr {
    const halves = v128.load16x4S(this.panel, halfOffset(index) + 8 * c);
    const bits = v128.and(i32x4.shl(halves, 13), i32x4.splat(i32.const(0x8fffe000 | 0)));
    return f32x4.mul(bits, splatConst(2 ** 112));
  }

  #convertScales(): void {
    const { f, format, panel, scratch } = this;
    const half = f.v128();
    for (let index = 0; index < format.panel.halves.length; index++) {
      for (const c of GROUPS) {
        f.set(half, v128.load16x4U(panel, halfOffset(index) + 8 * c));
        f.storeV128(scratch, f16ToF32x4(f, half), index * 4 * PANEL + 16 * c);
      }
    }
  }

  /** Scales of a K-quant part: d · integer, exact in float32. */
  #endPart(part: Local): void {
    const { format, panel, scratch, sink } = this;
    const { scales, minSign } = format.quant;
    const integers = (c: number) =>
      scales!(part, (index) =>
        v128.load(i32.add(panel, i32.mul(index, WORD_BYTES)), wordOffset(format.panel, 0) + 16 * c),
      );
    sink.end(
      (c) => f32x4.mul(loadScale(scratch, 0, c), f32x4.fromI32(integers(c).scale)),
      minSign ? (c) => f32x4.mul(loadScale(scratch, 1, c), f32x4.fromI32(integers(c).min!)) : undefined,
    );
  }
}
