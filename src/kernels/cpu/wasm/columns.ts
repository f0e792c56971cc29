/**
 * y [R, C] = x [R, K] · w[ids[c]]ᵀ, one unit an id: the half panel that holds the row is multiplied by the GEMM tiles and
 * one of its 8 columns kept, so that a value equals `linear`'s bit for bit. Meant for few ids of a large matrix.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { f32, i32, type Local, ModuleBuilder } from "./asm.ts";
import { addExpand, emitExpanded, expandedBytes } from "./expand.ts";
import { addHalfPanel, STRIP_BYTES, STRIP_ROW_BYTES, STRIP_ROWS } from "./gemm.ts";
import { formatOf } from "./linearFrame.ts";
import { type PanelFormat, panelBytes } from "./packFormats.ts";

type ColumnsCall = Extract<OpCall, { op: "columns" }>;

const ARG = { x: 0, w: 4, ids: 8, y: 12, rowStart: 16, n: 20, rows: 24, columns: 28 } as const;

export function lowerColumns(call: ColumnsCall, ctx: LowerContext): Command[] {
  const w = ctx.packed(call.w);
  const k = w.shape[1];
  const columns = call.ids.elems;
  return w.segments.map((s): Command => {
    const format = formatOf(s);
    const [x, ids, y] = [ctx.address(call.x), ctx.address(call.ids), ctx.address(call.y)];
    return {
      key: `columns/${s.format}/${k}`,
      emit: (features) => emitColumns(format, k, features),
      args: [x, s.address, ids, y, s.rowStart, s.n, call.x.elems / k, columns],
      units: columns,
      scratchBytes: STRIP_BYTES + expandedBytes(format, k),
    };
  });
}

function emitColumns(format: PanelFormat, k: number, features: Features): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const expand = addExpand(m, format, k, features);
  const half = addHalfPanel(m, k, features);
  m.func(
    ["i32", "i32", "i32", "i32"],
    undefined,
    (f) => {
      const [args, c, end, strip] = f.params as [Local, Local, Local, Local];
      const expanded = f.i32(i32.add(strip, STRIP_BYTES));
      const yStride = f.i32(i32.shl(i32.load(args, ARG.columns), 2));
      const [row, b, x, y, left, rows, from] = [f.i32(), f.i32(), f.i32(), f.i32(), f.i32(), f.i32(), f.i32()];
      const id = i32.load(i32.add(i32.load(args, ARG.ids), i32.shl(c, 2)));
      f.loop(c, c, end, 1, () => {
        f.set(row, i32.sub(id, i32.load(args, ARG.rowStart)));
        f.if(i32.ltU(row, i32.load(args, ARG.n)), () => {
          f.set(b, i32.add(i32.load(args, ARG.w), i32.mul(i32.shrU(row, 4), panelBytes(format, k))));
          emitExpanded(f, expand, b, expanded);
          f.increment(b, i32.shl(i32.and(row, 8), 2));
          f.set(x, i32.load(args, ARG.x));
          f.set(y, i32.add(i32.load(args, ARG.y), i32.shl(c, 2)));
          f.set(left, i32.load(args, ARG.rows));
          f.while(i32.gtS(left, 0), () => {
            f.set(rows, i32.select(STRIP_ROWS, left, i32.gtS(left, STRIP_ROWS)));
            f.call(half, [x, b, strip, rows]);
            f.set(from, i32.add(strip, i32.shl(i32.and(row, 7), 2)));
            f.while(i32.gtS(rows, 0), () => {
              f.storeF32(y, f32.load(from));
              f.increment(from, STRIP_ROW_BYTES);
              f.set(y, i32.add(y, yStride));
              f.increment(rows, -1);
            });
            f.increment(x, STRIP_ROWS * 4 * k);
            f.increment(left, -STRIP_ROWS);
          });
        });
      });
    },
    "run",
  );
  return m.bytes(features);
}
