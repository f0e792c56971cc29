/**
 * Walking a panel block by block with a decoder, and the function that expands a whole panel to float32 [K][16] in scratch,
 * which the GEMM tiles, `embed` and `columns` read. Panels of f32 are read where they lie.
 */
import type { DType } from "../../../tensor/dtype.ts";
import type { Features } from "../kernel.ts";
import type { Func, Local, ModuleBuilder } from "./asm.ts";
import type { DecoderFactory, WeightSink } from "./expandDecoder.ts";
import { smallDecoders } from "./expandFormats.ts";
import { kDecoders } from "./expandKFormats.ts";
import { blockCount, PANEL, type PanelFormat } from "./packFormats.ts";

const DECODERS: Partial<Record<DType, DecoderFactory>> = { ...smallDecoders, ...kDecoders };

/** Bytes between rows of an expanded panel. */
export const EXPANDED_ROW_BYTES = 4 * PANEL;

/** Bytes of scratch that an expanded panel takes; 0 where the panel is float32 already. */
export function expandedBytes(format: PanelFormat, k: number): number {
  return format.dtype === "f32" ? 0 : blockCount(format, k) * format.elems * EXPANDED_ROW_BYTES;
}

export interface PanelWalk {
  readonly format: PanelFormat;
  readonly features: Features;
  readonly k: number;
  /** Advanced to the panel's end. */
  readonly panel: Local;
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
  const blocks = (count: number): void => {
    for (const group of w.groups) {
      for (let b = 0; b < count; b++) {
        decoder.emit(panel, b * blockBytes, group, (i, c, weights) => w.sink(b * format.elems + i, c, weights), step);
      }
    }
    w.advance(count * stepElems);
  };
  const iterations = Math.floor(whole / unroll);
  const left = f.i32();
  f.loop(left, 0, iterations, 1, () => {
    if (step) f.loop(step, 0, decoder.steps, 1, () => blocks(1));
    else blocks(unroll);
    f.increment(panel, unroll * blockBytes);
  });
  const rest = whole - iterations * unroll;
  if (rest) {
    blocks(rest);
    f.increment(panel, rest * blockBytes);
  }
  const tail = k - whole * format.elems;
  if (tail) {
    for (const group of w.groups) decoder.emit(panel, 0, group, (i, c, weights) => i < tail && w.sink(i, c, weights));
    f.increment(panel, blockBytes);
  }
}

/** Adds expand(panel, target) to a module and returns its index. */
export function addExpand(m: ModuleBuilder, format: PanelFormat, k: number, features: Features): number {
  return m.func(["i32", "i32"], undefined, (f) => {
    const [panel, target] = f.params as [Local, Local];
    emitPanelWalk(f, {
      format,
      features,
      k,
      panel,
      groups: [
        [0, 1],
        [2, 3],
      ],
      sink: (i, c, weights) => f.storeV128(target, weights, i * EXPANDED_ROW_BYTES + 16 * c),
      advance: (elems) => f.increment(target, elems * EXPANDED_ROW_BYTES),
    });
  });
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
