/**
 * The inner routines of attention on one block: M rows (heads × query rows) against the keys of one kv head. Scores and
 * mix are register tiles; each element is summed in one fixed order (along d, along keys), whatever tile it falls in, so
 * that results do not depend on how rows were cut into blocks. Knows no call and no sequence table.
 */
import type { Features } from "../kernel.ts";
import { type Expr, type Func, f32, f32x4, i32, type Local, type ModuleBuilder, type ValueType, v128 } from "./asm.ts";
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

/**
 * Tile heights by tier: the largest that V8 keeps in registers first. A tile is a function of one loop that stores its sums
 * as they are: V8 spills them inside the loop as soon as anything is computed from them after it (27 against 57 GFLOP/s).
 */
const tileHeights = (features: Features): readonly number[] => (features.fma ? [6, 3, 1] : [4, 2, 1]);

/** tile(q, panel, to): the scores of R packed queries against the 8 keys of a panel. */
function addPanelTile(
  m: ModuleBuilder,
  features: Features,
  { heads: { Dh }, stride }: AttentionPlan,
  R: number,
): number {
  return m.func(["i32", "i32", "i32"], undefined, (f) => {
    const [q, panel, to] = f.params as [Local, Local, Local];
    const acc = accumulators(f, R, 2);
    const end = f.i32(i32.add(q, Dh * 4));
    f.while(i32.ne(q, end), () => {
      rankOne(f, features, acc, (r) => v128.load32Splat(q, r * Dh * 4), [v128.load(panel), v128.load(panel, 16)]);
      f.increment(q, 4);
      f.increment(panel, PANEL_KEYS * 4);
    });
    acc.forEach((sums, r) => sums.forEach((sum, v) => f.storeV128(to, sum, r * stride * 4 + v * 16)));
  });
}

/** Scores M × [lo, hi) with lanes along the keys, from key panels transposed into scratch. For many rows. */
export function addPanelScores(m: ModuleBuilder, features: Features, plan: AttentionPlan): number {
  const {
    heads: { Hkv, Dh },
    stride,
  } = plan;
  const tiles = new Map(tileHeights(features).map((R) => [R, addPanelTile(m, features, plan, R)]));
  return m.func(CORE_PARAMS, undefined, (f) => {
    const [M, lo, hi, prefixBase, ownBase, prefix, scratch] = f.params as readonly Local[] as CoreParams;
    const [panel, scores] = [f.i32(i32.add(scratch, plan.panel)), f.i32(i32.add(scratch, plan.scores))];
    const j = f.i32();
    f.loop(j, lo, hi, PANEL_KEYS, () => {
      packPanel(f, plan, { prefixBase, ownBase, prefix }, Hkv * Dh * 4, j, hi, panel);
      const column = f.i32(at(scores, i32.shl(j, 2)));
      forRowTiles(f, M, tileHeights(features), (row, R) => {
        const q = i32.add(scratch, i32.mul(row, Dh * 4));
        f.call(tiles.get(R)!, [q, panel, i32.add(column, i32.mul(row, stride * 4))]);
      });
    });
  });
}

