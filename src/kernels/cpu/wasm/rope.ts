/**
 * Rotary position embedding of the q and k heads of packed qkv rows, in place, after the optional RMS norm of each head
 * (Qwen3). A unit is a row. Pairs are (i, i + Dh/2), as in Llama.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import { type Command, type Features, f32Bits, type LowerContext } from "../kernel.ts";
import { type Expr, type Func, f32, f32x4, i32, type Local } from "./asm.ts";
import { forVectors, loadLanes, storeLanes } from "./math.ts";
import { rowScale } from "./norm.ts";
import { at, emitUnits, rowAddress } from "./unitKernel.ts";

type RopeCall = Extract<OpCall, { op: "rope" }>;

/** x[d] = x[d] / rms(x) · gain[d] for one head. */
function normalizeHead(f: Func, x: Local, gain: Expr, Dh: number, eps: Expr): void {
  const divisor = f.v128(f32x4.splat(rowScale(f, x, Dh, undefined, eps)));
  forVectors(f, Dh, (offset, count) => {
    const n = f32x4.div(loadLanes(at(x, offset), count), divisor);
    storeLanes(f, at(x, offset), f32x4.mul(n, loadLanes(at(gain, offset), count)), count);
  });
}

function rotateHead(f: Func, x: Local, cos: Local, sin: Local, Dh: number): void {
  const upper = f.i32(i32.add(x, 2 * Dh));
  forVectors(f, Dh / 2, (offset, count) => {
    const load = (base: Expr): Local => f.v128(loadLanes(at(base, offset), count));
    const [a, b, c, s] = [load(x), load(upper), load(cos), load(sin)];
    storeLanes(f, at(x, offset), f32x4.sub(f32x4.mul(a, c), f32x4.mul(b, s)), count);
    storeLanes(f, at(upper, offset), f32x4.add(f32x4.mul(b, c), f32x4.mul(a, s)), count);
  });
}

function emitRope(features: Features, { heads: { H, Hkv, Dh }, qGain, kGain }: RopeCall): Uint8Array<ArrayBuffer> {
  return emitUnits(features, ["qkv", "positions", "cos", "sin", "qGain", "kGain", "eps"], (f, w, row) => {
    const position = f.i32(i32.load(rowAddress(f, w.positions, row, 4)));
    const [cos, sin] = [rowAddress(f, w.cos, position, 2 * Dh), rowAddress(f, w.sin, position, 2 * Dh)];
    const head = rowAddress(f, w.qkv, row, (H + 2 * Hkv) * Dh * 4);
    const h = f.i32();
    for (const part of [
      { from: 0, to: H, gain: qGain && w.qGain },
      { from: H, to: H + Hkv, gain: kGain && w.kGain },
    ]) {
      f.loop(h, part.from, part.to, 1, () => {
        if (part.gain) normalizeHead(f, head, part.gain, Dh, f32.reinterpret(w.eps));
        rotateHead(f, head, cos, sin, Dh);
        f.increment(head, 4 * Dh);
      });
    }
  });
}

export function lowerRope(c: RopeCall, ctx: LowerContext): Command {
  const { H, Hkv, Dh } = c.heads;
  const gain = (t: RopeCall["qGain"]): number => (t ? ctx.address(t) : 0);
  return {
    key: `rope/${H}/${Hkv}/${Dh}/${c.qGain ? 1 : 0}${c.kGain ? 1 : 0}`,
    emit: (features) => emitRope(features, c),
    args: [
      ...[c.qkv, c.positions, c.cos, c.sin].map((t) => ctx.address(t)),
      gain(c.qGain),
      gain(c.kGain),
      f32Bits(c.eps),
    ],
    units: c.positions.elems,
    scratchBytes: 0,
  };
}
