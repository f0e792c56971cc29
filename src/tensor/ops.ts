/**
 * Tape: records operations. Each method checks shapes and types, allocates the output in the current scope, appends one
 * `OpCall`, and returns the output. Nothing runs until `backend.run(tape.calls)`. Knows no device and no model.
 */
import {
  type Activation,
  type Backend,
  type HeadLayout,
  type Matrix,
  type NormKind,
  type OpCall,
  type Precision,
  SEQ,
} from "./backend.ts";
import type { DType } from "./dtype.ts";
import { DTypeError, ShapeError } from "./errors.ts";
import type { Scope } from "./scope.ts";
import { expectShape, format, numel, type Shape } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

/** Largest k of `topK`: what a GPU sorts in the memory of one workgroup. */
export const TOP_K_MOST = 512;

export interface NormParams {
  readonly kind: NormKind;
  readonly eps: number;
}

export interface AttentionParams {
  readonly heads: HeadLayout;
  readonly seqs: Tensor;
  readonly scale: number;
  readonly window: number;
}

export class Tape {
  readonly calls: OpCall[] = [];

  constructor(
    readonly backend: Backend,
    /** Where outputs are allocated; `within` swaps it. */
    public scope: Scope,
    /** Of all products that are recorded. */
    readonly precision: Precision = "exact",
  ) {}

  /** Runs `record` with a scope whose temporaries are reused after it ends. */
  within<T>(record: () => T): T {
    const outer = this.scope;
    this.scope = outer.child();
    try {
      return record();
    } finally {
      this.scope.dispose();
      this.scope = outer;
    }
  }

  /** ids i32 [T] -> y [T, D]. */
  embed(table: Matrix, ids: Tensor, y = this.#new([rowCount(ids), table.shape[1]], "embed")): Tensor {
    expectDType("embed: ids", ids, "i32");
    this.calls.push({ op: "embed", table, ids, y });
    return y;
  }

  /** x [T, D], gain [D], bias [D] -> y [T, D]. */
  norm(x: Tensor, p: NormParams, gain?: Tensor, bias?: Tensor): Tensor {
    expectGain("norm", x, gain, bias);
    const y = this.#like(x, "norm");
    this.calls.push({ op: "norm", kind: p.kind, eps: p.eps, x, y, gain, bias });
    return y;
  }

  /** x [T, D] -> scale [T, 1] (the denominator of `norm`). */
  normScale(x: Tensor, p: NormParams): Tensor {
    const scaleOut = this.#new([rowCount(x), 1], "norm.scale");
    this.calls.push({ op: "norm", kind: p.kind, eps: p.eps, x, scaleOut });
    return scaleOut;
  }

  /** x [T, D], scale [T, 1] -> normalised x, without gain and bias. */
  normBy(x: Tensor, p: NormParams, scaleIn: Tensor): Tensor {
    expectShape("normBy: scale", scaleIn.shape, [rowCount(x), 1]);
    const y = this.#like(x, "norm.normalized");
    this.calls.push({ op: "norm", kind: p.kind, eps: p.eps, x, y, scaleIn });
    return y;
  }

  /** x [T, D] · gain [D] + bias [D] -> y [T, D]. */
  affine(x: Tensor, gain: Tensor, bias?: Tensor): Tensor {
    expectGain("affine", x, gain, bias);
    const y = this.#like(x, "affine");
    this.calls.push({ op: "affine", x, gain, bias, y });
    return y;
  }

  /** x [T, K], w [N, K] -> y [T, N] = act(x·wᵀ + bias) + residual. */
  linear(x: Tensor, w: Matrix, o: { bias?: Tensor; act?: Activation; residual?: Tensor; y?: Tensor } = {}): Tensor {
    const [n, k] = w.shape;
    const t = rowCount(x);
    expectShape(`linear(${w.label}): x`, x.shape, [t, k]);
    if (o.bias) expectShape(`linear(${w.label}): bias`, o.bias.shape, [n]);
    if (o.residual) expectShape(`linear(${w.label}): residual`, o.residual.shape, [t, n]);
    if (o.y) expectShape(`linear(${w.label}): y`, o.y.shape, [t, n]);
    const y = o.y ?? this.#new([t, n], w.label);
    this.calls.push({
      op: "linear",
      x,
      w,
      bias: o.bias,
      act: o.act,
      residual: o.residual,
      y,
      precision: this.precision,
    });
    return y;
  }

  /** x [R, K], w [N, K], ids i32 [C] -> y [R, C]. */
  columns(x: Tensor, w: Matrix, ids: Tensor): Tensor {
    expectDType("columns: ids", ids, "i32");
    expectShape(`columns(${w.label}): x`, x.shape, [rowCount(x), w.shape[1]]);
    const y = this.#new([rowCount(x), rowCount(ids)], "columns");
    this.calls.push({ op: "columns", x, w, ids, y });
    return y;
  }

