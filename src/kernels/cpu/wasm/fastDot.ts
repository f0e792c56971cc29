/**
 * Sums of products of 8-bit activations and weight codes, in the three forms that engines offer (`DotForm`). All forms give
 * the same integer, so results do not depend on the tier. Knows neither panels nor tiles.
 */
import type { DotForm, Features } from "../kernel.ts";
import { type Expr, type Func, i8x16, i16x8, i32, i32x4, type Local, v128 } from "./asm.ts";

/** Activations are −127..127. */
const MOST_X = 127;

export interface DotPlan {
  readonly form: DotForm;
  /** Bytes of four activations: four bytes, or for `i16` the 16-bit values x0, x2, x1, x3. */
  readonly xWordBytes: number;
  /** Bytes of the codes of four elements of 16 columns, as `unpackCodes` leaves them. */
  readonly codeWordBytes: number;
  /** Words that one 16-bit sum takes without overflow (`pair`); no limit otherwise. */
  readonly chainWords: number;
  /** Codes are signed bytes; `flip` where they are made unsigned by adding 128. */
  readonly signed: boolean;
  readonly flip: boolean;
}

/** `mostCode` is the largest unsigned code of the format; `signed` formats have bytes −128..127. */
export function dotPlan(features: Features, mostCode: number, signed: boolean): DotPlan {
  const flip = signed && features.dot === "quad" && features.dotU8;
  const form = signed && !flip ? "i16" : features.dot;
  const wide = form === "i16";
  return {
    form,
    xWordBytes: wide ? 8 : 4,
    codeWordBytes: wide ? 128 : 64,
    chainWords: form === "pair" ? Math.floor(32767 / (2 * MOST_X * mostCode)) : Number.POSITIVE_INFINITY,
    signed,
    flip,
  };
}

/** Locals for one word of x, broadcast to all columns. */
export class XWord {
  readonly #values: Local[];

  constructor(
    readonly f: Func,
    readonly plan: DotPlan,
  ) {
    this.#values = Array.from({ length: plan.form === "i16" ? 2 : 1 }, () => f.v128());
  }

  load(at: Expr, offsetBytes: number): void {
    this.#values.forEach((v, i) => this.f.set(v, v128.load32Splat(at, offsetBytes + 4 * i)));
  }

  /** sum += x · codes, where `codes` are the one or two vectors of `unpackCodes`. */
  dot(sum: Local, codes: readonly Expr[]): void {
    const { f, plan } = this;
    const x = this.#values;
    if (plan.form === "quad") f.set(sum, i32x4.relaxedDotI8I7Add(x[0]!, codes[0]!, sum));
    else if (plan.form === "pair") f.set(sum, i16x8.add(sum, i16x8.relaxedDotI8I7(x[0]!, codes[0]!)));
    else for (let i = 0; i < 2; i++) f.set(sum, i32x4.add(sum, i32x4.dotI16(x[i]!, codes[i]!)));
  }
}

/** The operands of `XWord.dot` for 16 bytes of codes: 4 columns of 4 elements. */
export function unpackCodes(f: Func, plan: DotPlan, codes: Expr): Expr[] {
  if (plan.form !== "i16") return [plan.flip ? v128.xor(codes, i8x16.splat(i32.const(0x80))) : codes];
  const v = f.v128(codes);
  if (plan.signed) return [i16x8.shrS(i16x8.shl(v, 8), 8), i16x8.shrS(v, 8)];
  return [v128.and(v, i16x8.splat(i32.const(0xff))), i16x8.shrU(v, 8)];
}
