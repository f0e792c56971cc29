/**
 * Walking a panel in the order of K, and the function that expands a whole panel to float32 [K][16] in scratch, which the
 * GEMM tiles, `embed` and `columns` read. Panels of f32 are read where they lie.
 */
import type { Features } from "../kernel.ts";
import { type Expr, type Func, i32, i32x4, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import { QuantDecoder, type WeightSink, WORD_ELEMS } from "./expandDecoder.ts";
import { bits, QUANT_FORMATS, type QuantFormat } from "./expandFormats.ts";
import { addScales, blockScaleBytes, f16ToF32x4, scaleBytes } from "./expandScales.ts";
import { blockCount, PANEL, type PanelFormat } from "./packFormats.ts";

/** Bytes between rows of an expanded panel. */
export const EXPANDED_ROW_BYTES = 4 * PANEL;

/** Bytes of scratch that expanding a panel takes; 0 where the panel is float32 already. */
export function expandedBytes(format: PanelFormat, k: number): number {
  return format.dtype === "f32" ? 0 : weightBytes(format, k) + scaleBytes(format, k);
}

function weightBytes(format: PanelFormat, k: number): number {
  return blockCount(format, k) * format.elems * EXPANDED_ROW_BYTES;
}

export interface PanelWalk {
  readonly format: PanelFormat;
  readonly features: Features;
  readonly k: number;
  /** Advanced to the panel's end. */
  readonly panel: Local;
  /** The panel's scalars as float32 (see expandScales.ts); advanced with it. */
  readonly scales: Local;
  /** Called before a run of `sink` calls, with the element index along K that theirs are relative to. */
  readonly at: (k: Expr) => void;
  readonly sink: WeightSink;
}

/** Emits the decoding of one panel: rising k for each column; elements past K are not passed on. */
export function emitPanelWalk(f: Func, w: PanelWalk): void {
  const quant = QUANT_FORMATS[w.format.dtype];
  if (quant) emitQuantWalk(f, w, quant);
  else emitPlainWalk(f, w);
}

/** Column groups that are decoded together: two keep scales, codes, sums and x within 16 registers. */
const COLUMN_PAIRS = [
  [0, 1],
  [2, 3],
] as const;

function emitQuantWalk(f: Func, w: PanelWalk, quant: QuantFormat): void {
  const { format, panel, scales } = w;
  const decoder = new QuantDecoder(f, format, quant, w.features, 2);
  const partElems = format.elems / quant.parts;
  const [partStart, k, partEnd, part] = [f.i32(0), f.i32(), f.i32(), f.i32()];
  const emitPart = (index: Expr): void => {
    f.set(partEnd, i32.add(partStart, partElems));
    for (const columns of COLUMN_PAIRS) {
      decoder.emitPart(panel, scales, index, columns);
      f.loop(k, partStart, partEnd, WORD_ELEMS, () => {
        w.at(k);
        decoder.emitWord(columns, w.sink);
      });
    }
    f.set(partStart, partEnd);
  };
  const unrolled = quant.parts <= 2;
  f.while(i32.ltS(partStart, w.k), () => {
    if (unrolled) for (let p = 0; p < quant.parts; p++) emitPart(i32.const(p));
    else f.loop(part, 0, quant.parts, 1, () => emitPart(part));
    f.increment(panel, format.bytes * PANEL);
    f.increment(scales, blockScaleBytes(format));
  });
}

/** Words of f32, or of two halves, taken several at a time: the loop's own instructions would cost as much as a word. */
function emitPlainWalk(f: Func, w: PanelWalk): void {
  const { format, panel } = w;
  const unroll = 4 / format.elems;
  const perStep = unroll * format.elems;
  const k = f.i32();
  const whole = Math.floor(w.k / perStep) * perStep;
  f.loop(k, 0, whole, perStep, () => {
    w.at(k);
    for (let b = 0; b < unroll; b++) emitPlainBlock(f, w, b, perStep);
    f.increment(panel, unroll * format.bytes * PANEL);
  });
  if (whole < w.k) w.at(i32.const(whole));
  for (let b = 0; b * format.elems < w.k - whole; b++) emitPlainBlock(f, w, b, w.k - whole);
}

function emitPlainBlock(f: Func, { format, panel, sink }: PanelWalk, b: number, most: number): void {
  const v = [0, 1, 2, 3].map((c) => f.v128(v128.load(panel, b * format.bytes * PANEL + 16 * c)));
  for (let i = 0; i < format.elems && b * format.elems + i < most; i++) {
    v.forEach((word, c) => sink(b * format.elems + i, c, plainValue(f, format, word, i)));
  }
}

/** Element i of a word as float32. */
function plainValue(f: Func, format: PanelFormat, word: Local, i: number): Expr {
  switch (format.dtype) {
    case "f32":
      return word;
    case "bf16":
      return i === 0 ? i32x4.shl(word, 16) : v128.and(word, i32x4.splat(i32.const(-65536)));
    case "f16":
      return f16ToF32x4(f, f.v128(bits(word, 16 * i, 16)));
    default:
      throw new Error(`expand: no decoder for ${format.dtype}`);
  }
}

/** Adds expand(panel, target) to a module and returns its index; undefined where the format needs none. */
export function addExpand(m: ModuleBuilder, format: PanelFormat, k: number, features: Features): number | undefined {
  if (format.dtype === "f32") return undefined;
  const convert = addScales(m, format, k);
  return m.func(["i32", "i32"], undefined, (f) => {
    const [panel, target] = f.params as [Local, Local];
    const scales = f.i32(i32.add(target, weightBytes(format, k)));
    const row = f.i32();
    if (convert !== undefined) f.call(convert, [panel, scales]);
    emitPanelWalk(f, {
      format,
      features,
      k,
      panel,
      scales,
      at: (index) => f.set(row, i32.add(target, i32.mul(index, EXPANDED_ROW_BYTES))),
      sink: (i, c, weights) => f.storeV128(row, weights, i * EXPANDED_ROW_BYTES + 16 * c),
    });
  });
}

/** Emits code that leaves the address of the float32 form of `panel` in `panel` itself, expanding it to `scratch` if need be. */
export function emitExpanded(f: Func, expand: number | undefined, panel: Local, scratch: Local): void {
  if (expand === undefined) return;
  f.call(expand, [panel, scratch]);
  f.set(panel, scratch);
}