  /** Rotates q and k of qkv [T, (H + 2·Hkv)·Dh] in place. */
  rope(
    qkv: Tensor,
    heads: HeadLayout,
    positions: Tensor,
    table: { cos: Tensor; sin: Tensor },
    headNorm?: { qGain: Tensor; kGain: Tensor; eps: number },
  ): void {
    expectQkv("rope", qkv, heads);
    expectShape("rope: positions", positions.shape, [rowCount(qkv)]);
    expectShape("rope: sin", table.sin.shape, table.cos.shape);
    if (table.cos.columns * 2 !== heads.Dh)
      throw new ShapeError(`rope: cos has ${table.cos.columns} columns, expected Dh/2 = ${heads.Dh / 2}`);
    this.calls.push({
      op: "rope",
      qkv,
      heads,
      positions,
      cos: table.cos,
      sin: table.sin,
      qGain: headNorm?.qGain,
      kGain: headNorm?.kGain,
      eps: headNorm?.eps ?? 0,
    });
  }

  /** k, v of qkv -> rows slots[t] of the caches [rows, Hkv·Dh]. */
  storeKv(qkv: Tensor, heads: HeadLayout, slots: Tensor, kCache: Tensor, vCache: Tensor): void {
    expectQkv("storeKv", qkv, heads);
    expectShape("storeKv: slots", slots.shape, [rowCount(qkv)]);
    expectCache("storeKv", kCache, heads);
    expectCache("storeKv", vCache, heads);
    this.calls.push({ op: "storeKv", qkv, heads, slots, kCache, vCache });
  }

  /** qkv [T, (H + 2·Hkv)·Dh], caches [rows, Hkv·Dh] -> z [T, H·Dh]. */
  attention(qkv: Tensor, kCache: Tensor, vCache: Tensor, p: AttentionParams, maxKeys: number): Tensor {
    expectQkv("attention", qkv, p.heads);
    expectCache("attention", kCache, p.heads);
    expectCache("attention", vCache, p.heads);
    if (p.seqs.columns !== SEQ.width)
      throw new ShapeError(`attention: seqs has shape ${format(p.seqs.shape)}, expected [S, ${SEQ.width}]`);
    const z = this.#new([rowCount(qkv), p.heads.H * p.heads.Dh], "attn.z");
    this.calls.push({
      op: "attention",
      qkv,
      heads: p.heads,
      kCache,
      vCache,
      seqs: p.seqs,
      scale: p.scale,
      window: p.window,
      maxKeys,
      z,
    });
    return z;
  }

  /** Scores [H, Tq, Tk] of sequence `seq`. */
  attnScores(qkv: Tensor, kCache: Tensor, p: AttentionParams, seq: number, Tq: number, Tk: number): Tensor {
    expectQkv("attnScores", qkv, p.heads);
    const scores = this.#new([p.heads.H, Tq, Tk], "attn.scores");
    this.calls.push({
      op: "attnScores",
      qkv,
      heads: p.heads,
      kCache,
      seqs: p.seqs,
      seq,
      scale: p.scale,
      window: p.window,
      scores,
    });
    return scores;
  }

  /** Softmax over the last axis. */
  softmax(x: Tensor): Tensor {
    const y = this.#like(x, "softmax");
    this.calls.push({ op: "softmax", x, y });
    return y;
  }

  /** pattern [H, Tq, Tk] · v -> that sequence's rows of z [T, H·Dh]. */
  attnMix(pattern: Tensor, vCache: Tensor, p: AttentionParams, seq: number, z: Tensor): void {
    this.calls.push({ op: "attnMix", pattern, heads: p.heads, vCache, seqs: p.seqs, seq, z });
  }

  /** x [T, 2F] (gate | up) -> y [T, F]. */
  glu(x: Tensor, act: Activation): Tensor {
    if (x.columns % 2) throw new ShapeError(`glu: x has shape ${format(x.shape)}, expected an even last axis`);
    const y = this.#new([rowCount(x), x.columns / 2], "glu");
    this.calls.push({ op: "glu", act, x, y });
    return y;
  }

  activation(x: Tensor, act: Activation): Tensor {
    const y = this.#like(x, act);
    this.calls.push({ op: "activation", act, x, y });
    return y;
  }

  /** a + b -> y of the same shape. */
  add(a: Tensor, b: Tensor, y = this.#like(a, "add")): Tensor {
    expectShape("add: b", b.shape, a.shape);
    expectShape("add: y", y.shape, a.shape);
    this.calls.push({ op: "add", a, b, y });
    return y;
  }

