/**
 * y [K, D] = weights [K, R] · x [R, D], on top of what y holds where `add`. Sums run in float64, so that a difference of means
 * keeps its digits under what the means share. A unit is a row of y.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { type Expr, f32, f32x4, f64, f64x2, i32, v128 } from "./asm.ts";
import { forVectors, loadLanes, storeLanes } from "./math.ts";
import { at, emitUnits, rowAddress } from "./unitKernel.ts";

/** Lanes 2, 3, 0, 1. */
const swapHalves = (x: Expr): Expr => v128.shuffle(x, x, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
/** The low halves of two vectors. */
const join = (a: Expr, b: Expr): Expr => v128.shuffle(a, b, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);

export function lowerSumRows({ x, weights, y, add }: Extract<OpCall, { op: "sumRows" }>, ctx: LowerContext): Command {
  const D = x.columns;
  const emit = (features: Features): Uint8Array<ArrayBuffer> =>
    emitUnits(features, ["x", "weights", "y", "rows"], (f, w, k) => {
      const from = f.i32(i32.add(w.weights, i32.mul(k, i32.shl(w.rows, 2))));
      const end = f.i32(i32.add(from, i32.shl(w.rows, 2)));
      const to = rowAddress(f, w.y, k, 4 * D);
      const [weight, row, v, scale, low, high] = [f.i32(), f.i32(), f.v128(), f.v128(), f.v128(), f.v128()];
      forVectors(f, D, (offset, count) => {
        if (add) f.set(v, loadLanes(at(to, offset), count));
        f.set(low, add ? f64x2.promoteLow(v) : v128.zero());
        f.set(high, add ? f64x2.promoteLow(swapHalves(v)) : v128.zero());
        f.set(row, at(w.x, offset));
        f.loop(weight, from, end, 4, () => {
          f.set(scale, f64x2.splat(f64.promote(f32.load(weight))));
          f.set(v, loadLanes(row, count));
          f.set(low, f64x2.add(low, f64x2.mul(scale, f64x2.promoteLow(v))));
          f.set(high, f64x2.add(high, f64x2.mul(scale, f64x2.promoteLow(swapHalves(v)))));
          f.increment(row, 4 * D);
        });
        storeLanes(f, at(to, offset), join(f32x4.demoteZero(low), f32x4.demoteZero(high)), count);
      });
    });
  return {
    key: `sumRows/${D}${add ? "/add" : ""}`,
    emit,
    args: [...[x, weights, y].map((t) => ctx.address(t)), weights.columns],
    units: y.elems / D,
    scratchBytes: 0,
  };
}
