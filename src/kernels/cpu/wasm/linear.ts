/**
 * y [M, N] = act(x [M, K] · wᵀ + bias) + residual, one unit a panel of 16 rows of w. Exact, one row of x: GEMV on the stored
 * form; more: the panel is expanded to float32 once and tiled over the rows. Fast: see fastLinear.ts. A matrix of several
 * storage types is one command a type. K, N and what follows the sums are baked in.
 */
import type { Command, Features, LowerContext } from "../kernel.ts";
import { i32, type Local, type ModuleBuilder } from "./asm.ts";
import { addExpand, emitExpanded, expandedBytes } from "./expand.ts";
import { lowerFastLinear } from "./fastLinear.ts";
import { addPanelRows, STRIP_BYTES, STRIP_ROWS } from "./gemm.ts";
import { addGemv, gemvScratchBytes } from "./gemv.ts";
import { type Epilogue, epilogueKey } from "./linearEpilogue.ts";
import {
  ARG,
  emitPanels,
  formatOf,
  type LinearCall,
  type LinearJob,
  linearCommand,
  type PanelBody,
} from "./linearFrame.ts";
import type { PanelFormat } from "./packFormats.ts";

export function lowerLinear(call: LinearCall, ctx: LowerContext): Command[] {
  const w = ctx.packed(call.w);
  const [n, k] = w.shape;
  const rows = call.x.elems / k;
  if (rows === 0) return [];
  const epilogue: Epilogue = { n, bias: !!call.bias, residual: !!call.residual, act: call.act };
  return w.segments.flatMap((segment) => {
    const job: LinearJob = { segment, format: formatOf(segment), epilogue, rows, k };
    const fast = call.precision === "fast" ? lowerFastLinear(call, ctx, job) : undefined;
    return fast ?? [lowerExact(call, ctx, job)];
  });
}

function lowerExact(call: LinearCall, ctx: LowerContext, job: LinearJob): Command {
  const { format, epilogue: e, k } = job;
  const gemv = job.rows === 1;
  return linearCommand(call, ctx, job, {
    key: `linear/${gemv ? "gemv" : "gemm"}/${format.dtype}/${k}/${epilogueKey(e)}`,
    emit: (features) =>
      emitPanels(format, k, e, features, (m, epilogue) =>
        gemv ? gemvBody(m, format, k, epilogue, features) : gemmBody(m, format, k, e, epilogue, features),
      ),
    scratchBytes: gemv ? gemvScratchBytes(format, k) : STRIP_BYTES + expandedBytes(format, k),
  });
}

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
  const panelRows = addPanelRows(m, k, features);
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
        f.call(panelRows, [x, b, strip, rows]);
        f.call(epilogue, [strip, rows, c.columns, c.bias, residual, y]);
        f.increment(x, STRIP_ROWS * 4 * k);
        f.increment(y, STRIP_ROWS * 4 * e.n);
        if (e.residual) f.increment(residual, STRIP_ROWS * 4 * e.n);
        f.increment(left, -STRIP_ROWS);
      });
    };
  };
}