  /** x [T, D] += coeffs[t] · vectors[index[t]], in place. */
  steer(x: Tensor, vectors: Tensor, index: Tensor, coeffs: Tensor): void {
    if (vectors.columns !== x.columns)
      throw new ShapeError(`steer: a vector has ${vectors.columns} elements, the residual stream ${x.columns}`);
    expectShape("steer: index", index.shape, [rowCount(x)]);
    expectShape("steer: coeffs", coeffs.shape, [rowCount(x)]);
    this.calls.push({ op: "steer", x, vectors, index, coeffs });
  }

  /** Removes from each row of x [T, D] its component along vectors[index[t]], in place. */
  ablate(x: Tensor, vectors: Tensor, index: Tensor): void {
    if (vectors.columns !== x.columns)
      throw new ShapeError(`ablate: a vector has ${vectors.columns} elements, the residual stream ${x.columns}`);
    expectShape("ablate: index", index.shape, [rowCount(x)]);
    this.calls.push({ op: "ablate", x, vectors, index });
  }

  /** x [T, N] -> log Σ exp of each row [T, 1]. */
  logSumExp(x: Tensor, y = this.#new([rowCount(x), 1], "logSumExp")): Tensor {
    expectShape("logSumExp: y", y.shape, [rowCount(x), 1]);
    this.calls.push({ op: "logSumExp", x, y });
    return y;
  }

  /** x [R, N] -> i32 [R, 2, k]: places of the k largest, descending, and the bits of their values. k is 1 to TOP_K_MOST. */
  topK(x: Tensor, k: number): Tensor {
    const most = Math.min(x.columns, TOP_K_MOST);
    if (!(Number.isInteger(k) && k >= 1 && k <= most))
      throw new ShapeError(`topK: k is ${k} for rows of ${x.columns}`, `give a whole number from 1 to ${most}`);
    const y = this.scope.tensor([rowCount(x), 2, k], "topK", "i32");
    this.calls.push({ op: "topK", x, y });
    return y;
  }

  /** weights [K, R] · x [R, D] -> y [K, D]; a `y` that is given is added to. */
  sumRows(x: Tensor, weights: Tensor, y?: Tensor): Tensor {
    expectShape("sumRows: weights", weights.shape, [rowCount(weights), rowCount(x)]);
    const shape = [rowCount(weights), x.columns];
    if (y) expectShape("sumRows: y", y.shape, shape);
    const sums = y ?? this.#new(shape, "sumRows");
    this.calls.push({ op: "sumRows", x, weights, y: sums, add: y !== undefined });
    return sums;
  }

  /** x [T, D], rows i32 [R] -> y [R, D]. */
  gatherRows(x: Tensor, rows: Tensor, y = this.#new([rowCount(rows), x.columns], "gather")): Tensor {
    expectDType("gatherRows: rows", rows, "i32");
    expectShape("gatherRows: y", y.shape, [rowCount(rows), x.columns]);
    this.calls.push({ op: "gatherRows", x, rows, y });
    return y;
  }

  /** `columns` columns from src (at srcColumn) to dst (at dstColumn), for all rows. */
  copy(src: Tensor, srcColumn: number, dst: Tensor, dstColumn: number, columns: number): void {
    const [from, to] = [src.elems / src.columns, dst.elems / dst.columns];
    if (from !== to || srcColumn + columns > src.columns || dstColumn + columns > dst.columns) {
      throw new ShapeError(
        `copy: ${columns} columns from ${format(src.shape)} at ${srcColumn} to ${format(dst.shape)} at ${dstColumn}`,
      );
    }
    this.calls.push({ op: "copy", src, srcColumn, dst, dstColumn, columns });
  }

  host(label: string, run: () => void): void {
    this.calls.push({ op: "host", label, run });
  }

  #new(shape: Shape, label: string): Tensor {
    return this.scope.tensor(shape, label);
  }

  #like(x: Tensor, label: string): Tensor {
    return this.scope.tensor(x.shape, label);
  }
}

function rowCount(x: Tensor): number {
  return x.shape[0] ?? 1;
}

function expectDType(what: string, x: Tensor, dtype: DType): void {
  if (x.dtype !== dtype) throw new DTypeError(`${what} has dtype ${x.dtype}, expected ${dtype}`);
}

function expectGain(op: string, x: Tensor, gain?: Tensor, bias?: Tensor): void {
  if (gain) expectShape(`${op}: gain`, gain.shape, [x.columns]);
  if (bias) expectShape(`${op}: bias`, bias.shape, [x.columns]);
}

function expectQkv(op: string, qkv: Tensor, { H, Hkv, Dh }: HeadLayout): void {
  expectShape(`${op}: qkv`, qkv.shape, [rowCount(qkv), (H + 2 * Hkv) * Dh]);
}

function expectCache(op: string, cache: Tensor, { Hkv, Dh }: HeadLayout): void {
  if (numel(cache.shape.slice(1)) !== Hkv * Dh)
    throw new ShapeError(`${op}: cache has shape ${format(cache.shape)}, expected [rows, ${Hkv * Dh}]`);
}
