/**
 * What a device must offer: buffers, weight matrices, and the closed set of coarse operations that a transformer needs.
 * Operations are plain data (`OpCall`), recorded once into a list and run as often as wanted: whatever changes from step to
 * step (token ids, positions, steering strengths, cache lengths) lives in small i32/f32 buffers, never in the call.
 * Knows no device and no model. Shape letters as in docs/NOTATION.md.
 */
import type { DType } from "./dtype.ts";
import type { Tensor } from "./tensor.ts";

/** A range of device memory. Backends extend it with their own handle. */
export interface BufferRef {
  readonly bytes: number;
  readonly label: string;
}

/** What the device can do, for `doctor`, `--json` output and benchmarks. */
export interface Capabilities {
  /** Short name of the arithmetic in use, e.g. `wasm-simd+fma`. */
  readonly tier: string;
  readonly threads: number;
  /** Whether `readSync` works, and so whether `run` takes lists with JavaScript hooks in them; otherwise `runAsync` does. */
  readonly synchronous: boolean;
}

/** Rows of a weight matrix as they are stored in a file: [n, k] row-major, `bytes.length = byteLength(dtype, n * k)`. */
export interface MatrixPart {
  readonly dtype: DType;
  readonly n: number;
  readonly k: number;
  readonly bytes: Uint8Array;
}

/**
 * A weight matrix w [N, K] on the device, in a layout of the backend's own; the parts lie one under another along N.
 * Only `linear`, `embed` and `columns` read it.
 */
export interface Matrix {
  readonly label: string;
  readonly shape: readonly [number, number];
  readonly dtypes: readonly DType[];
  /** Bytes of device memory. */
  readonly bytes: number;
}

/**
 * How a product with quantised weights is computed: `exact` with float32 activations; `fast` with activations rounded to 8
 * bits a block of 32, as llama.cpp does. On weights that are not quantised both are the same.
 */
export type Precision = "exact" | "fast";

export type NormKind = "layer" | "rms";
export type Activation = "gelu" | "gelu_tanh" | "relu" | "silu";

/** Where the rows of a packed q | k | v tensor [T, (H + 2·Hkv)·Dh] lie, and how heads are grouped. */
export interface HeadLayout {
  readonly H: number;
  readonly Hkv: number;
  readonly Dh: number;
}

/** Columns of the i32 sequence table [S, 6] that attention reads, one row a sequence (see model/kvCache.ts). */
export const SEQ = {
  rowStart: 0,
  rows: 1,
  ownStart: 2,
  ownLength: 3,
  prefixStart: 4,
  prefixLength: 5,
  width: 6,
} as const;

/**
 * The operations. Tensors named in capitals by shape; `y` is written, everything else read, unless the text says otherwise.
 * All activations are f32, all indices i32.
 */
