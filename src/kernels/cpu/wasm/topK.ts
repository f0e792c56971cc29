/**
 * Places and bits of the K largest of each row of x, descending: one walk that keeps the best so far in order. A number is
 * compared by an integer that rises with it, so that NaN and zeros of both signs need no care later. A unit is a row.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { type Expr, i32, type Local } from "./asm.ts";
import { at, emitUnits, rowAddress } from "./unitKernel.ts";

const MAX = 0x7fffffff;
const MIN = -0x80000000;

/** Signed, in the order of the floats whose bits are given; −0 as 0, NaN below all. */
function orderKey(bits: Local): Expr {
  const ordered = i32.select(i32.xor(bits, MAX), bits, i32.ltS(bits, 0));
  const zeroed = i32.select(0, ordered, i32.eq(bits, MIN));
  return i32.select(MIN, zeroed, i32.gtU(i32.and(bits, MAX), 0x7f800000));
}

export function lowerTopK({ x, y }: Extract<OpCall, { op: "topK" }>, ctx: LowerContext): Command {
  const [N, K] = [x.columns, y.columns];
  const emit = (features: Features): Uint8Array<ArrayBuffer> =>
    emitUnits(features, ["x", "y"], (f, w, row, scratch) => {
      const from = rowAddress(f, w.x, row, 4 * N);
      const places = rowAddress(f, w.y, row, 8 * K);
      const [i, j, bits, key, kept] = [f.i32(), f.i32(), f.i32(), f.i32(), f.i32()];
      // keys of what is kept, behind a first one that nothing passes
      const keys = f.i32(i32.add(scratch, 4));
      f.storeI32(scratch, i32.const(MAX));
      f.set(kept, 0);
      const last = i32.load(at(scratch, i32.shl(kept, 2)));
      f.loop(i, 0, N, 1, () => {
        f.set(bits, i32.load(at(from, i32.shl(i, 2))));
        f.set(key, orderKey(bits));
        f.if(i32.or(i32.ltS(kept, K), i32.ltS(last, key)), () => {
          f.set(j, i32.shl(i32.select(kept, K - 1, i32.ltS(kept, K)), 2));
          f.while(i32.ltS(i32.load(at(scratch, j)), key), () => {
            f.storeI32(at(keys, j), i32.load(at(scratch, j)));
            f.increment(j, -4);
            f.storeI32(at(places, j), i32.load(at(places, j)), 4);
            f.storeI32(at(places, j), i32.load(at(places, j), 4 * K), 4 * K + 4);
          });
          f.storeI32(at(keys, j), key);
          f.storeI32(at(places, j), i);
          f.storeI32(at(places, j), bits, 4 * K);
          f.increment(kept, i32.ltS(kept, K));
        });
      });
    });
  return {
    key: `topK/${N}/${K}`,
    emit,
    args: [ctx.address(x), ctx.address(y)],
    units: x.elems / N,
    scratchBytes: 4 * (K + 1),
  };
}
