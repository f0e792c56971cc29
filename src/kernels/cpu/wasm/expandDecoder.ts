/**
 * What a decoder of panel blocks is, and the bit tricks that all of them share. Every product of scales and codes is exact
 * in float32 (at most 24 bits), so a weight has one rounding at most and equals float32 dequantisation bit for bit, fused or
 * not.
 */
import type { Features } from "../kernel.ts";
import { type Expr, type Func, f32x4, i32, i32x4, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import { splatConst } from "./math.ts";
import { halfOffset, PANEL, type PanelFormat, panelBytes } from "./packFormats.ts";

/** Receives the weights of element k (within the step) for panel columns [4c, 4c + 4), in rising k for each c. */
export type WeightSink = (k: number, c: number, weights: Expr) => void;

export interface Decoder {
  /** A block is decoded in this many equal steps, by one body of code. */
  readonly steps: number;
  /** Emits one step of a block; `step` is there where `steps` > 1. */
  emit(block: BlockRef, columns: readonly number[], sink: WeightSink, step?: Local): void;
}

/** Where a block lies: its bytes at `panel` + `at`, its scales as float32 at `scales` + `scalesAt`. */
export interface BlockRef {
  readonly panel: Local;
  readonly at: number;
  readonly scales: Local;
  readonly scalesAt: number;
}

/** Makes a decoder whose locals live in `f`; `lanes` is how many column groups one `emit` takes at most. */
export type DecoderFactory = (f: Func, format: PanelFormat, features: Features, lanes: number) => Decoder;

/** Bits [at, at + count) of every lane. */
export function bits(v: Expr, at: number, count: number): Expr {
  const shifted = at ? i32x4.shrU(v, at) : v;
  return at + count === 32 ? shifted : v128.and(shifted, i32x4.splat(i32.const(2 ** count - 1)));
}

/** Byte j of every lane, sign-extended. */
export function signedByte(v: Expr, j: number): Expr {
  return i32x4.shrS(j < 3 ? i32x4.shl(v, 24 - 8 * j) : v, 24);
}

/** f16 bits in four 32-bit lanes to float32, exact for subnormals, infinities and NaN too. */
export function f16ToF32x4(f: Func, halves: Local): Expr {
  const magnitude = f.v128(v128.and(halves, i32x4.splat(i32.const(0x7fff))));
  const rebias = i32x4.splat(i32.const(0x38000000));
  const normal = i32x4.add(i32x4.shl(magnitude, 13), rebias);
  const special = v128.and(i32x4.gtS(magnitude, i32x4.splat(i32.const(0x7bff))), rebias);
  const subnormal = f32x4.mul(f32x4.fromI32(magnitude), splatConst(2 ** -24));
  const value = v128.bitselect(
    subnormal,
    i32x4.add(normal, special),
    i32x4.gtS(i32x4.splat(i32.const(0x400)), magnitude),
  );
  const sign = i32x4.shl(v128.and(halves, i32x4.splat(i32.const(0x8000))), 16);
  return v128.or(value, sign);
}

/** Bytes of the float32 scales of a block: 16 of each f16 scalar. */
export function blockScaleBytes(format: PanelFormat): number {
  return format.halves.length * 4 * PANEL;
}

/** Loads f16 scalar `index` of four rows, converted before by `addScales`. */
export function loadScale(b: BlockRef, index: number, c: number): Expr {
  return v128.load(b.scales, b.scalesAt + index * 4 * PANEL + 16 * c);
}

/**
 * Adds scales(panel, target): all f16 scalars of a panel as float32, block after block. Apart from the decoding because its
 * constants would take the registers of the inner loop (measured on Node 20: a q4_1 GEMV in 0.6 of the time).
 */
export function addScales(m: ModuleBuilder, format: PanelFormat, k: number): number {
  return m.func(["i32", "i32"], undefined, (f) => {
    const [panel, target] = f.params as [Local, Local];
    const end = f.i32(i32.add(panel, panelBytes(format, k)));
    const half = f.v128();
    f.while(i32.ne(panel, end), () => {
      for (let index = 0; index < format.halves.length; index++) {
        for (let c = 0; c < PANEL / 4; c++) {
          f.set(half, v128.load16x4U(panel, halfOffset(index) + 8 * c));
          f.storeV128(target, f16ToF32x4(f, half), index * 4 * PANEL + 16 * c);
        }
      }
      f.increment(panel, format.bytes * PANEL);
      f.increment(target, blockScaleBytes(format));
    });
  });
}

export function newVectors(f: Func, count: number): Local[] {
  return Array.from({ length: count }, () => f.v128());
}
