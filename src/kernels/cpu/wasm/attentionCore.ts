/**
 * The inner routines of attention on one block: M rows (heads × query rows) against the keys of one kv head. Scores and
 * mix are register tiles; each element is summed in one fixed order (along d, along keys), whatever tile it falls in, so
 * that results do not depend on how rows were cut into blocks. Knows no call and no sequence table.
 */
import type { Features } from "../kernel.ts";
import { type Expr, type Func, f32, f32x4, i32, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import type { AttentionPlan } from "./attentionPlan.ts";
import { PANEL_KEYS } from "./attentionPlan.ts";
import { forVectors, loadLanes, madd, storeLanes } from "./math.ts";
import { at } from "./unitKernel.ts";

/** Rows of a cache as addresses: key j is at (j < prefix ? near : own) + j · rowBytes. */
export interface CacheRows {
  readonly prefixBase: Expr;
  readonly ownBase: Expr;
  readonly prefix: Expr;
}

function keyAddress(f: Func, c: CacheRows, j: Expr, rowBytes: number): Local {
  return f.i32(i32.add(i32.select(c.prefixBase, c.ownBase, i32.ltS(j, c.prefix)), i32.mul(j, rowBytes)));
}

/** Covers rows [0, M) by tiles of the given heights, largest first (the last must be 1). */
function forRowTiles(f: Func, M: Expr, heights: readonly number[], tile: (row: Local, height: number) => void): void {
  const row = f.i32(0);
  for (const height of heights) {
    f.while(i32.leS(i32.add(row, height), M), () => {
      tile(row, height);
      f.increment(row, height);
    });
  }
}

/** acc[r][v] += a[r] · b[v] for broadcast a and vectors b. */
function rankOne(
  f: Func,
  features: Features,
  acc: readonly (readonly Local[])[],
  a: (r: number) => Expr,
  b: readonly Expr[],
): void {
  const columns = b.map((e) => f.v128(e));
  acc.forEach((row, r) => {
    const broadcast = f.v128(a(r));
    row.forEach((sum, v) => f.set(sum, madd(features, broadcast, columns[v]!, sum)));
  });
}

function accumulators(f: Func, rows: number, columns: number): Local[][] {
  return Array.from({ length: rows }, () => Array.from({ length: columns }, () => f.v128(v128.zero())));
}

/** Scores M × [lo, hi) with lanes along the keys, from key panels transposed into scratch. For many rows. */
export function addPanelScores(m: ModuleBuilder, features: Features, plan: AttentionPlan): number {
  const { heads: { Hkv, Dh }, stride } = plan; // biome-ignore format: one line
  return m.func(["i32", "i32", "i32", "i32", "i32", "i32", "f32", "i32"], undefined, (f) => {
    const [M, lo, hi, prefixBase, ownBase, prefix, scale, scratch] = f.params as readonly Local[] as LocalTuple;
    const scaleLanes = f.v128(f32x4.splat(scale));
    const [panel, scores] = [f.i32(i32.add(scratch, plan.panel)), f.i32(i32.add(scratch, plan.scores))];
    const j = f.i32();
    f.loop(j, lo, hi, PANEL_KEYS, () => {
      packPanel(f, plan, { prefixBase, ownBase, prefix }, Hkv * Dh * 4, j, hi, panel);
      forRowTiles(f, M, features.fma ? [6, 3, 1] : [4, 2, 1], (row, R) => {
        const acc = accumulators(f, R, 2);
        const q = f.i32(i32.add(scratch, i32.mul(row, Dh * 4)));
        const k = f.i32(panel);
        const end = f.i32(i32.add(q, Dh * 4));
        f.while(i32.ltU(q, end), () => {
          rankOne(f, features, acc, (r) => v128.load32Splat(q, r * Dh * 4), [v128.load(k), v128.load(k, 16)]);
          f.increment(q, 4);
          f.increment(k, 32);
        });
        const to = f.i32(at(scores, i32.add(i32.mul(row, stride * 4), i32.shl(j, 2))));
        acc.forEach((sums, r) =>
          sums.forEach((sum, v) => f.storeV128(to, f32x4.mul(sum, scaleLanes), r * stride * 4 + v * 16)),
        );
      });
    });
  });
}

type LocalTuple = readonly [Local, Local, Local, Local, Local, Local, Local, Local];

/** Keys [j, j + 8) as columns of panel [Dh, 8]; keys past the end repeat the last one (their scores are masked later). */
function packPanel(
  f: Func,
  plan: AttentionPlan,
  cache: CacheRows,
  rowBytes: number,
  j: Local,
  hi: Expr,
  panel: Expr,
): void {
  const { Dh } = plan.heads;
  const last = f.i32(i32.sub(hi, 1));
  const t = f.i32();
  f.loop(t, 0, PANEL_KEYS, 1, () => {
    const wanted = f.i32(i32.add(j, t));
    const from = keyAddress(f, cache, f.i32(i32.select(wanted, last, i32.ltS(wanted, last))), rowBytes);
    const to = f.i32(i32.add(panel, i32.shl(t, 2)));
    forVectors(f, Dh, (offset, count) => {
      const v = f.v128(loadLanes(at(from, offset), count));
      const column = f.i32(i32.add(to, i32.shl(offset, 3)));
      for (let l = 0; l < count; l++) f.storeLane32(column, v, l, l * PANEL_KEYS * 4);
    });
  });
}

/** Scores M × [lo, hi) with lanes along Dh, straight from the cache. For a row or two, where transposing would cost more. */
export function addDirectScores(m: ModuleBuilder, features: Features, plan: AttentionPlan): number {
  const { heads: { Hkv, Dh }, stride } = plan; // biome-ignore format: one line
  return m.func(["i32", "i32", "i32", "i32", "i32", "i32", "f32", "i32"], undefined, (f) => {
    const [M, lo, hi, prefixBase, ownBase, prefix, scale, scratch] = f.params as readonly Local[] as LocalTuple;
    const cache = { prefixBase, ownBase, prefix };
    const scaleLanes = f.v128(f32x4.splat(scale));
    const scores = f.i32(i32.add(scratch, plan.scores));
    const last = f.i32(i32.sub(hi, 1));
    const j = f.i32();
    f.loop(j, lo, hi, 4, () => {
      const keys = [0, 1, 2, 3].map((t) => {
        const wanted = f.i32(i32.add(j, t));
        return keyAddress(f, cache, f.i32(i32.select(wanted, last, i32.ltS(wanted, last))), Hkv * Dh * 4);
      });
      forRowTiles(f, M, [2, 1], (row, R) => {
        const acc = accumulators(f, R, 4);
        const q = f.i32(i32.add(scratch, i32.mul(row, Dh * 4)));
        forVectors(f, Dh, (offset, count) => {
          const k = keys.map((key) => f.v128(loadLanes(at(key, offset), count)));
          acc.forEach((sums, r) => {
            const query = f.v128(loadLanes(at(q, offset), count, r * Dh * 4));
            sums.forEach((sum, t) => f.set(sum, madd(features, query, k[t]!, sum)));
          });
        });
        const to = f.i32(at(scores, i32.add(i32.mul(row, stride * 4), i32.shl(j, 2))));
        acc.forEach((sums, r) => f.storeV128(to, f32x4.mul(sumEach(f, sums), scaleLanes), r * stride * 4));
      });
    });
  });
}

/** The sums of the lanes of four vectors, as one vector. */
function sumEach(f: Func, [a, b, c, d]: readonly Local[]): Expr {
  const halves = (x: Expr, y: Expr): Local =>
    f.v128(
      f32x4.add(
        v128.shuffle(x, y, [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]),
        v128.shuffle(x, y, [8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31]),
      ),
    );
  const [x, y] = [halves(a!, b!), halves(c!, d!)];
  return f32x4.add(
    v128.shuffle(x, y, [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27]),
    v128.shuffle(x, y, [4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31]),
  );
}

/**
 * z rows = P [M, lo..hi) · v, with lanes along Dh. P lies in scratch like the scores; the address of each output row is in
 * the z table. Sums run over ascending keys in one accumulator an element.
 */
export function addMix(m: ModuleBuilder, features: Features, plan: AttentionPlan): number {
  const { Dh } = plan.heads;
  return m.func(["i32", "i32", "i32", "i32", "i32", "i32", "i32"], undefined, (f) => {
    const M = f.params[0]!;
    const vectors = Math.ceil(Dh / 4);
    const heights = features.fma ? [6, 3, 1] : [4, 2, 1];
    forRowTiles(f, M, heights, (row, R) => {
      const wide = features.fma ? { 6: 2, 3: 4 }[R] : { 4: 2, 2: 4 }[R];
      const panelVectors = Math.min(wide ?? 8, vectors);
      const column = f.i32(0);
      const whole = Dh % 4 ? vectors - 1 : vectors;
      f.while(i32.leS(i32.add(column, panelVectors * 16), i32.const(whole * 16)), () => {
        mixTile(f, features, plan, row, R, column, Array<number>(panelVectors).fill(4));
        f.increment(column, panelVectors * 16);
      });
      const rest = Array<number>(whole % panelVectors).fill(4);
      if (Dh % 4) rest.push(Dh % 4);
      if (rest.length > 0) mixTile(f, features, plan, row, R, column, rest);
    });
  });
}

/** One tile of `addMix`: R rows times vectors of `lanes` elements from byte `column` of a head. */
function mixTile(
  f: Func,
  features: Features,
  plan: AttentionPlan,
  row: Local,
  R: number,
  column: Local,
  lanes: readonly number[],
): void {
  const [, lo, hi, prefixBase, ownBase, prefix, scratch] = f.params as readonly Local[] as LocalTuple;
  const { heads: { Hkv, Dh }, stride } = plan; // biome-ignore format: one line
  const acc = accumulators(f, R, lanes.length);
  const pattern = f.i32(i32.add(i32.add(scratch, plan.scores), i32.mul(row, stride * 4)));
  const j = f.i32(lo);
  const p = f.i32(i32.add(pattern, i32.shl(j, 2)));
  f.while(i32.ltS(j, hi), () => {
    const inPrefix = f.i32(i32.ltS(j, prefix));
    const v = f.i32(at(keyAddress(f, { prefixBase, ownBase, prefix }, j, Hkv * Dh * 4), column));
    f.set(j, i32.select(i32.select(prefix, hi, i32.ltS(prefix, hi)), hi, inPrefix));
    const end = f.i32(i32.add(pattern, i32.shl(j, 2)));
    f.while(i32.ltU(p, end), () => {
      const values = lanes.map((count, i) => loadLanes(v, count, i * 16));
      rankOne(f, features, acc, (r) => v128.load32Splat(p, r * stride * 4), values);
      f.increment(p, 4);
      f.increment(v, Hkv * Dh * 4);
    });
  });
  const table = f.i32(i32.add(i32.add(scratch, plan.zTable), i32.shl(row, 2)));
  acc.forEach((sums, r) => {
    const z = f.i32(i32.add(i32.load(table, 4 * r), column));
    sums.forEach((sum, i) => storeLanes(f, z, sum, lanes[i]!, i * 16));
  });
}

/** Fills [from, to) (float indices) of a row with one value. */
export function fillRow(f: Func, row: Expr, from: Expr, to: Expr, value: number): void {
  const j = f.i32();
  f.loop(j, from, to, 1, () => f.storeF32(i32.add(row, i32.shl(j, 2)), f32.const(value)));
}
