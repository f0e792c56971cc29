/**
 * f16 scalars of a panel (scales, minima) as float32: converted for the whole panel before it is decoded, because the
 * conversion's constants would take the registers of the decoding loop. Exact for every f16 value.
 */
import { type Expr, type Func, f32x4, i32, i32x4, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import { splatConst } from "./math.ts";
import { blockCount, halfOffset, PANEL, type PanelFormat, panelBytes } from "./packFormats.ts";

const SCALAR_BYTES = 4 * PANEL;

/** Bytes of one block's scalars as float32. */
export function blockScaleBytes(format: PanelFormat): number {
  return format.halves.length * SCALAR_BYTES;
}

/** Bytes of scratch for a panel's scalars as float32. */
export function scaleBytes(format: PanelFormat, k: number): number {
  return blockCount(format, k) * blockScaleBytes(format);
}

/** Scalar `index` of panel columns [4c, 4c + 4), from the block's converted scalars at `scales`. */
export function loadScale(scales: Local, index: number, c: number): Expr {
  return v128.load(scales, index * SCALAR_BYTES + 16 * c);
}

/** f16 bits in four 32-bit lanes to float32. */
export function f16ToF32x4(f: Func, halves: Local): Expr {
  const magnitude = f.v128(v128.and(halves, i32x4.splat(i32.const(0x7fff))));
  const rebias = i32x4.splat(i32.const(0x38000000));
  const normal = i32x4.add(i32x4.shl(magnitude, 13), rebias);
  const special = v128.and(i32x4.gtS(magnitude, i32x4.splat(i32.const(0x7bff))), rebias);
  const subnormal = f32x4.mul(f32x4.fromI32(magnitude), splatConst(2 ** -24));
  const isSubnormal = i32x4.gtS(i32x4.splat(i32.const(0x400)), magnitude);
  const value = v128.bitselect(subnormal, i32x4.add(normal, special), isSubnormal);
  return v128.or(value, i32x4.shl(v128.and(halves, i32x4.splat(i32.const(0x8000))), 16));
}

/** Adds scales(panel, target), block after block, and returns its index; undefined where the format has no f16 scalars. */
export function addScales(m: ModuleBuilder, format: PanelFormat, k: number): number | undefined {
  if (!format.halves.length) return undefined;
  return m.func(["i32", "i32"], undefined, (f) => {
    const [panel, target] = f.params as [Local, Local];
    const end = f.i32(i32.add(panel, panelBytes(format, k)));
    const half = f.v128();
    f.while(i32.ne(panel, end), () => {
      for (let index = 0; index < format.halves.length; index++) {
        for (let c = 0; c < PANEL / 4; c++) {
          f.set(half, v128.load16x4U(panel, halfOffset(index) + 8 * c));
          f.storeV128(target, f16ToF32x4(f, half), index * SCALAR_BYTES + 16 * c);
        }
      }
      f.increment(panel, format.bytes * PANEL);
      f.increment(target, blockScaleBytes(format));
    });
  });
}
