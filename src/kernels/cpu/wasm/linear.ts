/**
 * y [M, N] = act(x [M, K] · wᵀ + bias) + residual, one unit a panel of 16 rows of w. One row of x: GEMV on the stored form.
 * More: the panel is expanded to float32 once and tiled over the rows. A matrix of several storage types is one command a
 * type. K, N and what follows the sums are baked in.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext, PackedSegment } from "../kernel.ts";
import { type Func, i32, type Local, ModuleBuilder } from "./asm.ts";
import { addExpand, emitExpanded, expandedBytes } from "./expand.ts";
import { addHalfPanel, emitPanelRows, STRIP_BYTES, STRIP_ROWS } from "./gemm.ts";
import { addGemv, gemvScratchBytes } from "./gemv.ts";
import { addEpilogue, type Epilogue, epilogueKey } from "./linearEpilogue.ts";
import { blockCount, PANEL, type PanelFormat, panelBytes, panelFormat } from "./packFormats.ts";

type LinearCall = Extract<OpCall, { op: "linear" }>;

/** Words of the argument block. `n` is the segment's own row count; pointers are at the segment's first column. */
const ARG = { x: 0, w: 4, y: 8, bias: 12, residual: 16, rows: 20, n: 24 } as const;

export function lowerLinear(call: LinearCall, ctx: LowerContext): Command[] {
  const w = ctx.packed(call.w);
  const [n, k] = w.shape;
  const rows = call.x.elems / k;
  if (rows === 0) return [];
  const e: Epilogue = { n, bias: !!call.bias, residual: !!call.residual, act: call.act };
  const form = rows === 1 ? "gemv" : "gemm";
  return w.segments.map((s): Command => {
    const format = formatOf(s);
    const column = 4 * s.rowStart;
    return {
      key: `linear/${form}/${s.format}/${k}/${epilogueKey(e)}`,
      emit: (features) => emitLinear(form, format, k, e, features),
      args: [
        ctx.address(call.x),
        s.address,
        ctx.address(call.y) + column,
        call.bias ? ctx.address(call.bias) + column : 0,
        call.residual ? ctx.address(call.residual) + column : 0,
        rows,
        s.n,
      ],
      units: Math.ceil(s.n / PANEL),
      scratchBytes: form === "gemv" ? gemvScratchBytes(format, k) : STRIP_BYTES + expandedBytes(format, k),
    };
  });
}

export function formatOf(segment: PackedSegment): PanelFormat {
  const format = panelFormat(segment.format as PanelFormat["dtype"]);
  if (!format) throw new Error(`linear: no panel format ${segment.format}`);
  return format;
}

/** Pointers of one panel, advanced from panel to panel. */
interface PanelCursor {
  readonly panel: Local;
  readonly y: Local;
  readonly bias: Local;
  readonly residual: Local;
  /** Columns of y from this panel's first one on. */
  readonly left: Local;
  /** min(left, 16). */
  readonly columns: Local;
}

function emitLinear(
  form: "gemv" | "gemm",
  format: PanelFormat,
  k: number,
  e: Epilogue,
  features: Features,
): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const epilogue = addEpilogue(m, e, features);
  const body =
    form === "gemv" ? gemvBody(m, format, k, epilogue, features) : gemmBody(m, format, k, e, epilogue, features);
  m.func(
    ["i32", "i32", "i32", "i32"],
    undefined,
    (f) => {
      const [args, begin, end] = f.params as [Local, Local, Local];
      const c = openCursor(f, format, k, args, begin);
      const doPanel = body(f, c);
      f.loop(begin, begin, end, 1, () => {
        f.set(c.columns, i32.select(PANEL, c.left, i32.gtS(c.left, PANEL)));
        doPanel();
        f.increment(c.panel, blockCount(format, k) * format.bytes * PANEL);
        f.increment(c.y, 4 * PANEL);
        f.increment(c.left, -PANEL);
        if (e.bias) f.increment(c.bias, 4 * PANEL);
        if (e.residual) f.increment(c.residual, 4 * PANEL);
      });
    },
    "run",
  );
  return m.bytes(features);
}

function openCursor(f: Func, format: PanelFormat, k: number, args: Local, begin: Local): PanelCursor {
  const column = f.i32(i32.mul(begin, PANEL));
  const bytes = f.i32(i32.shl(column, 2));
  const pointer = (at: number): Local => f.i32(i32.add(i32.load(args, at), bytes));
  return {
    panel: f.i32(i32.add(i32.load(args, ARG.w), i32.mul(begin, panelBytes(format, k)))),
    y: pointer(ARG.y),
    bias: pointer(ARG.bias),
    residual: pointer(ARG.residual),
    left: f.i32(i32.sub(i32.load(args, ARG.n), column)),
    columns: f.i32(),
  };
}

type PanelBody = (f: Func, c: PanelCursor) => () => void;

function gemvBody(m: ModuleBuilder, format: PanelFormat, k: number, epilogue: number, features: Features): PanelBody {
  const gemv = addGemv(m, format, k, features);
  return (f, c) => {
    const [args, , , strip] = f.params as [Local, Local, Local, Local];
    const x = f.i32(i32.load(args, ARG.x));
    return () => {
      f.call(gemv, [x, c.panel, strip]);
      f.call(epilogue, [strip, 1, c.columns, c.bias, c.residual, c.y]);
    };
  };
}

function gemmBody(
  m: ModuleBuilder,
  format: PanelFormat,
  k: number,
  e: Epilogue,
  epilogue: number,
  features: Features,
): PanelBody {
  const expand = addExpand(m, format, k, features);
  const half = addHalfPanel(m, k, features);
  return (f, c) => {
    const [args, , , strip] = f.params as [Local, Local, Local, Local];
    const firstX = f.i32(i32.load(args, ARG.x));
    const allRows = f.i32(i32.load(args, ARG.rows));
    const expanded = f.i32(i32.add(strip, STRIP_BYTES));
    const [x, y, residual, left, rows, b] = [f.i32(), f.i32(), f.i32(), f.i32(), f.i32(), f.i32()];
    return () => {
      f.set(b, c.panel);
      emitExpanded(f, expand, b, expanded);
      f.set(x, firstX);
      f.set(y, c.y);
      f.set(residual, c.residual);
      f.set(left, allRows);
      f.while(i32.gtS(left, 0), () => {
        f.set(rows, i32.select(STRIP_ROWS, left, i32.gtS(left, STRIP_ROWS)));
        emitPanelRows(f, half, x, b, strip, rows);
        f.call(epilogue, [strip, rows, c.columns, c.bias, residual, y]);
        f.increment(x, STRIP_ROWS * 4 * k);
        f.increment(y, STRIP_ROWS * 4 * e.n);
        if (e.residual) f.increment(residual, STRIP_ROWS * 4 * e.n);
        f.increment(left, -STRIP_ROWS);
      });
    };
  };
}
