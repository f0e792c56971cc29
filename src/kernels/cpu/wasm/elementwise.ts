/**
 * Elementwise kernels: affine, add, activation. A unit is a row of the last axis. Knows the kernel contract and nothing of
 * models.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { type Expr, type Func, f32x4 } from "./asm.ts";
import { activationF32x4, forVectors, loadLanes, madd, storeLanes } from "./math.ts";
import { at, emitUnits, rowAddress } from "./unitKernel.ts";

type Call<Op extends OpCall["op"]> = Extract<OpCall, { op: Op }>;

/** n · gain + bias where each may be absent: what `norm` and `affine` do to a vector, in one place so that they agree. */
export function affineF32x4(features: Features, n: Expr, gain: Expr | undefined, bias: Expr | undefined): Expr {
  if (gain && bias) return madd(features, n, gain, bias);
  if (gain) return f32x4.mul(n, gain);
  return bias ? f32x4.add(n, bias) : n;
}

export function lowerAffine({ x, gain, bias, y }: Call<"affine">, ctx: LowerContext): Command {
  const D = x.columns;
  const emit = (features: Features): Uint8Array<ArrayBuffer> =>
    emitUnits(features, ["x", "y", "gain", "bias"], (f, w, row) => {
      const [from, to] = [rowAddress(f, w.x, row, 4 * D), rowAddress(f, w.y, row, 4 * D)];
      forVectors(f, D, (offset, count) => {
        const load = (base: Expr): Expr => loadLanes(at(base, offset), count);
        storeLanes(f, at(to, offset), affineF32x4(features, load(from), load(w.gain), bias && load(w.bias)), count);
      });
    });
  return {
    key: `affine/${D}${bias ? "/bias" : ""}`,
    emit,
    args: [ctx.address(x), ctx.address(y), ctx.address(gain), bias ? ctx.address(bias) : 0],
    units: x.elems / D,
    scratchBytes: 0,
  };
}

/** y = apply(a, b) for rows of D elements; operands are rows of the same length. */
function emitMap(
  features: Features,
  D: number,
  operands: readonly ("a" | "b")[],
  apply: (f: Func, values: readonly Expr[]) => Expr,
): Uint8Array<ArrayBuffer> {
  return emitUnits(features, ["y", "a", "b"], (f, w, row) => {
    const to = rowAddress(f, w.y, row, 4 * D);
    const from = operands.map((name) => rowAddress(f, w[name], row, 4 * D));
    forVectors(f, D, (offset, count) => {
      const values = from.map((base) => loadLanes(at(base, offset), count));
      storeLanes(f, at(to, offset), apply(f, values), count);
    });
  });
}

export function lowerAdd({ a, b, y }: Call<"add">, ctx: LowerContext): Command {
  const D = y.columns;
  return {
    key: `add/${D}`,
    emit: (features) => emitMap(features, D, ["a", "b"], (_, [p, q]) => f32x4.add(p!, q!)),
    args: [ctx.address(y), ctx.address(a), ctx.address(b)],
    units: y.elems / D,
    scratchBytes: 0,
  };
}

export function lowerActivation({ act, x, y }: Call<"activation">, ctx: LowerContext): Command {
  const D = y.columns;
  return {
    key: `activation/${act}/${D}`,
    emit: (features) => emitMap(features, D, ["a"], (f, [v]) => activationF32x4(f, features, act, v!)),
    args: [ctx.address(y), ctx.address(x), 0],
    units: y.elems / D,
    scratchBytes: 0,
  };
}
