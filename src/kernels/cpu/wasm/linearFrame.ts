/**
 * The frame of every `linear` kernel: argument block, and the loop over panels of 16 columns of y. What is done with a panel
 * is the caller's body. Knows no arithmetic.
 */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext, PackedSegment } from "../kernel.ts";
import { type Func, i32, type Local, ModuleBuilder } from "./asm.ts";
import { addEpilogue, type Epilogue } from "./linearEpilogue.ts";
import { PANEL, type PanelFormat, panelBytes, panelFormat } from "./packFormats.ts";

export type LinearCall = Extract<OpCall, { op: "linear" }>;

/** One storage type's share of a `linear` call. */
export interface LinearJob {
  readonly segment: PackedSegment;
  readonly format: PanelFormat;
  readonly epilogue: Epilogue;
  readonly rows: number;
  readonly k: number;
}

/** Words of the argument block. `n` is the segment's own row count; pointers are at the segment's first column. */
export const ARG = { x: 0, w: 4, y: 8, bias: 12, residual: 16, rows: 20, n: 24 } as const;

export function formatOf(segment: PackedSegment): PanelFormat {
  const format = panelFormat(segment.format as PanelFormat["dtype"]);
  if (!format) throw new Error(`linear: no panel format ${segment.format}`);
  return format;
}

/** The command of one job over `x`, the address of plain or quantised rows. */
export function linearCommand(
  call: LinearCall,
  ctx: LowerContext,
  job: LinearJob,
  kernel: Pick<Command, "key" | "emit" | "scratchBytes">,
  x = ctx.address(call.x),
): Command {
  const { segment } = job;
  const column = 4 * segment.rowStart;
  return {
    ...kernel,
    args: [
      x,
      segment.address,
      ctx.address(call.y) + column,
      call.bias ? ctx.address(call.bias) + column : 0,
      call.residual ? ctx.address(call.residual) + column : 0,
      job.rows,
      segment.n,
    ],
    units: Math.ceil(segment.n / PANEL),
  };
}

/** Pointers of one panel, advanced from panel to panel. */
export interface PanelCursor {
  readonly panel: Local;
  readonly y: Local;
  readonly bias: Local;
  readonly residual: Local;
  /** Columns of y from this panel's first one on. */
  readonly left: Local;
  /** min(left, 16). */
  readonly columns: Local;
}

/** Emits what is done once a run, and returns what emits the work on one panel. */
export type PanelBody = (f: Func, c: PanelCursor) => () => void;

export function emitPanels(
  format: PanelFormat,
  k: number,
  e: Epilogue,
  features: Features,
  makeBody: (m: ModuleBuilder, epilogue: number) => PanelBody,
): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  const body = makeBody(m, addEpilogue(m, e, features));
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
        f.increment(c.panel, panelBytes(format, k));
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
