/**
 * `linear` with precision `fast`. One row: every thread quantises it for itself, which is cheaper than a barrier, and runs
 * the GEMV. More: a command of its own quantises the rows into shared memory, then the GEMM runs (measured: from two rows on
 * it costs no more than GEMVs). A row's result is the same in both, bit for bit.
 */
import type { Command, Features, LowerContext } from "../kernel.ts";
import { i32, type Local, type ModuleBuilder } from "./asm.ts";
import { type FastFormat, fastFormat } from "./fastFormats.ts";
import { addFastPanel, addUnpack, fastStripBytes, fastStripRows, unpackedBytes } from "./fastGemm.ts";
import { addFastGemv, FAST_GEMV_BYTES } from "./fastGemv.ts";
import { epilogueKey } from "./linearEpilogue.ts";
import { ARG, emitPanels, type LinearCall, type LinearJob, linearCommand, type PanelBody } from "./linearFrame.ts";
import { addQuantizeRow, emitQuantize, quantizedRowBytes, quantizeKey } from "./quantize.ts";

/** Undefined where `fast` is not defined for the job's weights. */
export function lowerFastLinear(call: LinearCall, ctx: LowerContext, job: LinearJob): Command[] | undefined {
  const { k, rows, epilogue: e } = job;
  const fast = fastFormat(job.format, ctx.features);
  if (!fast) return undefined;
  const rowBytes = quantizedRowBytes(fast, k);
  const key = `${fast.panel.dtype}/${k}/${epilogueKey(e)}`;
  const emit = (body: (m: ModuleBuilder, epilogue: number, features: Features) => PanelBody) => (features: Features) =>
    emitPanels(job.format, k, e, features, (m, epilogue) => body(m, epilogue, features));
  if (rows === 1) {
    const scratchBytes = FAST_GEMV_BYTES + rowBytes;
    const body = emit((m, epilogue, features) => rowBody(m, fast, k, epilogue, features));
    return [linearCommand(call, ctx, job, { key: `linear/fast1/${key}`, emit: body, scratchBytes })];
  }
  const shared = ctx.shared(rows * rowBytes);
  const quantize: Command = {
    key: quantizeKey(fast, k),
    emit: (features) => emitQuantize(fast, k, features),
    args: [ctx.address(call.x), shared],
    units: rows,
    scratchBytes: 0,
  };
  const multiply = {
    key: `linear/fast/${key}`,
    emit: emit((m, epilogue, features) => rowsBody(m, job, fast, epilogue, features)),
    scratchBytes: fastStripBytes(fast, ctx.features) + unpackedBytes(fast, k),
  };
  return [quantize, linearCommand(call, ctx, job, multiply, shared)];
}

/** One row, quantised into this thread's scratch. */
function rowBody(m: ModuleBuilder, fast: FastFormat, k: number, epilogue: number, features: Features): PanelBody {
  const quantize = addQuantizeRow(m, fast, k);
  const gemv = addFastGemv(m, fast, k, features);
  return (f, c) => {
    const [args, , , strip] = f.params as [Local, Local, Local, Local];
    const x = f.i32(i32.add(strip, FAST_GEMV_BYTES));
    f.call(quantize, [i32.load(args, ARG.x), x]);
    return () => {
      f.call(gemv, [x, c.panel, strip]);
      f.call(epilogue, [strip, 1, c.columns, c.bias, c.residual, c.y]);
    };
  };
}

/** Quantised rows: the panel is unpacked once for all. */
function rowsBody(
  m: ModuleBuilder,
  { k, epilogue: e }: LinearJob,
  fast: FastFormat,
  epilogue: number,
  features: Features,
): PanelBody {
  const unpack = addUnpack(m, fast, k);
  const panel = addFastPanel(m, fast, k, features);
  const most = fastStripRows(fast, features);
  return (f, c) => {
    const [args, , , strip] = f.params as [Local, Local, Local, Local];
    const unpacked = f.i32(i32.add(strip, fastStripBytes(fast, features)));
    const [x, y, residual, left, rows] = [f.i32(), f.i32(), f.i32(), f.i32(), f.i32()];
    return () => {
      f.call(unpack, [c.panel, unpacked]);
      f.set(x, i32.load(args, ARG.x));
      f.set(left, i32.load(args, ARG.rows));
      f.set(y, c.y);
      f.set(residual, c.residual);
      f.while(i32.gtS(left, 0), () => {
        f.set(rows, i32.select(most, left, i32.gtS(left, most)));
        f.call(panel, [x, unpacked, strip, rows]);
        f.call(epilogue, [strip, rows, c.columns, c.bias, residual, y]);
        f.increment(x, most * quantizedRowBytes(fast, k));
        f.increment(y, most * 4 * e.n);
        if (e.residual) f.increment(residual, most * 4 * e.n);
        f.increment(left, -most);
      });
    };
  };
}
