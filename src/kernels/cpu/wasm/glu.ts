/** The gated activation y = act(gate) · up on rows [gate | up]. A unit is a row. */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { f32x4, i32 } from "./asm.ts";
import { activationF32x4, forVectors, loadLanes, storeLanes } from "./math.ts";
import { at, emitUnits, rowAddress } from "./unitKernel.ts";

export function lowerGlu({ act, x, y }: Extract<OpCall, { op: "glu" }>, ctx: LowerContext): Command {
  const F = y.columns;
  const emit = (features: Features): Uint8Array<ArrayBuffer> =>
    emitUnits(features, ["x", "y"], (f, w, row) => {
      const gate = rowAddress(f, w.x, row, 8 * F);
      const up = f.i32(i32.add(gate, 4 * F));
      const to = rowAddress(f, w.y, row, 4 * F);
      forVectors(f, F, (offset, count) => {
        const activated = activationF32x4(f, features, act, loadLanes(at(gate, offset), count));
        storeLanes(f, at(to, offset), f32x4.mul(activated, loadLanes(at(up, offset), count)), count);
      });
    });
  return {
    key: `glu/${act}/${F}`,
    emit,
    args: [ctx.address(x), ctx.address(y)],
    units: y.elems / F,
    scratchBytes: 0,
  };
}
