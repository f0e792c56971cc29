/**
 * Walking a panel block by block with a decoder, and the function that expands a whole panel to float32 [K][16] in scratch,
 * which the GEMM tiles, `embed` and `columns` read. Panels of f32 are read where they lie.
 */
import type { DType } from "../../../tensor/dtype.ts";
import type { Features } from "../kernel.ts";
import { type Func, i32, type Local, type ModuleBuilder } from "./asm.ts";
import { addScales, blockScaleBytes, type DecoderFactory, type WeightSink } from "./expandDecoder.ts";
import { smallDecoders } from "./expandFormats.ts";
import { kDecoders } from "./expandKFormats.ts";
import { blockCount, PANEL, type PanelFormat } from "./packFormats.ts";

const DECODERS: Partial<Record<DType, DecoderFactory>> = { ...smallDecoders, ...kDecoders };

/** Bytes between rows of an expanded panel. */
export const EXPANDED_ROW_BYTES = 4 * PANEL;

/** Bytes of scratch that expanding a panel takes; 0 where the panel is float32 already. */
export function expandedBytes(format: PanelFormat, k: number): number {
  return format.dtype === "f32" ? 0 : weightBytes(format, k) + scaleBytes(format, k);
}

function weightBytes(format: PanelFormat, k: number): number {
  return blockCount(format, k) * format.elems * EXPANDED_ROW_BYTES;
}

/** Bytes of scratch for a panel's scales as float32. */
export function scaleBytes(format: PanelFormat, k: number): number {
  return blockCount(format, k) * blockScaleBytes(format);
}

export interface PanelWalk {
  readonly format: PanelFormat;
  readonly features: Features;
  readonly k: number;
  /** Advanced to the panel's end. */
  readonly panel: Local;
  /** The panel's scales as float32; advanced with it. */
  readonly scales: Local;
  /** Groups of 4 columns that are decoded together. */
  readonly groups: readonly (readonly number[])[];
  /** Receives k relative to the last `advance`. */
  readonly sink: WeightSink;
  /** Called after `elems` elements along K. */
  readonly advance: (elems: number) => void;
}

/** Small blocks are taken several at a time: the loop's own instructions would cost as much as the block. */
const LEAST_UNROLL = 4;

/** Emits the decoding of one panel: rising k within each column group; elements past K are not passed on. */
export function emitPanelWalk(f: Func, w: PanelWalk): void {
  const { format, k, panel } = w;
  const make = DECODERS[format.dtype];
  if (!make) throw new Error(`expand: no decoder for ${format.dtype}`);
  const lanes = Math.max(...w.groups.map((g) => g.length));
  const decoder = make(f, format, w.features, lanes);
  const stepElems = format.elems / decoder.steps;
  const blockBytes = format.bytes * PANEL;
  const whole = Math.floor(k / format.elems);
  const unroll = Math.max(1, Math.floor(LEAST_UNROLL / format.elems));
  const step = decoder.steps > 1 ? f.i32() : undefined;
  const emit = (b: number, most: number): void => {
    const block = { panel, at: b * blockBytes, scales: w.scales, scalesAt: b * blockScaleBytes(format) };
    for (const group of w.groups) {
      decoder.emit(block, group, (i, c, weights) => i < most && w.sink(b * format.elems + i, c, weights), step);
    }
  };
  const pass = (blocks: number): void => {
    f.increment(panel, blocks * blockBytes);
    if (format.halves.length) f.increment(w.scales, blocks * blockScaleBytes(format));
  };
  const emitBlocks = (count: number): void => {
    for (let b = 0; b < count; b++) emit(b, format.elems);
    w.advance(count * stepElems);
  };
  const iterations = Math.floor(whole / unroll);
  const left = f.i32();
  f.loop(left, 0, iterations, 1, () => {
    if (step) f.loop(step, 0, decoder.steps, 1, () => emitBlocks(1));
    else emitBlocks(unroll);
    pass(unroll);
  });
  const rest = whole - iterations * unroll;
  if (rest) {
    emitBlocks(rest);
    pass(rest);
  }
  const tail = k - whole * format.elems;
  if (tail) emit(0, tail);
}

/** Adds expand(panel, target) to a module and returns its index. */
function addExpand(m: ModuleBuilder, format: PanelFormat, k: number, features: Features): number {
  const convert = addScalesIfAny(m, format, k);
  return m.func(["i32", "i32"], undefined, (f) => {
    const [panel, target] = f.params as [Local, Local];
    const scales = f.i32(i32.add(target, weightBytes(format, k)));
    if (convert !== undefined) f.call(convert, [panel, scales]);
    emitPanelWalk(f, {
      format,
      features,
      k,
      panel,
      scales,
      groups: [
        [0, 1],
        [2, 3],
      ],
      sink: (i, c, weights) => f.storeV128(target, weights, i * EXPANDED_ROW_BYTES + 16 * c),
      advance: (elems) => f.increment(target, elems * EXPANDED_ROW_BYTES),
    });
  });
}

/** `addScales` where the format has f16 scalars. */
export function addScalesIfAny(m: ModuleBuilder, format: PanelFormat, k: number): number | undefined {
  return format.halves.length ? addScales(m, format, k) : undefined;
}

/** Emits code that leaves the address of the float32 form of `panel` in `panel` itself, expanding it to `scratch` if need be. */
export function emitExpanded(f: Func, expand: number | undefined, panel: Local, scratch: Local): void {
  if (expand === undefined) return;
  f.call(expand, [panel, scratch]);
  f.set(panel, scratch);
}

/** `addExpand` where the format needs it. */
export function addExpandIfNeeded(
  m: ModuleBuilder,
  format: PanelFormat,
  k: number,
  features: Features,
): number | undefined {
  return format.dtype === "f32" ? undefined : addExpand(m, format, k, features);
}
