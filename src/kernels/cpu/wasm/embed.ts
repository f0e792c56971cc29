/**
 * y [T, D] = table[ids[t]], one unit a token: expands the panel that holds the row and takes its column. 16 times the
 * needed work, some 5 µs a token, for one decoder a format instead of two. Ids outside the segment are another command's.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { f32, i32, type Local, ModuleBuilder } from "./asm.ts";
import { addExpand, EXPANDED_ROW_BYTES, emitExpanded, expandedBytes } from "./expand.ts";
import { formatOf } from "./linearFrame.ts";
import { PANEL, type PanelFormat, panelBytes } from "./packFormats.ts";

type EmbedCall = Extract<OpCall, { op: "embed" }>;

const ARG = { table: 0, ids: 4, y: 8, rowStart: 12, n: 16 } as const;

export function lowerEmbed(call: EmbedCall, ctx: LowerContext): Command[] {
  const table = ctx.packed(call.table);
  const k = table.shape[1];
  return table.segments.map((s): Command => {
    const format = formatOf(s);
    return {
      key: `embed/${s.format}/${k}`,
      emit: (features) => emitEmbed(format, k, features),
      args: [s.address, ctx.address(call.ids), ctx.address(call.y), s.rowStart, s.n],
      units: call.ids.elems,
      scratchBytes: expandedBytes(format, k),
    };
  });
}

function emitEmbed(format: PanelFormat, k: number, features: Features): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const expand = addExpand(m, format, k, features);
  m.func(
    ["i32", "i32", "i32", "i32"],
    undefined,
    (f) => {
      const [args, t, end, scratch] = f.params as [Local, Local, Local, Local];
      const [row, b, y, i] = [f.i32(), f.i32(), f.i32(), f.i32()];
      f.loop(t, t, end, 1, () => {
        f.set(row, i32.sub(i32.load(i32.add(i32.load(args, ARG.ids), i32.shl(t, 2))), i32.load(args, ARG.rowStart)));
        f.if(i32.ltU(row, i32.load(args, ARG.n)), () => {
          f.set(b, i32.add(i32.load(args, ARG.table), i32.mul(i32.shrU(row, 4), panelBytes(format, k))));
          emitExpanded(f, expand, b, scratch);
          f.increment(b, i32.shl(i32.and(row, PANEL - 1), 2));
          f.set(y, i32.add(i32.load(args, ARG.y), i32.mul(t, 4 * k)));
          f.loop(i, 0, k, 1, () => {
            f.storeF32(y, f32.load(b));
            f.increment(b, EXPANDED_ROW_BYTES);
            f.increment(y, 4);
          });
        });
      });
    },
    "run",
  );
  return m.bytes(features);
}