export type OpCall =
  /** y [T, D] = table[ids[t]], ids i32 [T]. */
  | { op: "embed"; table: Matrix; ids: Tensor; y: Tensor }
  /**
   * rms: scale = sqrt(mean(x²) + eps), n = x / scale; layer: the same after subtracting the mean of the row.
   * y = n · gain + bias, where gain and bias [D] may be absent. `scaleOut` [T, 1] receives scale; `scaleIn` [T, 1] replaces
   * it. With no `y` only the scale is computed.
   */
  | {
      op: "norm";
      kind: NormKind;
      eps: number;
      x: Tensor;
      y?: Tensor;
      gain?: Tensor;
      bias?: Tensor;
      scaleOut?: Tensor;
      scaleIn?: Tensor;
    }
  /** y [T, D] = x · gain + bias, both [D]. */
  | { op: "affine"; x: Tensor; gain: Tensor; bias?: Tensor; y: Tensor }
  /** y [T, N] = act(x [T, K] · w [N, K]ᵀ + bias [N]) + residual [T, N]. `residual` may be `y` itself. */
  | {
      op: "linear";
      x: Tensor;
      w: Matrix;
      bias?: Tensor;
      act?: Activation;
      residual?: Tensor;
      y: Tensor;
      precision?: Precision;
    }
  /** y [R, C] = x [R, K] · w[ids[c]]ᵀ, ids i32 [C]: some rows of a large matrix only. */
  | { op: "columns"; x: Tensor; w: Matrix; ids: Tensor; y: Tensor }
  /**
   * In place on qkv [T, (H + 2·Hkv)·Dh]: if qGain/kGain [Dh] are there, each q/k head is RMS-normalised with them (Qwen3);
   * then q and k are rotated by cos/sin [P, Dh/2] at positions i32 [T] (pairs are (i, i + Dh/2), as in Llama).
   */
  | {
      op: "rope";
      qkv: Tensor;
      heads: HeadLayout;
      positions: Tensor;
      cos: Tensor;
      sin: Tensor;
      qGain?: Tensor;
      kGain?: Tensor;
      eps: number;
    }
  /** k and v of qkv row t go to row slots[t] of kCache, vCache [rows, Hkv·Dh]; slots i32 [T]. */
  | { op: "storeKv"; qkv: Tensor; heads: HeadLayout; slots: Tensor; kCache: Tensor; vCache: Tensor }
  /**
   * z [T, H·Dh]: causal attention of the q part of qkv over the caches. `seqs` i32 [S, 6] gives each sequence's query rows
   * [rowStart, rowStart + rows), its shared prefix rows and its own cache rows; `ownLength` counts this call's rows too.
   * Query i of a sequence sits at absolute position prefixLength + ownLength − rows + i and sees keys at positions ≤ its own
   * and, where `window` > 0, > its own − window. `maxKeys` bounds prefixLength + ownLength over the table.
   */
  | {
      op: "attention";
      qkv: Tensor;
      heads: HeadLayout;
      kCache: Tensor;
      vCache: Tensor;
      seqs: Tensor;
      scale: number;
      window: number;
      maxKeys: number;
      z: Tensor;
    }
  /**
   * The three stages of `attention` for one sequence (row `seq` of the table), equal to it bit for bit:
   * scores [H, Tq, Tk] = q·kᵀ·scale, −Infinity where hidden; `softmax` over the last axis; z rows of that sequence = pattern · v.
   */
  | {
      op: "attnScores";
      qkv: Tensor;
      heads: HeadLayout;
      kCache: Tensor;
      seqs: Tensor;
      seq: number;
      scale: number;
      window: number;
      scores: Tensor;
    }
  | { op: "softmax"; x: Tensor; y: Tensor }
  | { op: "attnMix"; pattern: Tensor; heads: HeadLayout; vCache: Tensor; seqs: Tensor; seq: number; z: Tensor }
  /** y [T, F] = act(x[:, 0:F]) · x[:, F:2F], x [T, 2F] (gate | up). */
  | { op: "glu"; act: Activation; x: Tensor; y: Tensor }
  /** y = act(x), elementwise; y may be x. */
  | { op: "activation"; act: Activation; x: Tensor; y: Tensor }
  /** y = a + b, elementwise; y may be a or b. */
  | { op: "add"; a: Tensor; b: Tensor; y: Tensor }
  /** x [T, D] += coeffs[t] · vectors[index[t]] in place; index i32 [T] (−1 skips the row), coeffs f32 [T], vectors [n, D]. */
  | { op: "steer"; x: Tensor; vectors: Tensor; index: Tensor; coeffs: Tensor }
  /**
   * In place on x [T, D]: x[t] −= (x[t]·u) u, where u is vectors[index[t]] at unit length; index i32 [T] (−1 skips the row),
   * vectors [n, D]. A vector of zeros removes nothing.
   */
  | { op: "ablate"; x: Tensor; vectors: Tensor; index: Tensor }
  /** y [T, 1] = log Σ exp(x[t]), x [T, N]; NaN where the largest of a row is infinite. */
  | { op: "logSumExp"; x: Tensor; y: Tensor }
  /**
   * y i32 [R, 2, K], 1 ≤ K ≤ N: y[r, 0] are the places of the K largest of x[r], x [R, N], in descending order, the smaller
   * place first among equals; y[r, 1] are the bits of those numbers. NaN comes behind all others.
   */
  | { op: "topK"; x: Tensor; y: Tensor }
  /** y [K, D] = weights [K, R] · x [R, D], on top of what y holds where `add`. */
  | { op: "sumRows"; x: Tensor; weights: Tensor; y: Tensor; add: boolean }
  /** y [R, D] = x[rows[r]], rows i32 [R]. */
  | { op: "gatherRows"; x: Tensor; rows: Tensor; y: Tensor }
  /** dst[i, dstColumn + c] = src[i, srcColumn + c] for all rows i and c < columns; both are taken as 2-D by their last axis. */
  | { op: "copy"; src: Tensor; srcColumn: number; dst: Tensor; dstColumn: number; columns: number }
  /** Calls JavaScript between two operations (hooks). A promise is waited for by `runAsync`; `run` allows none. */
  | { op: "host"; label: string; run: () => void | Promise<void> };

export type OpName = OpCall["op"];

/** Counters that tests read: exact on any machine. */
export interface BackendCounters {
  /** Operations run, by name. */
  readonly ops: Record<string, number>;
  /** Buffers allocated since the start. */
  allocations: number;
  /** Bytes in live buffers and matrices. */
  liveBytes: number;
  peakBytes: number;
}

export interface Backend {
  readonly name: "cpu" | "reference" | "webgpu";
  readonly caps: Capabilities;
  readonly counters: BackendCounters;
  /** Contents undefined. @throws DeviceError E_OOM. */
  alloc(bytes: number, label: string): BufferRef;
  free(buffer: BufferRef): void;
  /** Takes the parts in their stored form; quantised parts stay quantised. @throws ShapeError, DTypeError, DeviceError E_OOM. */
  createMatrix(label: string, parts: readonly MatrixPart[]): Matrix;
  freeMatrix(matrix: Matrix): void;
  write(buffer: BufferRef, data: ArrayBufferView, offsetBytes?: number): void;
  /** Runs the calls in order. A list that is run again costs no JavaScript allocation. */
  run(calls: readonly OpCall[]): void;
  /** As `run`, waiting for each host call: the way for those where `caps.synchronous` is false. */
  runAsync?(calls: readonly OpCall[]): Promise<void>;
  /** Compiles what the calls need, ahead and in parallel, where the backend compiles at all. @throws DeviceError. */
  prepare?(calls: readonly OpCall[]): Promise<void>;
  /** Forgets what was kept for this list; it will not run again. */
  release(calls: readonly OpCall[]): void;
  /** Waits for what was run and returns a copy of the range. */
  read(buffer: BufferRef, offsetBytes: number, bytes: number): Promise<Uint8Array>;
  /** Copies into `target` without waiting and without allocating; only where `caps.synchronous`. */
  readInto(buffer: BufferRef, offsetBytes: number, target: Uint8Array): void;
  dispose(): void;
}