/** (M, lo, hi, prefixBase, ownBase, prefix, scratch) of the functions below. */
const CORE_PARAMS: readonly ValueType[] = Array<ValueType>(7).fill("i32");
type CoreParams = readonly [Local, Local, Local, Local, Local, Local, Local];

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
  return m.func(CORE_PARAMS, undefined, (f) => {
    const [M, lo, hi, prefixBase, ownBase, prefix, scratch] = f.params as readonly Local[] as CoreParams;
    const cache = { prefixBase, ownBase, prefix };
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
        acc.forEach((sums, r) => f.storeV128(to, sumEach(f, sums), r * stride * 4));
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

/** Keys that the mix takes at a time, so that their values stay in the cache for all rows. */
const MIX_KEYS = 256;

/**
 * z rows += P [M, lo..hi) · v, with lanes along Dh. P lies in scratch like the scores; the address of each output row is in
 * the z table. Sums run over ascending keys in one accumulator an element, which waits in z between blocks of keys.
 */
export function addMix(m: ModuleBuilder, features: Features, plan: AttentionPlan): number {
  const tiles = addMixTiles(m, features, plan);
  const rowBytes = plan.heads.Hkv * plan.heads.Dh * 4;
  return m.func(CORE_PARAMS, undefined, (f) => {
    const [M, lo, hi, prefixBase, ownBase, prefix, scratch] = f.params as readonly Local[] as CoreParams;
    const [j, end, column] = [f.i32(lo), f.i32(), f.i32()];
    f.while(i32.ltS(j, hi), () => {
      const v = keyAddress(f, { prefixBase, ownBase, prefix }, j, rowBytes);
      f.set(end, i32.add(j, MIX_KEYS));
      f.set(end, i32.select(end, hi, i32.ltS(end, hi)));
      f.set(end, i32.select(prefix, end, i32.and(i32.ltS(j, prefix), i32.ltS(prefix, end))));
      forRowTiles(f, M, tileHeights(features), (row, R) => {
        const { vectors, whole, rest } = tiles.get(R)!;
        const pattern = f.i32(i32.add(i32.add(scratch, plan.scores), i32.mul(row, plan.stride * 4)));
        const table = f.i32(i32.add(i32.add(scratch, plan.zTable), i32.shl(row, 2)));
        const from = f.i32(i32.add(pattern, i32.shl(j, 2)));
        const to = f.i32(i32.add(pattern, i32.shl(end, 2)));
        const tile = (index: number): void => f.call(index, [from, to, i32.add(v, column), column, table]);
        const wholeVectors = Math.floor(plan.heads.Dh / 4);
        f.loop(column, 0, (wholeVectors - (wholeVectors % vectors)) * 16, vectors * 16, () => tile(whole));
        if (rest !== undefined) tile(rest);
      });
      f.set(j, end);
    });
  });
}

/** Per tile height: the tile of the widest columns that registers hold, and one for what is left of Dh. */
function addMixTiles(m: ModuleBuilder, features: Features, plan: AttentionPlan) {
  const { Dh } = plan.heads;
  const wholeVectors = Math.floor(Dh / 4);
  return new Map(
    tileHeights(features).map((R, i) => {
      const vectors = Math.min([2, 4, 8][i]!, Math.max(1, wholeVectors));
      const rest = Array<number>(wholeVectors % vectors).fill(4);
      if (Dh % 4) rest.push(Dh % 4);
      const whole = addMixTile(m, features, plan, R, Array<number>(vectors).fill(4));
      return [R, { vectors, whole, rest: rest.length > 0 ? addMixTile(m, features, plan, R, rest) : undefined }];
    }),
  );
}

/** tile(p, end, v, column, table): R rows times vectors of `lanes` elements, from byte `column` of a head on. */
function addMixTile(
  m: ModuleBuilder,
  features: Features,
  { heads: { Hkv, Dh }, stride }: AttentionPlan,
  R: number,
  lanes: readonly number[],
): number {
  return m.func(Array<ValueType>(5).fill("i32"), undefined, (f) => {
    const [p, end, v, column, table] = f.params as [Local, Local, Local, Local, Local];
    const outputRow = (r: number): Local => f.i32(i32.add(i32.load(table, 4 * r), column));
    const acc = Array.from({ length: R }, (_, r) => {
      const z = outputRow(r);
      return lanes.map((count, i) => f.v128(loadLanes(z, count, i * 16)));
    });
    f.while(i32.ltU(p, end), () => {
      const values = lanes.map((count, i) => loadLanes(v, count, i * 16));
      rankOne(f, features, acc, (r) => v128.load32Splat(p, r * stride * 4), values);
      f.increment(p, 4);
      f.increment(v, Hkv * Dh * 4);
    });
    acc.forEach((sums, r) => {
      const z = outputRow(r);
      sums.forEach((sum, i) => storeLanes(f, z, sum, lanes[i]!, i * 16));
    });
  });
}

/** Fills [from, to) (float indices) of a row with one value. */
export function fillRow(f: Func, row: Expr, from: Expr, to: Expr, value: number): void {
  const j = f.i32();
  f.loop(j, from, to, 1, () => f.storeF32(i32.add(row, i32.shl(j, 2)), f32.const(value)));
}
