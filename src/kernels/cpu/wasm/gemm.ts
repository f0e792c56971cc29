/**
 * GEMM micro-kernels: register tiles of a few rows of x by 8 or 16 columns of an expanded panel, summed over the whole of K
 * in rising order (so a sum does not depend on the tile that made it), into a strip [rows][16]. Measured: 6×8 is the largest
 * tile that V8 keeps in 16 registers with FMA, 4×8 with mul+add, 6×16 where it fuses neighbouring vectors; unrolling K makes
 * all slower.
 */
import type { Features } from "../kernel.ts";
import { i32, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import { EXPANDED_ROW_BYTES } from "./expand.ts";
import { madd } from "./math.ts";
import { PANEL } from "./packFormats.ts";

/** Rows of x that are done before the epilogue runs over them; a multiple of both tile heights. */
export const STRIP_ROWS = 96;
export const STRIP_ROW_BYTES = 4 * PANEL;
export const STRIP_BYTES = STRIP_ROWS * STRIP_ROW_BYTES;

function tileRows(features: Features): number {
  return features.fma ? 6 : 4;
}

/** Vectors of 4 columns. */
function tileVectors(features: Features): number {
  return features.wide ? 4 : 2;
}

/** Adds panelRows(x, b, strip, rows): rows of x [rows][K] times the expanded panel at `b`. Returns its index. */
export function addPanelRows(m: ModuleBuilder, k: number, features: Features): number {
  const vectors = tileVectors(features);
  const side = addSide(m, k, vectors, features);
  return m.func(["i32", "i32", "i32", "i32"], undefined, (f) => {
    const [x, b, strip, rows] = f.params as [Local, Local, Local, Local];
    for (let at = 0; at < STRIP_ROW_BYTES; at += 16 * vectors) {
      f.call(side, [x, i32.add(b, at), i32.add(strip, at), rows]);
    }
  });
}

/** The same for 8 columns at `b`, into 8 columns at `strip`. */
export function addHalfPanel(m: ModuleBuilder, k: number, features: Features): number {
  return addSide(m, k, 2, features);
}

function addSide(m: ModuleBuilder, k: number, vectors: number, features: Features): number {
  const most = tileRows(features);
  const tiles = Array.from({ length: most }, (_, i) => addTile(m, i + 1, vectors, k, features));
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

/** tile(x, b, strip): `rows` by 4·`columnVectors` columns. One pointer walks x, rows are immediate offsets. */
function addTile(m: ModuleBuilder, rows: number, columnVectors: number, k: number, features: Features): number {
  return m.func(["i32", "i32", "i32"], undefined, (f) => {
    const [x, b, strip] = f.params as [Local, Local, Local];
    const end = f.i32(i32.add(b, k * EXPANDED_ROW_BYTES));
    const vectors = Array.from({ length: columnVectors }, () => f.v128());
    const sums = Array.from({ length: rows }, () => vectors.map(() => f.v128()));
    const a = f.v128();
    f.while(i32.ne(b, end), () => {
      vectors.forEach((v, i) => f.set(v, v128.load(b, 16 * i)));
      sums.forEach((row, r) => {
        f.set(a, v128.load32Splat(x, r * 4 * k));
        row.forEach((s, i) => f.set(s, madd(features, a, vectors[i]!, s)));
      });
      f.increment(x, 4);
      f.increment(b, EXPANDED_ROW_BYTES);
    });
    sums.forEach((row, r) => row.forEach((s, i) => f.storeV128(strip, s, r * STRIP_ROW_BYTES + 16 * i)));
  });
}
