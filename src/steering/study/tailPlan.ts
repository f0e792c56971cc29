/**
 * The plan of an evaluation: which items and cells run together, within a budget of rows, and what that costs, before
 * anything runs. Items are sorted so that neighbours share most of their prompts. Knows tokens and counts, no tensor.
 */
import { commonPrefix, compareTokens } from "../../model/index.ts";
import { InputError } from "../../tensor/errors.ts";
import type { ItemGeometry } from "./geometry.ts";
import type { Measure } from "./result.ts";

/** An item's rows: those from `start` on are its tail, the rest is prompt. */
export interface Tail {
  /** Place of the item in the caller's list. */
  readonly item: number;
  readonly geometry: ItemGeometry;
  /** First steered position. */
  readonly start: number;
  /** Ends of the tail's rows on either side; from `differ` on the sides have rows of their own. */
  readonly positiveEnd: number;
  readonly negativeEnd: number;
  /** Rows of one variant of the tail: R in the cost formula. */
  readonly rows: number;
  /** The sequences that its unsteered rows lie on: one, or one a side. */
  readonly leaves: readonly (readonly number[])[];
}

/** A vector at a layer with a multiplier; the indices are those of the grid. */
export interface Cell {
  readonly layerIndex: number;
  readonly vector: number;
  readonly multiplierIndex: number;
}

/** What runs in one pass. */
export interface Chunk {
  readonly tails: readonly Tail[];
  /** Cells [from, to) of the list, for every tail. */
  readonly from: number;
  readonly to: number;
  /** False where an earlier pass over the same tail has already run its unsteered rows. */
  readonly trunk: boolean;
  /** Positions of the first leaf that the pass before left behind. */
  readonly carried: number;
  /** Positions of the last leaf to leave behind. */
  readonly carryOut: number;
  /** Whether more passes over these tails follow. */
  readonly continues: boolean;
}

export interface TailPlan {
  readonly chunks: readonly Chunk[];
  readonly cells: readonly Cell[];
  readonly tails: readonly Tail[];
  /** Token-layer evaluations: trie tokens · L + Σ over tails of R · (L + Σ over cells of the layers above). */
  readonly evaluations: number;
  /** Rows whose logits over the whole vocabulary are computed; elsewhere columns suffice. */
  readonly vocabularyRows: number;
  readonly mostRows: number;
  readonly mostCarried: number;
}

export interface TailPlanOptions {
  readonly measures: readonly Measure[];
  readonly skip: 0 | 1;
  /** First steered position of an item. */
  readonly start: (g: ItemGeometry, item: number) => number;
  readonly layers: readonly number[];
  /** Layers of the model. */
  readonly L: number;
  readonly cells: readonly Cell[];
  readonly rowBudget: number;
}

/** @throws InputError E_DATA where the logit sum is asked for of answers with unequal numbers of tokens. */
export function planTails(items: readonly ItemGeometry[], o: TailPlanOptions): TailPlan {
  const whole = o.measures.some((m) => m !== "ab");
  const tails = items.map((g, item) => makeTail(g, item, o.start(g, item), whole, o.measures));
  tails.sort((a, b) => compareTokens(a.leaves[0]!, b.leaves[0]!));
  const cellsPerPass = (rows: number): number => Math.max(1, Math.floor(o.rowBudget / rows));
  const chunks: Chunk[] = [];
  for (let at = 0; at < tails.length; ) {
    let to = at;
    let rows = 0;
    while (to < tails.length) {
      const more = rowsOf(tails[to]!, tails[to - 1], o.cells.length);
      if (to > at && rows + more > o.rowBudget) break;
      rows += more;
      to++;
    }
    const group = tails.slice(at, to);
    const [first, last] = [group[0]!, group.at(-1)!];
    const step = group.length > 1 ? Math.max(1, o.cells.length) : cellsPerPass(first.rows);
    for (let from = 0; from === 0 || from < o.cells.length; from += step) {
      const end = Math.min(from + step, o.cells.length);
      const continues = end < o.cells.length;
      const next = sharedWith(last, tails[to]);
      chunks.push({
        tails: group,
        from,
        to: end,
        trunk: from === 0,
        carried: from === 0 ? sharedWith(tails[at - 1], first) : first.start,
        carryOut: from > 0 ? 0 : step < o.cells.length ? Math.max(next, first.start) : next,
        continues,
      });
    }
    at = to;
  }
  return { chunks, cells: o.cells, tails, ...costs(tails, chunks, o) };
}

function makeTail(g: ItemGeometry, item: number, start: number, whole: boolean, measures: readonly Measure[]): Tail {
  const { positive, negative, differ } = g;
  if (measures.includes("logit-sum") && positive.length !== negative.length) {
    throw new InputError(
      "E_DATA",
      `item ${item + 1}: its answers end after ${positive.length - g.prompt} and ${negative.length - g.prompt} tokens, so sums of logits do not compare`,
      'use the measure "logprob" or "ab"',
    );
  }
  const positiveEnd = whole ? positive.length - 1 : differ;
  const negativeEnd = whole ? negative.length - 1 : differ;
  const leaves = [positive.slice(0, positiveEnd), negative.slice(0, negativeEnd)];
  return {
    item,
    geometry: g,
    start,
    positiveEnd,
    negativeEnd,
    rows: positiveEnd - start + negativeEnd - differ,
    leaves: negativeEnd > differ ? leaves : leaves.slice(0, 1),
  };
}

/** Positions of `b`'s prompt that the pass over `a` has computed: its tail's rows are never taken from there. */
function sharedWith(a: Tail | undefined, b: Tail | undefined): number {
  return a && b ? Math.min(commonPrefix(a.leaves.at(-1)!, b.leaves[0]!), b.start) : 0;
}

/** Rows that a tail adds to a pass. */
function rowsOf(tail: Tail, before: Tail | undefined, cells: number): number {
  return tail.start - sharedWith(before, tail) + tail.rows * (1 + cells);
}

function costs(
  tails: readonly Tail[],
  chunks: readonly Chunk[],
  o: TailPlanOptions,
): Pick<TailPlan, "evaluations" | "vocabularyRows" | "mostRows" | "mostCarried"> {
  const above = (from: number, to: number): number =>
    o.cells.slice(from, to).reduce((sum, cell) => sum + o.L - 1 - o.layers[cell.layerIndex]!, 0);
  const allAbove = above(0, o.cells.length);
  let evaluations = 0;
  for (const [i, tail] of tails.entries())
    evaluations += (tail.start - sharedWith(tails[i - 1], tail) + tail.rows) * o.L + tail.rows * allAbove;
  const sums = o.measures.includes("logprob") ? 1 + o.cells.length : 0;
  const behind = tails.reduce((sum, t) => sum + t.positiveEnd + t.negativeEnd - 2 * t.geometry.differ, 0);
  const rows = chunks.map((c) =>
    c.tails.reduce((sum, t, i) => {
      const trunk = c.trunk ? t.start - (i > 0 ? sharedWith(c.tails[i - 1], t) : c.carried) + t.rows : 0;
      return sum + trunk + t.rows * (c.to - c.from);
    }, 0),
  );
  return {
    evaluations,
    vocabularyRows: tails.length + sums * behind,
    mostRows: Math.max(0, ...rows),
    mostCarried: Math.max(0, ...chunks.map((c) => c.carryOut)),
  };
}
