/**
 * Vector arithmetic that kernels share: fused multiply-add where there is one, exp, the activations, sums and maxima across
 * lanes, and partial loads and stores for row ends. A row end runs the very code of a full vector, so that a value never
 * depends on its place in the row. Knows no kernel and no tensor.
 */
import type { Activation } from "../../../tensor/backend.ts";
import type { Features } from "../kernel.ts";
import { type Expr, type Func, f32, f32x4, i32, i32x4, type Local, v128 } from "./asm.ts";

/** Four lanes of one constant. */
export function splatConst(value: number): Expr {
  return f32x4.splat(f32.const(value));
}

/** a·b + c, with one rounding where the engine fuses and two where it does not. */
export function madd(features: Features, a: Expr, b: Expr, c: Expr): Expr {
  return features.fma ? f32x4.relaxedMadd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** Polynomial c[0] + c[1]·x + … by Horner's rule. */
function polynomial(features: Features, x: Expr, c: readonly number[]): Expr {
  const last = splatConst(c.at(-1) ?? 0);
  return c.slice(0, -1).reduceRight<Expr>((sum, a) => madd(features, sum, x, splatConst(a)), last);
}

/** exp overflows above, and is smaller than any normal float32 below. */
const EXP_MAX = 88.72284;
const EXP_MIN = -87.33654;

/**
 * exp(x), lane by lane: relative error ≤ 2e-7 where the result is a normal number, 0 below, Infinity above, NaN for NaN.
 * x = n·ln 2 + r with n read off the low bits of x/ln 2 + 1.5·2^23, then a polynomial in r (fitted by weighted least squares
 * to a relative error of 3e-9) whose exponent field n is added to. ln 2 is split in two as in Cephes, so that r is exact.
 */
export function expF32x4(f: Func, features: Features, value: Expr): Local {
  const x = f.v128(value);
  const magic = splatConst(12582912);
  const shifted = f.v128(madd(features, x, splatConst(Math.LOG2E), magic));
  const n = f.v128(f32x4.sub(shifted, magic));
  const r = f.v128(madd(features, n, splatConst(-0.693359375), x));
  f.set(r, madd(features, n, splatConst(2.1219444e-4), r));
  const tail = [
    0.4999999403953552, 0.1666652113199234, 0.04166838899254799, 0.00836874544620514, 0.0013814539415761828,
  ];
  const y = f.v128(polynomial(features, r, [1, 1, ...tail]));
  f.set(y, i32x4.add(y, i32x4.shl(shifted, 23)));
  f.set(y, v128.andnot(y, f32x4.lt(x, splatConst(EXP_MIN))));
  f.set(y, v128.bitselect(splatConst(Number.POSITIVE_INFINITY), y, f32x4.gt(x, splatConst(EXP_MAX))));
  f.set(y, v128.or(y, f32x4.ne(x, x))); // all ones are a NaN
  return y;
}

/** x·sigmoid(u) = x / (1 + exp(−u)). */
function timesSigmoid(f: Func, features: Features, x: Expr, minusU: Expr): Expr {
  return f32x4.div(x, f32x4.add(splatConst(1), expF32x4(f, features, minusU)));
}

/**
 * act(x), lane by lane. `gelu` uses q(x) = erfc(|x|/√2)/2 = t·P(t)·exp(−x²/2), t = 1/(1 + 0.3·|x|), where P was fitted to a
 * relative error of 1.5e-7 on [0, 14]; `gelu_tanh` is written as x·sigmoid(2u), which loses no digits for negative x.
 */
export function activationF32x4(f: Func, features: Features, act: Activation, value: Expr): Local {
  const x = f.v128(value);
  switch (act) {
    case "relu":
      return f.v128(f32x4.max(x, v128.zero()));
    case "silu":
      return f.v128(timesSigmoid(f, features, x, f32x4.neg(x)));
    case "gelu_tanh": {
      const c = -2 * Math.sqrt(2 / Math.PI);
      const minus2u = f32x4.mul(x, madd(features, f32x4.mul(x, x), splatConst(c * 0.044715), splatConst(c)));
      return f.v128(timesSigmoid(f, features, x, minus2u));
    }
    case "gelu": {
      const one = splatConst(1);
      const t = f.v128(f32x4.div(one, madd(features, f32x4.abs(x), splatConst(0.3), one)));
      const P = [0.11962930113077164, 0.1207539513707161, 0.09991350769996643, 0.1285615712404251];
      const Q = [-0.05368354544043541, 0.20635341107845306, -0.15720301866531372, 0.03567476198077202];
      const e = expF32x4(f, features, f32x4.mul(f32x4.mul(x, x), splatConst(-0.5)));
      const q = f.v128(f32x4.mul(f32x4.mul(t, polynomial(features, t, [...P, ...Q])), e));
      return f.v128(f32x4.mul(x, v128.bitselect(f32x4.sub(one, q), q, f32x4.gt(x, v128.zero()))));
    }
  }
}

/** Lanes 2, 3, 0, 1 and 1, 0, 3, 2 of a vector. */
const swapHalves = (x: Expr): Expr => v128.shuffle(x, x, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]);
const swapPairs = (x: Expr): Expr => v128.shuffle(x, x, [4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11]);

/** (x0 + x2) + (x1 + x3), in every lane. */
export function sumLanes(f: Func, x: Expr): Local {
  const sum = f.v128(x);
  f.set(sum, f32x4.add(sum, swapHalves(sum)));
  f.set(sum, f32x4.add(sum, swapPairs(sum)));
  return sum;
}

/** The largest lane, in every lane; NaN lanes may be passed over. */
export function maxLanes(f: Func, x: Expr): Local {
  const max = f.v128(x);
  f.set(max, f32x4.pmax(max, swapHalves(max)));
  f.set(max, f32x4.pmax(max, swapPairs(max)));
  return max;
}

/** The first `count` (1–4) floats at `address`; the other lanes are 0. Reads nothing beyond them. */
export function loadLanes(address: Expr, count: number, offsetBytes = 0): Expr {
  if (count === 4) return v128.load(address, offsetBytes);
  if (count === 1) return v128.load32Zero(address, offsetBytes);
  const low = v128.load64Zero(address, offsetBytes);
  if (count === 2) return low;
  const third = v128.load32Zero(address, offsetBytes + 8);
  return v128.shuffle(low, third, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
}

/** Stores the first `count` (1–4) lanes and touches nothing beyond them. */
export function storeLanes(f: Func, address: Expr, value: Expr, count: number, offsetBytes = 0): void {
  if (count === 4) {
    f.storeV128(address, value, offsetBytes);
    return;
  }
  const v = f.v128(value);
  for (let l = 0; l < count; l++) f.storeLane32(address, v, l, offsetBytes + 4 * l);
}

/** All ones in the first `count` lanes. */
export function laneMask(count: number): Expr {
  return v128.const(Array.from({ length: 16 }, (_, byte) => (byte < 4 * count ? 0xff : 0)));
}

/**
 * Runs `body` for the vectors of a row of `elems` floats: a loop over the full ones, then once more for the rest.
 * `at` is the byte offset of the vector from the row's start, `count` its number of elements (4, or less at the end).
 */
export function forVectors(f: Func, elems: number, body: (at: Local, count: number) => void): void {
  const at = f.i32();
  const fullBytes = (elems - (elems % 4)) * 4;
  if (fullBytes > 0) f.loop(at, 0, fullBytes, 16, () => body(at, 4));
  if (elems % 4 === 0) return;
  f.set(at, i32.const(fullBytes));
  body(at, elems % 4);
}
