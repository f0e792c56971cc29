/**
 * GEMV: one row of x times one panel, decoded in registers, summed over K in the order of the GEMM tiles, so that decoding
 * token by token gives the very numbers of a prefill.
 */
import type { Features } from "../kernel.ts";
import { i32, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import { emitPanelWalk } from "./expand.ts";
import { addScales, scaleBytes } from "./expandScales.ts";
import { STRIP_ROW_BYTES } from "./gemm.ts";
import { madd } from "./math.ts";
import type { PanelFormat } from "./packFormats.ts";

/** Scratch of `addGemv`: the strip of 16 sums and the panel's scales. */
export function gemvScratchBytes(format: PanelFormat, k: number): number {
  return STRIP_ROW_BYTES + scaleBytes(format, k);
}

/** Adds gemv(x, panel, strip): 16 sums to `strip`. Returns its index. */
export function addGemv(m: ModuleBuilder, format: PanelFormat, k: number, features: Features): number {
  const convert = addScales(m, format, k);
  return m.func(["i32", "i32", "i32"], undefined, (f) => {
    const [x, panel, strip] = f.params as [Local, Local, Local];
    const scales = f.i32(i32.add(strip, STRIP_ROW_BYTES));
    if (convert !== undefined) f.call(convert, [panel, scales]);
    const sums = [f.v128(), f.v128(), f.v128(), f.v128()];
    const splat = f.v128();
    const xAt = f.i32();
    emitPanelWalk(f, {
      format,
      features,
      k,
      panel,
      scales,
      at: (index) => f.set(xAt, i32.add(x, i32.shl(index, 2))),
      sink: (i, c, weights) => {
        if (c % 2 === 0) f.set(splat, v128.load32Splat(xAt, 4 * i));
        f.set(sums[c]!, madd(features, splat, weights, sums[c]!));
      },
    });
    sums.forEach((s, c) => f.storeV128(strip, s, 16 * c));
  });
}
