/**
 * GEMM micro-kernels: register tiles of up to 6 rows of x by 8 columns of an expanded panel, summed over the whole of K in
 * rising order (so a sum does not depend on the tile that made it), into a strip [rows][16]. Measured: 6×8 is the largest
 * tile that V8 keeps in 16 registers with FMA, 4×8 with mul+add; unrolling K makes both slower.
 */
import type { Features } from "../kernel.ts";
import { type Func, i32, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import { EXPANDED_ROW_BYTES } from "./expand.ts";
import { madd } from "./math.ts";
import { PANEL } from "./packFormats.ts";

/** Rows of x that are done before the epilogue runs over them; a multiple of both tile heights. */
export const STRIP_ROWS = 96;
export const STRIP_ROW_BYTES = 4 * PANEL;
export const STRIP_BYTES = STRIP_ROWS * STRIP_ROW_BYTES;

const HALF_BYTES = 2 * PANEL;

function tileRows(features: Features): number {
  return features.fma ? 6 : 4;
}

/** Adds half(x, b, strip, rows): rows of x [rows][K] times 8 columns at `b`, into 8 columns at `strip`. Returns its index. */
export function addHalfPanel(m: ModuleBuilder, k: number, features: Features): number {
  const most = tileRows(features);
  const tiles = Array.from({ length: most }, (_, i) => addTile(m, i + 1, k, features));
  return m.func(["i32", "i32", "i32", "i32"], undefined, (f) => {
    const [x, b, strip, rows] = f.params as [Local, Local, Local, Local];
    f.while(i32.geS(rows, most), () => {
      f.call(tiles[most - 1]!, [x, b, strip]);
      f.increment(x, most * 4 * k);
      f.increment(strip, most * STRIP_ROW_BYTES);
      f.increment(rows, -most);
    });
    for (let r = 1; r < most; r++) f.if(i32.eq(rows, r), () => f.call(tiles[r - 1]!, [x, b, strip]));
  });
}

/** tile(x, b, strip): `rows` × 8. One pointer walks x, rows are immediate offsets. */
function addTile(m: ModuleBuilder, rows: number, k: number, features: Features): number {
  return m.func(["i32", "i32", "i32"], undefined, (f) => {
    const [x, b, strip] = f.params as [Local, Local, Local];
    const end = f.i32(i32.add(b, k * EXPANDED_ROW_BYTES));
    const sums = Array.from({ length: rows }, () => [f.v128(), f.v128()] as const);
    const [b0, b1, a] = [f.v128(), f.v128(), f.v128()];
    f.while(i32.ne(b, end), () => {
      f.set(b0, v128.load(b));
      f.set(b1, v128.load(b, 16));
      sums.forEach(([s0, s1], r) => {
        f.set(a, v128.load32Splat(x, r * 4 * k));
        f.set(s0, madd(features, a, b0, s0));
        f.set(s1, madd(features, a, b1, s1));
      });
      f.increment(x, 4);
      f.increment(b, EXPANDED_ROW_BYTES);
    });
    sums.forEach(([s0, s1], r) => {
      f.storeV128(strip, s0, r * STRIP_ROW_BYTES);
      f.storeV128(strip, s1, r * STRIP_ROW_BYTES + 16);
    });
  });
}

/** Emits both halves of a panel for `rows` rows of x. */
export function emitPanelRows(f: Func, half: number, x: Local, b: Local, strip: Local, rows: Local): void {
  f.call(half, [x, b, strip, rows]);
  f.call(half, [x, i32.add(b, HALF_BYTES), i32.add(strip, HALF_BYTES), rows]);
}
