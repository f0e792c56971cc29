/**
 * `fast` GEMV: one quantised row times one panel. Part by part in the order of K: the integer sum, made float32, times
 * (scale · d) is added to the column's sum, then minimum · dΣq; the GEMM tiles do the very same.
 */
import type { Features } from "../kernel.ts";
import { type Expr, type Func, f32x4, i32, i32x4, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import { unpackCodes, XWord } from "./fastDot.ts";
import { type FastFormat, partSum } from "./fastFormats.ts";
import { type CodeSink, emitCodeWalk, GROUPS, WALK_SCRATCH_BYTES } from "./fastWalk.ts";
import { STRIP_ROW_BYTES } from "./gemm.ts";
import { madd } from "./math.ts";
import { blockCount } from "./packFormats.ts";
import { codeBytes } from "./quantize.ts";

/** Scratch of `addFastGemv`: the strip of 16 sums, and what a walk needs. */
export const FAST_GEMV_BYTES = STRIP_ROW_BYTES + WALK_SCRATCH_BYTES;

/** Adds gemv(quantised row, panel, strip): 16 sums to `strip`. Returns its index. */
export function addFastGemv(m: ModuleBuilder, format: FastFormat, k: number, features: Features): number {
  return m.func(["i32", "i32", "i32"], undefined, (f) => {
    const [x, panel, strip] = f.params as [Local, Local, Local];
    const sink = new GemvSink(f, format, features, x, k);
    const scratch = f.i32(i32.add(strip, STRIP_ROW_BYTES));
    emitCodeWalk(f, format, blockCount(format.panel, k), panel, scratch, sink);
    sink.store(strip);
  });
}

class GemvSink implements CodeSink {
  readonly #part: Local;
  readonly #x: readonly [XWord, XWord];
  /** Integer sums of the part, and (`pair`) 16-bit sums of a run. */
  readonly #ints: Local[];
  readonly #run: Local[];
  readonly #sums: Local[];

  constructor(
    readonly f: Func,
    readonly format: FastFormat,
    readonly features: Features,
    readonly xAt: Local,
    k: number,
  ) {
    const four = (): Local[] => GROUPS.map(() => f.v128());
    this.#part = f.i32(i32.add(xAt, codeBytes(format, k)));
    this.#x = [new XWord(f, format.plan), new XWord(f, format.plan)];
    [this.#ints, this.#run, this.#sums] = [four(), four(), four()];
  }

  begin(): void {
    const offset = partSum(this.format) === "offset";
    for (const v of this.#ints) this.f.set(v, offset ? v128.load32Splat(this.#part, 4) : v128.zero());
  }

  openRun(): void {
    if (this.format.plan.form === "pair") for (const v of this.#run) this.f.set(v, v128.zero());
  }

  closeRun(): void {
    if (this.format.plan.form !== "pair") return;
    this.#ints.forEach((v, c) => this.f.set(v, i32x4.add(v, i32x4.extaddPairwiseI16S(this.#run[c]!))));
  }

  words(offsets: readonly number[]): void {
    offsets.forEach((o, i) => this.#x[i]!.load(this.xAt, o * this.format.plan.xWordBytes));
  }

  codes(index: number, c: number, bytes: Expr): void {
    const { f, format } = this;
    const sums = format.plan.form === "pair" ? this.#run : this.#ints;
    this.#x[index]!.dot(sums[c]!, unpackCodes(f, format.plan, bytes));
  }

  advance(words: number): void {
    this.f.increment(this.xAt, words * this.format.plan.xWordBytes);
  }

  end(scale: (c: number) => Expr, minimum: ((c: number) => Expr) | undefined): void {
    const { f, features } = this;
    for (const c of GROUPS) {
      const sum = this.#sums[c]!;
      const factor = f32x4.mul(scale(c), v128.load32Splat(this.#part));
      f.set(sum, madd(features, f32x4.fromI32(this.#ints[c]!), factor, sum));
      if (minimum) f.set(sum, madd(features, minimum(c), v128.load32Splat(this.#part, 4), sum));
    }
    f.increment(this.#part, 8);
  }

  store(strip: Local): void {
    this.#sums.forEach((s, c) => this.f.storeV128(strip, s, 16 * c));
  }
}
