/**
 * Reads the residual stream of many texts at chosen positions, at all asked-for layers, in one pass a batch that computes
 * every shared beginning once and stops at the last layer it needs, and adds it up under weights on the device. Knows tokens
 * and positions, not what they mean.
 */
import {
  breathe,
  commonPrefix,
  compareTokens,
  type LanguageModel,
  recordTree,
  TokenTree,
  type TreeSpec,
} from "../model/index.ts";
import { Scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";

/** Tokens, and the positions [from, to) whose mean is read. */
export interface ReadText {
  readonly tokens: readonly number[];
  readonly from: number;
  readonly to: number;
}

export interface ReadControl {
  readonly signal?: AbortSignal;
  /** Token-layer evaluations done and in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** Sums over texts, by set of weights and layer. */
export interface ResidualSums {
  /** Σ weight · mean residual [D], as sums[set][layerIndex]. */
  readonly sums: readonly (readonly Float32Array[])[];
  /** Σ length of the mean residual, by layer index. */
  readonly lengths: Float32Array;
}

/** Rows of one pass: enough for full speed of the products. */
const ROW_BUDGET = 1024;

interface Batch {
  /** Indices of texts, sorted by tokens. */
  readonly texts: readonly number[];
  readonly tree: TokenTree;
  readonly carryOut: number;
}

/**
 * Sums the mean residuals of the texts under each set of weights (a number a text). The device adds up; all sums come back in
 * one read. Hook point: `blocks.{l}.hook_resid_post` of each of `layers`. @throws the signal's reason when aborted.
 */
export async function sumResiduals(
  model: LanguageModel,
  texts: readonly ReadText[],
  weights: readonly ArrayLike<number>[],
  layers: readonly number[],
  o: ReadControl = {},
): Promise<ResidualSums> {
  const batches = planBatches(texts);
  const toLayer = Math.max(...layers) + 1;
  const total = batches.reduce((sum, b) => sum + b.tree.rows, 0) * toLayer;
  const scope = new Scope(model.backend);
  try {
    const carry = carryTensors(model, scope, Math.max(0, ...batches.map((b) => b.carryOut)), toLayer);
    const totals = new Totals(scope, weights.length, layers, model.config.D);
    let done = 0;
    for (const [b, { texts: members, tree, carryOut }] of batches.entries()) {
      const batchScope = new Scope(model.backend);
      const tap = totals.tap(batchScope, members, texts, weights, (leaf, position) => tree.rowAt(leaf, position));
      const pass = recordTree(model, { tree, branchLayers: [], ablate: false, toLayer, carry, carryOut, tap });
      try {
        for (const [i, rows] of pass.rowsOfSegment.entries()) {
          o.signal?.throwIfAborted();
          pass.run(i);
          // a device that answers later is waited for, so that progress and abort are true
          if (!model.backend.caps.synchronous && b < batches.length - 1) await totals.wait();
          await breathe();
          o.onProgress?.((done += rows), total);
        }
      } finally {
        pass.dispose();
        batchScope.dispose();
      }
    }
    return await totals.read();
  } finally {
    scope.dispose();
  }
}

/** Running sums on the device: for each layer those of all sets of weights [sets, D], then that of lengths [1]. */
class Totals {
  readonly #all: Tensor;
  readonly #width: number;

  constructor(
    scope: Scope,
    private readonly sets: number,
    private readonly layers: readonly number[],
    private readonly D: number,
  ) {
    this.#width = sets * D + 1;
    const elems = layers.length * this.#width;
    this.#all = scope.from(new Float32Array(elems), [elems], "residual sums");
  }

  /** What a pass over `members` adds, for `TreeSpec.tap`. Its tables go to `scope`. */
  tap(
    scope: Scope,
    members: readonly number[],
    texts: readonly ReadText[],
    weights: readonly ArrayLike<number>[],
    rowAt: (leaf: number, position: number) => number,
  ): NonNullable<TreeSpec["tap"]> {
    const n = members.length;
    const places = members.map((text, leaf) => {
      const { from, to } = texts[text]!;
      return Array.from({ length: to - from }, (_, i) => rowAt(leaf, from + i));
    });
    const table = (data: Float32Array, label: string): Tensor => scope.from(data, [data.length / n, n], label);
    const rows = scope.from(Int32Array.from(places.flat()), [places.flat().length], "read rows");
    const shares = places.some((p) => p.length > 1)
      ? scope.from(meanShares(places), [n, rows.elems], "shares")
      : undefined;
    const factors = table(Float32Array.from(weights.flatMap((w) => members.map((text) => w[text]!))), "weights");
    // the denominator of an RMS norm is a row's length / √D
    const roots = table(new Float32Array(n).fill(Math.sqrt(this.D)), "roots");
    return (t, l, resid) => {
      const i = this.layers.indexOf(l);
      if (i < 0) return;
      t.within(() => {
        const read = t.gatherRows(resid, rows);
        const means = shares ? t.sumRows(read, shares) : read;
        t.sumRows(means, factors, this.#part(i, 0, this.sets * this.D).reshape([this.sets, this.D]));
        const lengths = t.normScale(means, { kind: "rms", eps: 0 });
        t.sumRows(lengths, roots, this.#part(i, this.sets * this.D, this.#width).reshape([1, 1]));
      });
    };
  }

  #part(layerIndex: number, from: number, to: number): Tensor {
    const start = layerIndex * this.#width;
    return this.#all.rows(start + from, start + to);
  }

  /** Resolves when the device has done what was run. */
  async wait(): Promise<void> {
    await this.#all.rows(0, 1).read();
  }

  async read(): Promise<ResidualSums> {
    const all = (await this.#all.read()) as Float32Array;
    const at = (set: number, layerIndex: number): Float32Array => {
      const start = layerIndex * this.#width + set * this.D;
      return all.slice(start, start + this.D);
    };
    const sums = Array.from({ length: this.sets }, (_, set) => this.layers.map((_, i) => at(set, i)));
    return { sums, lengths: Float32Array.from(this.layers, (_, i) => all[(i + 1) * this.#width - 1]!) };
  }
}

/** Row i averages the rows that text i is read at. */
function meanShares(places: readonly (readonly number[])[]): Float32Array {
  const width = places.flat().length;
  const shares = new Float32Array(places.length * width);
  let at = 0;
  for (const [i, { length }] of places.entries()) {
    shares.fill(1 / length, i * width + at, i * width + at + length);
    at += length;
  }
  return shares;
}

/** Sorted, cut where the budget is full. What the next batch shares with the end of one is carried over. */
function planBatches(texts: readonly ReadText[]): Batch[] {
  const leafOf = (text: number): readonly number[] => texts[text]!.tokens.slice(0, texts[text]!.to);
  const order = texts.map((_, i) => i).sort((a, b) => compareTokens(leafOf(a), leafOf(b)));
  const groups: number[][] = [];
  let rows = Number.POSITIVE_INFINITY;
  for (const [i, text] of order.entries()) {
    const own = leafOf(text).length - (i > 0 ? commonPrefix(leafOf(order[i - 1]!), leafOf(text)) : 0);
    if (rows + own > ROW_BUDGET) {
      groups.push([]);
      rows = 0;
    }
    groups.at(-1)!.push(text);
    rows += own;
  }
  // a position that is read must be a row of its batch
  const firstRead = (group: readonly number[]): number => Math.min(...group.map((text) => texts[text]!.from));
  const shared = groups.map((group, i) => {
    const before = groups[i - 1]?.at(-1);
    if (before === undefined) return 0;
    return Math.min(commonPrefix(leafOf(before), leafOf(group[0]!)), firstRead(group));
  });
  return groups.map((group, i) => ({
    texts: group,
    tree: new TokenTree(group.map(leafOf), shared[i]),
    carryOut: shared[i + 1] ?? 0,
  }));
}

/** Keys and values of `positions` positions for every layer below `layers`; undefined for none. */
export function carryTensors(
  model: LanguageModel,
  scope: Scope,
  positions: number,
  layers = model.config.L,
): { k: Tensor[]; v: Tensor[] } | undefined {
  if (positions === 0) return undefined;
  const width = model.config.Hkv * model.config.Dh;
  const each = (label: string): Tensor[] =>
    Array.from({ length: layers }, () => scope.tensor([positions, width], label));
  return { k: each("carry.k"), v: each("carry.v") };
}
