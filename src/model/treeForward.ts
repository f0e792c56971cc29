/**
 * One forward pass over a tree of tokens. The trunk holds every token of the sequences once; after a block, branches may
 * leave it: copies of some of its rows, each with a vector added, that run on through the layers above beside the trunk. So
 * one pass serves any number of steered variants of a text (the tail tree of PRODUCT.md, EXPERIMENTS 7). No cache outlives a
 * layer: each layer's keys are gathered from the rows that it has just computed. Knows nothing of datasets or measures.
 */
import { SEQ } from "../tensor/backend.ts";
import { ShapeError } from "../tensor/errors.ts";
import { Tape } from "../tensor/ops.ts";
import { Scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { recordBlock, recordNorm } from "./block.ts";
import type { ForwardModel } from "./forward.ts";
import { NO_POINTS } from "./hookPoints.ts";
import type { TokenTree } from "./tokenTree.ts";
import { type TreeLayout, treeLayout } from "./treeLayout.ts";

/** Consecutive rows that leave the trunk together, with one vector added to each. */
export interface Branch {
  /** The leaf whose first `prefixLength` positions the rows attend to. */
  readonly leaf: number;
  readonly prefixLength: number;
  /** Rows of the pass that come between that prefix and this branch's own rows. */
  readonly between: readonly number[];
  /** The trunk's rows that are copied (or the saved ones, see `saved`). */
  readonly sources: readonly number[];
  /** Row of `BranchLayer.vectors`, and its strength. */
  readonly vector: number;
  readonly scale: number;
}

/** The branches that leave after one block. */
export interface BranchLayer {
  readonly layer: number;
  /** [n, D]. */
  readonly vectors: Float32Array;
  readonly branches: readonly Branch[];
}

/** Keys and values [positions, Hkv·Dh] of every layer, kept from one pass for the next. */
export interface TreeCarry {
  readonly k: readonly Tensor[];
  readonly v: readonly Tensor[];
}

export interface TreeSpec {
  readonly tree: TokenTree;
  /** In order of layers. */
  readonly branchLayers: readonly BranchLayer[];
  /** Remove each branch's component along its vector before adding it. */
  readonly ablate: boolean;
  /** Layer to stop before. */
  readonly toLayer: number;
  /** Where carried positions come from and go to. */
  readonly carry?: TreeCarry;
  /** Positions of the last leaf to carry out. */
  readonly carryOut: number;
  /** By layer, where to keep the trunk's rows `saveRows` [saveRows.length, D]. */
  readonly save?: readonly Tensor[];
  readonly saveRows?: readonly number[];
  /** Saved rows of an earlier pass, by layer: branches then take their rows from there. */
  readonly saved?: readonly Tensor[];
  /** Records what becomes of the residual stream [T, D] after layer `l`, in the pass's own list. */
  readonly tap?: (t: Tape, l: number, resid: Tensor) => void;
  /** Rows whose logits are wanted, at these vocabulary entries; and rows whose log Σ exp over all entries is. */
  readonly logits?: {
    readonly rows: readonly number[];
    readonly columns: readonly number[];
    readonly sums: readonly number[];
  };
}

export interface TreePass {
  /**
   * Rows that each segment runs. A segment is a layer on a synchronous device, which can then be interrupted between two, and
   * the whole pass on others, which want one submission.
   */
  readonly rowsOfSegment: readonly number[];
  /** Token-layer evaluations of the pass. */
  readonly evaluations: number;
  /** [rows, columns]. */
  readonly logits?: Tensor;
  /** [n, 1] each; together the rows of `sums`. */
  readonly sums: readonly Tensor[];
  run(segment: number): void;
  dispose(): void;
}

/** Rows whose logits over the whole vocabulary are in memory together: 128 rows of 49,152 are 25 MB. */
const SUM_ROWS = 128;

/** Records the pass. @throws ShapeError for branches out of order. */
export function recordTree(m: ForwardModel, spec: TreeSpec): TreePass {
  const { config: c, backend, weights } = m;
  weights.expectUsable();
  const root = new Scope(backend);
  try {
    const layout = treeLayout(spec);
    const t = new Tape(backend, root, "exact");
    const memory = allocate(root, layout, c.Hkv * c.Dh, c.D);
    const segments: number[] = [];
    const rowsOfSegment: number[] = [];

    if (spec.tree.rows > 0) embed(t, m, spec.tree, memory);
    // The last layer has the most rows: recorded once for its temporaries alone, it leaves buffers that fit all others.
    recordLayer(new Tape(backend, root, "exact"), m, memory, layout, spec, spec.toLayer - 1);
    for (let l = 0; l < spec.toLayer; l++) {
      const active = layout.active(l);
      if (active.rows > 0) recordLayer(t, m, memory, layout, spec, l);
      rowsOfSegment.push(active.rows);
      if (spec.save) t.gatherRows(memory.resid, indexTensor(root, spec.saveRows ?? []), spec.save[l]);
      spec.tap?.(t, l, memory.resid);
      recordBranches(t, root, spec, layout, memory.resid, l);
      segments.push(t.calls.length);
    }
    const { logits, sums } = spec.logits ? unembed(t, m, spec.logits, memory.resid) : { logits: undefined, sums: [] };
    segments.push(t.calls.length);
    rowsOfSegment.push(0);

    const evaluations = rowsOfSegment.reduce((a, b) => a + b, 0);
    const whole = !backend.caps.synchronous;
    const lists = whole ? [t.calls] : segments.map((end, i) => t.calls.slice(segments[i - 1] ?? 0, end));
    return {
      rowsOfSegment: whole ? [evaluations] : rowsOfSegment,
      evaluations,
      logits,
      sums,
      run(segment) {
        weights.expectUsable();
        backend.run(lists[segment]!);
      },
      dispose() {
        for (const calls of lists) backend.release(calls);
        root.dispose();
      },
    };
  } catch (error) {
    root.dispose();
    throw error;
  }
}

interface TreeMemory {
  /** [T, D]: trunk rows, then branch rows by layer. */
  readonly resid: Tensor;
  readonly positions: Tensor;
  readonly slots: Tensor;
  readonly seqs: Tensor;
  /** One layer's keys and values: of the rows that it computes, behind them the carried ones. [T + carried, Hkv·Dh]. */
  readonly k: Tensor;
  readonly v: Tensor;
  /** Every sequence's past in one piece [keys, Hkv·Dh], and the rows of k and v that it is gathered from. */
  readonly pastK: Tensor;
  readonly pastV: Tensor;
  readonly past: Tensor;
}

function allocate(root: Scope, layout: TreeLayout, width: number, D: number): TreeMemory {
  const { rows, carried, keys } = layout;
  const ints = (data: Int32Array, label: string): Tensor => root.from(data, [data.length], label);
  return {
    resid: root.tensor([rows, D], "tree.resid"),
    positions: ints(layout.positions, "tree.positions"),
    slots: ints(
      Int32Array.from({ length: rows }, (_, i) => i),
      "tree.slots",
    ),
    seqs: root.from(layout.table, [layout.table.length / SEQ.width, SEQ.width], "tree.seqs"),
    k: root.tensor([rows + carried, width], "tree.k"),
    v: root.tensor([rows + carried, width], "tree.v"),
    pastK: root.tensor([keys, width], "tree.pastK"),
    pastV: root.tensor([keys, width], "tree.pastV"),
    past: ints(layout.past, "tree.past"),
  };
}

function embed(t: Tape, { weights: w }: ForwardModel, tree: TokenTree, memory: TreeMemory): void {
  const ids = tree.leaves.flatMap((leaf, i) => leaf.slice(tree.shared[i]));
  const resid = memory.resid.rows(0, tree.rows);
  t.embed(w.embed, indexTensor(t.scope, ids), resid);
  if (w.positions) t.add(resid, t.embed(w.positions, memory.positions.rows(0, tree.rows)), resid);
}

function recordLayer(
  t: Tape,
  { config, weights: w }: ForwardModel,
  memory: TreeMemory,
  layout: TreeLayout,
  spec: TreeSpec,
  l: number,
): void {
  const active = layout.active(l);
  const rows = {
    positions: memory.positions.rows(0, active.rows),
    slots: memory.slots.rows(0, active.rows),
    seqs: memory.seqs.rows(0, active.sequences),
    sizes: () => [],
  };
  const inputs = {
    config,
    rows,
    rope: w.rope,
    k: memory.k.rows(0, active.rows),
    v: memory.v.rows(0, active.rows),
    maxKeys: layout.maxKeys,
    gatherPast: () => recordPast(t, memory, active.keys, l, spec, layout),
  };
  t.within(() => recordBlock(t, NO_POINTS, l, w.blocks[l]!, inputs, memory.resid.rows(0, active.rows)));
}

/** What attention reads: the past of every sequence, gathered from this layer's rows and the carried ones. */
function recordPast(
  t: Tape,
  memory: TreeMemory,
  keys: number,
  l: number,
  { carry, carryOut, tree }: TreeSpec,
  layout: TreeLayout,
): { k: Tensor; v: Tensor } {
  const move = (rows: Tensor, past: Tensor, carried: Tensor | undefined): void => {
    if (carried && layout.carried > 0) {
      const into = rows.rows(layout.rows, layout.rows + layout.carried);
      t.copy(carried.rows(0, layout.carried), 0, into, 0, rows.columns);
    }
    t.gatherRows(rows, memory.past.rows(0, keys), past.rows(0, keys));
    if (!carried || carryOut === 0) return;
    const start = layout.leafStart[tree.leaves.length - 1]!;
    t.copy(past.rows(start, start + carryOut), 0, carried.rows(0, carryOut), 0, rows.columns);
  };
  move(memory.k, memory.pastK, carry?.k[l]);
  move(memory.v, memory.pastV, carry?.v[l]);
  return { k: memory.pastK, v: memory.pastV };
}

/** The rows that leave the trunk after block `l`: copied, ablated, steered. */
function recordBranches(t: Tape, root: Scope, spec: TreeSpec, layout: TreeLayout, resid: Tensor, l: number): void {
  const leaving = spec.branchLayers.find((b) => b.layer === l);
  if (!leaving) return;
  const { branches, vectors } = leaving;
  const [from, to] = [layout.active(l).rows, layout.active(l + 1).rows];
  const rows = resid.rows(from, to);
  const each = <T>(value: (b: Branch) => T): T[] => branches.flatMap((b) => b.sources.map(() => value(b)));
  const index = indexTensor(root, each((b) => b.vector)); // biome-ignore format: one line
  const coeffs = root.from(Float32Array.from(each((b) => b.scale)), [to - from], "tree.coeffs");
  const directions = root.from(vectors, [vectors.length / resid.columns, resid.columns], "tree.vectors");
  t.gatherRows(spec.saved?.[l] ?? resid, indexTensor(root, branches.flatMap((b) => b.sources)), rows); // biome-ignore format: one line
  if (spec.ablate) t.ablate(rows, directions, index);
  t.steer(rows, directions, index, coeffs);
}

function unembed(
  t: Tape,
  { weights: w, config: c }: ForwardModel,
  { rows, columns, sums }: NonNullable<TreeSpec["logits"]>,
  resid: Tensor,
): { logits: Tensor; sums: Tensor[] } {
  const normalized = (wanted: readonly number[]): Tensor =>
    recordNorm(t, NO_POINTS, "ln_final", t.gatherRows(resid, indexTensor(t.scope, wanted)), w.lnFinal, c);
  const logits = t.columns(normalized(rows), w.unembed, indexTensor(t.scope, columns));
  const results: Tensor[] = [];
  for (let at = 0; at < sums.length; at += SUM_ROWS) {
    const slice = sums.slice(at, at + SUM_ROWS);
    const y = t.scope.tensor([slice.length, 1], "tree.sums");
    t.within(() => t.logSumExp(t.linear(normalized(slice), w.unembed), y));
    results.push(y);
  }
  return { logits, sums: results };
}

function indexTensor(scope: Scope, values: readonly number[]): Tensor {
  if (values.length === 0) throw new ShapeError("tree pass: an empty list of rows");
  return scope.from(Int32Array.from(values), [values.length], "tree.index");
}
