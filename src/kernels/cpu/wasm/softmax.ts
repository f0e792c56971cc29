/**
 * Softmax over rows. `softmaxRow` is the one implementation, used by this kernel and by attention: element j goes to lane
 * j mod 4 of the sums, so rows that differ only by masked (−Infinity) whole vectors give equal numbers. A unit is a row.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { type Expr, type Func, f32x4, type Local, v128 } from "./asm.ts";
import { expF32x4, forVectors, laneMask, loadLanes, maxLanes, splatConst, storeLanes, sumLanes } from "./math.ts";
import { at, emitUnits, rowAddress } from "./unitKernel.ts";

/** Runs its body for each vector of a row: byte offset and number of elements (4, or less at the end). */
export type EachVector = (body: (offset: Local, count: number) => void) => void;

/** y = softmax(x) for one row; y may be x. */
export function softmaxRow(f: Func, features: Features, x: Expr, y: Expr, each: EachVector): void {
  const lowest = splatConst(Number.NEGATIVE_INFINITY);
  const load = (offset: Local, count: number): Expr => {
    const v = loadLanes(at(x, offset), count);
    return count === 4 ? v : v128.bitselect(v, lowest, laneMask(count));
  };
  const lanes = f.v128(lowest);
  each((offset, count) => f.set(lanes, f32x4.pmax(lanes, load(offset, count))));
  const max = maxLanes(f, lanes);
  const sums = f.v128(v128.zero());
  each((offset, count) => {
    const e = expF32x4(f, features, f32x4.sub(load(offset, count), max));
    f.set(sums, f32x4.add(sums, e));
    storeLanes(f, at(y, offset), e, count);
  });
  const inverse = f.v128(f32x4.div(splatConst(1), sumLanes(f, sums)));
  each((offset, count) => storeLanes(f, at(y, offset), f32x4.mul(loadLanes(at(y, offset), count), inverse), count));
}

export function lowerSoftmax({ x, y }: Extract<OpCall, { op: "softmax" }>, ctx: LowerContext): Command {
  const n = x.columns;
  const emit = (features: Features): Uint8Array<ArrayBuffer> =>
    emitUnits(features, ["x", "y"], (f, w, row) => {
      const [from, to] = [rowAddress(f, w.x, row, 4 * n), rowAddress(f, w.y, row, 4 * n)];
      softmaxRow(f, features, from, to, (body) => forVectors(f, n, body));
    });
  return {
    key: `softmax/${n}`,
    emit,
    args: [ctx.address(x), ctx.address(y)],
    units: x.elems / n,
    scratchBytes: 0,
  };
}
