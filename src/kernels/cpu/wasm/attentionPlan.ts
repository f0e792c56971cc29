/**
 * How attention is cut into units and where its scratch lies. A unit is a group of heads that share a kv head, times a block
 * of query rows; it holds whole score rows in scratch, so that softmax and the mix are the very code of the staged
 * operations. Nothing here reads the sequence table: that happens when the kernel runs.
 */
import type { HeadLayout } from "../../../tensor/backend.ts";

export interface AttentionPlan {
  readonly heads: HeadLayout;
  /** Heads of one unit; divides H / Hkv. */
  readonly unitHeads: number;
  /** Query rows of one unit, at most. */
  readonly blockRows: number;
  readonly blocks: number;
  readonly units: number;
  /** Floats from one score row in scratch to the next; a multiple of 4, at least maxKeys rounded up to 8. */
  readonly stride: number;
  /** Byte offsets in scratch: packed queries [rows, Dh], output addresses [rows], key panel [Dh, 8], scores [rows, stride]. */
  readonly zTable: number;
  readonly panel: number;
  readonly scores: number;
  readonly scratchBytes: number;
}

/** Keys of one panel: two vectors, which with 6 rows fill the 16 vector registers of x64. */
export const PANEL_KEYS = 8;
/** Score tiles are 6 rows high; about this many rows share a transposed key panel. */
const TILE_ROWS = 6;
const ROWS_PER_UNIT = 96;
/** Fewer units than this leave threads idle. For a single row it is better to share keys among heads (27 against 35 µs). */
const MIN_UNITS = 8;
const MIN_UNITS_FEW_ROWS = 3;
const MAX_SCORE_BYTES = 4 << 20;

/** Strides come in steps (64, 96, 128, 192 …) so that few modules are compiled; 8 more keep rows out of step with cache sets. */
function scoreStride(maxKeys: number): number {
  let step = 64;
  while (step < maxKeys) step *= 2;
  return (step > 64 && (step / 4) * 3 >= maxKeys ? (step / 4) * 3 : step) + PANEL_KEYS;
}

function largestDivisor(n: number, limit: number): number {
  for (let d = Math.min(n, limit); d > 1; d--) if (n % d === 0) return d;
  return 1;
}

/** `T` query rows in all, `maxKeys` the most keys that one of them sees. */
export function planAttention(heads: HeadLayout, T: number, maxKeys: number): AttentionPlan {
  const { H, Hkv, Dh } = heads;
  const group = H / Hkv;
  const unitHeads =
    T > 3 ? largestDivisor(group, 8) : largestDivisor(group, Math.max(1, Math.floor((H * T) / MIN_UNITS_FEW_ROWS)));
  const headUnits = H / unitHeads;
  const stride = scoreStride(maxKeys);
  let blockRows = TILE_ROWS * Math.max(1, Math.min(8, Math.round(ROWS_PER_UNIT / TILE_ROWS / unitHeads)));
  while (blockRows > TILE_ROWS && blockRows * unitHeads * stride * 4 > MAX_SCORE_BYTES) blockRows -= TILE_ROWS;
  const fewest = Math.ceil(T / Math.ceil(MIN_UNITS / headUnits));
  // Whole tiles, so that prompts of different lengths share modules.
  blockRows = Math.min(blockRows, fewest > TILE_ROWS ? Math.ceil(fewest / TILE_ROWS) * TILE_ROWS : Math.max(1, fewest));
  const blocks = Math.ceil(T / blockRows);
  const rows = unitHeads * blockRows;
  const align = (bytes: number): number => Math.ceil(bytes / 16) * 16;
  const zTable = align(rows * Dh * 4);
  const panel = zTable + align(rows * 4);
  const scores = panel + Dh * PANEL_KEYS * 4;
  const scratchBytes = scores + rows * stride * 4;
  return {
    heads,
    unitHeads,
    blockRows,
    blocks,
    units: headUnits * blocks,
    stride,
    zTable,
    panel,
    scores,
    scratchBytes,
  };
}

/** What of the plan is baked into a module. */
export function planKey({ heads: { H, Hkv, Dh }, unitHeads, blockRows, stride }: AttentionPlan): string {
  return `${H}/${Hkv}/${Dh}/${unitHeads}/${blockRows}/${stride}`;
}
