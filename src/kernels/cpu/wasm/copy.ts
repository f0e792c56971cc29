/** Kernels that only move rows: gatherRows and copy. A unit is a row. */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { i32 } from "./asm.ts";
import { emitUnits, rowAddress } from "./unitKernel.ts";

export function lowerGatherRows({ x, rows, y }: Extract<OpCall, { op: "gatherRows" }>, ctx: LowerContext): Command {
  const bytes = 4 * x.columns;
  const emit = (features: Features): Uint8Array<ArrayBuffer> =>
    emitUnits(features, ["x", "rows", "y"], (f, w, r) => {
      const from = i32.load(rowAddress(f, w.rows, r, 4));
      f.copyMemory(rowAddress(f, w.y, r, bytes), rowAddress(f, w.x, from, bytes), bytes);
    });
  return {
    key: `gatherRows/${bytes}`,
    emit,
    args: [ctx.address(x), ctx.address(rows), ctx.address(y)],
    units: rows.elems,
    scratchBytes: 0,
  };
}

export function lowerCopy(
  { src, srcColumn, dst, dstColumn, columns }: Extract<OpCall, { op: "copy" }>,
  ctx: LowerContext,
): Command {
  const emit = (features: Features): Uint8Array<ArrayBuffer> =>
    emitUnits(features, ["from", "to", "fromRowBytes", "toRowBytes", "bytes"], (f, w, row) => {
      const from = i32.add(w.from, i32.mul(row, w.fromRowBytes));
      f.copyMemory(i32.add(w.to, i32.mul(row, w.toRowBytes)), from, w.bytes);
    });
  return {
    key: "copy",
    emit,
    args: [
      ctx.address(src) + 4 * srcColumn,
      ctx.address(dst) + 4 * dstColumn,
      4 * src.columns,
      4 * dst.columns,
      4 * columns,
    ],
    units: src.elems / src.columns,
    scratchBytes: 0,
  };
}
