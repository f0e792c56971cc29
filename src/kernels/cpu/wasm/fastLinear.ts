/**
 * `linear` with precision `fast`. One row: every thread quantises it for itself, which is cheaper than a barrier. More: a
 * command of its own quantises the rows into shared memory first. Few rows run the GEMV one after another, many the GEMM; a
 * row's result is the same in all three, bit for bit.
 */
import type { Command, Features, LowerContext } from "../kernel.ts";
import { type Func, i32, type Local, type ModuleBuilder } from "./asm.ts";
import { type FastFormat, fastFormat } from "./fastFormats.ts";
import { addFastPanel, addUnpack, fastStripBytes, fastStripRows, unpackedBytes } from "./fastGemm.ts";
import { addFastGemv, FAST_GEMV_BYTES } from "./fastGemv.ts";
import { epilogueKey } from "./linearEpilogue.ts";
import { ARG, emitPanels, type LinearCall, type LinearJob, linearCommand, type PanelBody } from "./linearFrame.ts";
import { addQuantizeRow, emitQuantize, quantizedRowBytes, quantizeKey } from "./quantize.ts";

/** From this many rows on, unpacking the panel pays. */
const GEMM_ROWS = 8;

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
  const multiply =
    rows < GEMM_ROWS
      ? {
          key: `linear/fastFew/${key}`,
          emit: emit((m, epilogue, features) => fewBody(m, job, fast, epilogue, features)),
          scratchBytes: FAST_GEMV_BYTES,
        }
      : {
          key: `linear/fast/${key}`,
          emit: emit((m, epilogue, features) => gemmBody(m, job, fast, epilogue, features)),
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

/** A few quantised rows, one after another over a panel that stays in the cache. */
function fewBody(
  m: ModuleBuilder,
  { k, epilogue: e }: LinearJob,
  fast: FastFormat,
  epilogue: number,
  features: Features,
): PanelBody {
  const gemv = addFastGemv(m, fast, k, features);
  return (f, c) => {
    const [args, , , strip] = f.params as [Local, Local, Local, Local];
    const rows = new RowCursor(f, args, quantizedRowBytes(fast, k), 4 * e.n);
    return () => {
      rows.open(c.y, c.residual);
      f.while(i32.gtS(rows.left, 0), () => {
        f.call(gemv, [rows.x, c.panel, strip]);
        f.call(epilogue, [strip, 1, c.columns, c.bias, rows.residual, rows.y]);
        rows.advance(1, e.residual);
      });
    };
  };
}

/** Many rows: the panel is unpacked once. */
function gemmBody(
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
    const cursor = new RowCursor(f, args, quantizedRowBytes(fast, k), 4 * e.n);
    const rows = f.i32();
    return () => {
      f.call(unpack, [c.panel, unpacked]);
      cursor.open(c.y, c.residual);
      f.while(i32.gtS(cursor.left, 0), () => {
        f.set(rows, i32.select(most, cursor.left, i32.gtS(cursor.left, most)));
        f.call(panel, [cursor.x, unpacked, strip, rows]);
        f.call(epilogue, [strip, rows, c.columns, c.bias, cursor.residual, cursor.y]);
        cursor.advance(most, e.residual);
      });
    };
  };
}

/** Pointers that go down the rows of x, y and residual. */
class RowCursor {
  readonly x: Local;
  readonly y: Local;
  readonly residual: Local;
  readonly left: Local;

  constructor(
    readonly f: Func,
    readonly args: Local,
    readonly xBytes: number,
    readonly yBytes: number,
  ) {
    [this.x, this.y, this.residual, this.left] = [f.i32(), f.i32(), f.i32(), f.i32()];
  }

  open(y: Local, residual: Local): void {
    this.f.set(this.x, i32.load(this.args, ARG.x));
    this.f.set(this.left, i32.load(this.args, ARG.rows));
    this.f.set(this.y, y);
    this.f.set(this.residual, residual);
  }

  advance(rows: number, hasResidual: boolean): void {
    this.f.increment(this.x, rows * this.xBytes);
    this.f.increment(this.y, rows * this.yBytes);
    if (hasResidual) this.f.increment(this.residual, rows * this.yBytes);
    this.f.increment(this.left, -rows);
  }
}
