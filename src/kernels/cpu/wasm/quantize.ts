/**
 * Quantises rows of x [K] to 8 bits as `Precision` says. A quantised row is the codes (see `DotPlan.xWordBytes`), then for
 * every scale part of the weights two words: d as float32, and what `PartSum` names. Knows no weights.
 */
import type { Features } from "../kernel.ts";
import { type Expr, type Func, f32x4, i8x16, i16x8, i32, i32x4, type Local, ModuleBuilder, v128 } from "./asm.ts";
import { type FastFormat, partCount, partSum } from "./fastFormats.ts";
import { maxLanes, splatConst } from "./math.ts";
import { emitUnits, rowAddress } from "./unitKernel.ts";

const BLOCK = 32;
const PART_BYTES = 8;
/** 1.5 · 2^23: adding it leaves the rounded integer in the low bits. */
const MAGIC = 12582912;
const MAGIC_BITS = 0x4b400000;
/** Blocks whose largest |x| is smaller become zeros: 127 / max|x| would overflow. */
const SMALLEST = 2 ** -100;

/** Bytes of a row's codes: where its parts begin. */
export function codeBytes(format: FastFormat, k: number): number {
  return (k / 4) * format.plan.xWordBytes;
}

export function quantizedRowBytes(format: FastFormat, k: number): number {
  return Math.ceil((codeBytes(format, k) + partCount(format, k) * PART_BYTES) / 16) * 16;
}

/** Identifies what `addQuantizeRow` emits. */
export function quantizeKey(format: FastFormat, k: number): string {
  const sum = partSum(format);
  const weight = sum === "minimum" ? format.quant.minSign : format.middle;
  return `quantize/${k}/${format.plan.xWordBytes}/${format.partElems}/${sum}${weight}`;
}

/** A kernel whose units are rows: x [rows][K] to quantised rows. args = [x, quantised]. */
export function emitQuantize(format: FastFormat, k: number, features: Features): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const quantize = addQuantizeRow(m, format, k);
  return emitUnits(
    features,
    ["x", "to"],
    (f, w, row) => {
      const x = rowAddress(f, w.x, row, 4 * k);
      f.call(quantize, [x, rowAddress(f, w.to, row, quantizedRowBytes(format, k))]);
    },
    m,
  );
}

/** Adds quantizeRow(x, to) and returns its index. */
export function addQuantizeRow(m: ModuleBuilder, format: FastFormat, k: number): number {
  return m.func(["i32", "i32"], undefined, (f) => {
    const [x, to] = f.params as [Local, Local];
    const part = f.i32(i32.add(to, codeBytes(format, k)));
    const end = f.i32(i32.add(x, 4 * k));
    const v = Array.from({ length: BLOCK / 4 }, () => f.v128());
    const [d, inverse] = [f.v128(), f.v128()];
    f.while(i32.ne(x, end), () => {
      v.forEach((l, i) => f.set(l, v128.load(x, 16 * i)));
      f.set(
        d,
        v.map((l): Expr => f32x4.abs(l)).reduce((a, b) => f32x4.max(a, b)),
      );
      f.set(d, largest(f, d));
      f.set(inverse, f32x4.div(splatConst(127), d));
      f.set(inverse, v128.and(inverse, f32x4.gt(d, splatConst(SMALLEST))));
      f.set(d, f32x4.div(d, splatConst(127)));
      for (const l of v) {
        f.set(l, f32x4.add(f32x4.mul(l, inverse), splatConst(MAGIC)));
        f.set(l, i32x4.sub(l, i32x4.splat(i32.const(MAGIC_BITS))));
      }
      storeCodes(f, format, v, to);
      storeParts(f, format, v, d, part);
      f.increment(x, 4 * BLOCK);
      f.increment(to, (BLOCK / 4) * format.plan.xWordBytes);
      f.increment(part, (BLOCK / format.partElems) * PART_BYTES);
    });
  });
}

/** The largest lane in every lane; NaN if one is NaN. */
function largest(f: Func, v: Local): Expr {
  const nan = f.v128(f32x4.ne(v, v));
  const spread = f.v128(v128.or(nan, v128.shuffle(nan, nan, [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11])));
  f.set(spread, v128.or(spread, v128.shuffle(spread, spread, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7])));
  return v128.or(maxLanes(f, v), spread);
}

/** Eight vectors of i32 to bytes, or for `i16` to 16-bit values with the middle two of every four exchanged. */
function storeCodes(f: Func, format: FastFormat, v: readonly Local[], to: Local): void {
  const halves = [0, 2, 4, 6].map((i) => f.v128(i16x8.narrowI32S(v[i]!, v[i + 1]!)));
  if (format.plan.form === "i16") {
    const exchanged = [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15];
    halves.forEach((h, i) => f.storeV128(to, v128.shuffle(h, h, exchanged), 16 * i));
    return;
  }
  f.storeV128(to, i8x16.narrowI16S(halves[0]!, halves[1]!));
  f.storeV128(to, i8x16.narrowI16S(halves[2]!, halves[3]!), 16);
}

function storeParts(f: Func, format: FastFormat, v: readonly Local[], d: Local, part: Local): void {
  const kind = partSum(format);
  const perPart = format.partElems / 4;
  for (let p = 0; p < v.length / perPart; p++) {
    f.storeLane32(part, d, 0, PART_BYTES * p);
    if (kind === "none") continue;
    const sum = f.v128(
      v
        .slice(p * perPart, (p + 1) * perPart)
        .map((l): Expr => l)
        .reduce((a, b) => i32x4.add(a, b)),
    );
    f.set(sum, i32x4.add(sum, v128.shuffle(sum, sum, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7])));
    f.set(sum, i32x4.add(sum, v128.shuffle(sum, sum, [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11])));
    const value =
      kind === "offset"
        ? i32x4.mul(sum, i32x4.splat(i32.const(-format.middle)))
        : f32x4.mul(f32x4.fromI32(sum), format.quant.minSign === 1 ? d : f32x4.neg(d));
    f.storeLane32(part, value, 0, PART_BYTES * p + 4);
  }
}
