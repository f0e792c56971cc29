/** Declarative steering: x[t] += coeffs[t] · vectors[index[t]], rows with a negative index untouched. A unit is a row. */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { i32, v128 } from "./asm.ts";
import { forVectors, loadLanes, madd, storeLanes } from "./math.ts";
import { at, emitUnits, rowAddress } from "./unitKernel.ts";

export function lowerSteer(
  { x, vectors, index, coeffs }: Extract<OpCall, { op: "steer" }>,
  ctx: LowerContext,
): Command {
  const D = x.columns;
  const emit = (features: Features): Uint8Array<ArrayBuffer> =>
    emitUnits(features, ["x", "vectors", "index", "coeffs"], (f, w, row) => {
      const which = f.i32(i32.load(rowAddress(f, w.index, row, 4)));
      f.if(i32.geS(which, 0), () => {
        const c = f.v128(v128.load32Splat(rowAddress(f, w.coeffs, row, 4)));
        const [to, from] = [rowAddress(f, w.x, row, 4 * D), rowAddress(f, w.vectors, which, 4 * D)];
        forVectors(f, D, (offset, count) => {
          const [v, old] = [loadLanes(at(from, offset), count), loadLanes(at(to, offset), count)];
          storeLanes(f, at(to, offset), madd(features, c, v, old), count);
        });
      });
    });
  return {
    key: `steer/${D}`,
    emit,
    args: [x, vectors, index, coeffs].map((t) => ctx.address(t)),
    units: x.elems / D,
    scratchBytes: 0,
  };
}
