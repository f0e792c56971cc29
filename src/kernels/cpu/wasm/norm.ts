/**
 * Layer norm and RMS norm, whole or in the stages that hooks see. A unit is a row. Sums run in float64 and layer norm takes
 * the mean first: a residual stream with one element of 25,000 among ones of 1 keeps all its digits. The fused form and the
 * stages share every instruction, so they agree bit for bit.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import { type Command, type Features, f32Bits, type LowerContext } from "../kernel.ts";
import { demote, type Expr, type Func, f32, f32x4, f64, f64x2, type Local, v128 } from "./asm.ts";
import { affineF32x4 } from "./elementwise.ts";
import { forVectors, laneMask, loadLanes, storeLanes } from "./math.ts";
import { at, emitUnits, rowAddress } from "./unitKernel.ts";

type NormCall = Extract<OpCall, { op: "norm" }>;

/** Sum over a row of the float64 values of `lanes(offset, count)`, whose unused lanes must be 0. */
function rowSum(f: Func, D: number, square: boolean, lanes: (offset: Local, count: number) => Expr): Expr {
  const sums = [f.v128(v128.zero()), f.v128(v128.zero())] as const;
  const add = (sum: Local, pair: Expr): void => {
    const wide = f.v128(f64x2.promoteLow(pair));
    f.set(sum, f64x2.add(sum, square ? f64x2.mul(wide, wide) : wide));
  };
  forVectors(f, D, (offset, count) => {
    const v = f.v128(lanes(offset, count));
    add(sums[0], v);
    add(sums[1], v128.shuffle(v, v, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]));
  });
  const both = f.v128(f64x2.add(...sums));
  return f64.add(f64x2.extractLane(both, 0), f64x2.extractLane(both, 1));
}

/** Mean of a row of D floats at `x`, in every lane. */
function rowMean(f: Func, x: Local, D: number): Local {
  const sum = rowSum(f, D, false, (offset, count) => loadLanes(at(x, offset), count));
  return f.v128(f32x4.splat(demote(f64.div(sum, f64.const(D)))));
}

/** sqrt(mean((x − mean)²) + eps) of a row, as a float32. */
export function rowScale(f: Func, x: Local, D: number, mean: Local | undefined, eps: Expr): Expr {
  const squares = rowSum(f, D, true, (offset, count) => {
    const v = loadLanes(at(x, offset), count);
    if (!mean) return v;
    const centred = f32x4.sub(v, mean);
    return count === 4 ? centred : v128.and(centred, laneMask(count));
  });
  return demote(f64.sqrt(f64.add(f64.div(squares, f64.const(D)), f64.promote(eps))));
}

function emitNorm(features: Features, c: NormCall): Uint8Array<ArrayBuffer> {
  const D = c.x.columns;
  return emitUnits(features, ["x", "y", "gain", "bias", "scaleOut", "scaleIn", "eps"], (f, w, row) => {
    const x = rowAddress(f, w.x, row, 4 * D);
    const mean = c.kind === "layer" ? rowMean(f, x, D) : undefined;
    const scale = f.f32(
      c.scaleIn ? f32.load(rowAddress(f, w.scaleIn, row, 4)) : rowScale(f, x, D, mean, f32.reinterpret(w.eps)),
    );
    if (c.scaleOut) f.storeF32(rowAddress(f, w.scaleOut, row, 4), scale);
    if (!c.y) return;
    const y = rowAddress(f, w.y, row, 4 * D);
    const divisor = f.v128(f32x4.splat(scale));
    forVectors(f, D, (offset, count) => {
      const load = (base: Expr): Expr => loadLanes(at(base, offset), count);
      const n = f32x4.div(mean ? f32x4.sub(load(x), mean) : load(x), divisor);
      storeLanes(f, at(y, offset), affineF32x4(features, n, c.gain && load(w.gain), c.bias && load(w.bias)), count);
    });
  });
}

export function lowerNorm(c: NormCall, ctx: LowerContext): Command {
  const optional = [c.y, c.gain, c.bias, c.scaleOut, c.scaleIn];
  return {
    key: `norm/${c.kind}/${c.x.columns}/${optional.map((t) => (t ? 1 : 0)).join("")}`,
    emit: (features) => emitNorm(features, c),
    args: [ctx.address(c.x), ...optional.map((t) => (t ? ctx.address(t) : 0)), f32Bits(c.eps)],
    units: c.x.elems / c.x.columns,
    scratchBytes: 0,
  };
}
