/**
 * One slow, obvious function an operation: float64 arithmetic, plain loops, the definition and nothing else. Fused stages
 * round to float32 between them, so that a fused call equals its stages run one by one.
 * The meaning of each call is documented at `OpCall`; shapes were checked when it was recorded.
 */
import { type Activation, type HeadLayout, type OpCall, type OpName, SEQ } from "../../tensor/backend.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { floats, ints, type ReferenceMatrix } from "./memory.ts";

type Oracles = { readonly [K in OpName]: (call: Extract<OpCall, { op: K }>) => void };

/** erf by its Maclaurin series for |x| < 3 and by the continued fraction of erfc beyond; good to 1e-15. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a > 6) return Math.sign(x);
  if (a < 3) {
    let term = a;
    let sum = a;
    for (let n = 1; n < 200 && Math.abs(term) > 1e-18; n++) {
      term *= (-a * a) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (a + fraction);
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * (a + fraction)));
}

/** act(x); `gelu_tanh` is GPT-2's gelu_new (Hendrycks & Gimpel 2016), `silu` is x·sigmoid(x). */
export function activate(act: Activation, x: number): number {
  switch (act) {
    case "relu":
      return Math.max(0, x);
    case "silu":
      return x / (1 + Math.exp(-x));
    case "gelu":
      return 0.5 * x * (1 + erf(x / Math.SQRT2));
    case "gelu_tanh":
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
  }
}

/** The cache rows that a sequence may see, in order of position, and its query rows. */
function sequence(seqs: Tensor, s: number) {
  const row = ints(seqs).subarray(s * SEQ.width, (s + 1) * SEQ.width);
  const [prefix, own] = [row[SEQ.prefixLength]!, row[SEQ.ownLength]!];
  const cacheRow = (j: number): number => (j < prefix ? row[SEQ.prefixStart]! + j : row[SEQ.ownStart]! + j - prefix);
  return { rowStart: row[SEQ.rowStart]!, Tq: row[SEQ.rows]!, Tk: prefix + own, cacheRow };
}

function softmaxRow(x: Float64Array): void {
  let max = Number.NEGATIVE_INFINITY;
  for (const v of x) max = Math.max(max, v);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += x[i] = Math.exp(x[i]! - max);
  for (let i = 0; i < x.length; i++) x[i]! /= sum;
}

interface ScoreArgs {
  qkv: Tensor;
  heads: HeadLayout;
  kCache: Tensor;
  seqs: Tensor;
  scale: number;
  window: number;
}

/** Scores of query i, head h of sequence s against all its keys. */
function scoreRow(c: ScoreArgs, s: number, h: number, i: number): Float64Array {
  const { H, Hkv, Dh } = c.heads;
  const { rowStart, Tq, Tk, cacheRow } = sequence(c.seqs, s);
  const [q, k] = [floats(c.qkv), floats(c.kCache)];
  const qAt = (rowStart + i) * (H + 2 * Hkv) * Dh + h * Dh;
  const position = Tk - Tq + i;
  return Float64Array.from({ length: Tk }, (_, j) => {
    if (j > position || (c.window > 0 && j <= position - c.window)) return Number.NEGATIVE_INFINITY;
    const kAt = (cacheRow(j) * Hkv + Math.floor((h * Hkv) / H)) * Dh;
    let dot = 0;
    for (let d = 0; d < Dh; d++) dot += q[qAt + d]! * k[kAt + d]!;
    return dot * c.scale;
  });
}

function mixRow(
  pattern: ArrayLike<number>,
  heads: HeadLayout,
  vCache: Tensor,
  seqs: Tensor,
  s: number,
  h: number,
  i: number,
  z: Tensor,
): void {
  const { H, Hkv, Dh } = heads;
  const { rowStart, Tk, cacheRow } = sequence(seqs, s);
  const [v, out] = [floats(vCache), floats(z)];
  for (let d = 0; d < Dh; d++) {
    let sum = 0;
    for (let j = 0; j < Tk; j++) sum += pattern[j]! * v[(cacheRow(j) * Hkv + Math.floor((h * Hkv) / H)) * Dh + d]!;
    out[((rowStart + i) * H + h) * Dh + d] = sum;
  }
}

function normalizeHead(x: Float32Array, at: number, gain: Float32Array, eps: number): void {
  let squares = 0;
  for (let d = 0; d < gain.length; d++) squares += x[at + d]! ** 2;
  const scale = Math.sqrt(squares / gain.length + eps);
  for (let d = 0; d < gain.length; d++) x[at + d] = (x[at + d]! / scale) * gain[d]!;
}

export const oracles: Oracles = {
  embed({ table, ids, y }) {
    const [w, D, out] = [(table as ReferenceMatrix).values, table.shape[1], floats(y)];
    ints(ids).forEach((id, t) => out.set(w.subarray(id * D, (id + 1) * D), t * D));
  },

  norm({ kind, eps, x, y, gain, bias, scaleOut, scaleIn }) {
    const [xs, D] = [floats(x), x.columns];
    const [g, b] = [gain && floats(gain), bias && floats(bias)];
    for (let t = 0; t < x.elems / D; t++) {
      const row = Float64Array.from(xs.subarray(t * D, (t + 1) * D));
      const mean = kind === "layer" ? row.reduce((a, v) => a + v, 0) / D : 0;
      const squares = row.reduce((a, v) => a + (v - mean) ** 2, 0);
      const scale = scaleIn ? floats(scaleIn)[t]! : Math.fround(Math.sqrt(squares / D + eps));
      if (scaleOut) floats(scaleOut)[t] = scale;
      if (y)
        row.forEach((v, d) => (floats(y)[t * D + d] = Math.fround((v - mean) / scale) * (g?.[d] ?? 1) + (b?.[d] ?? 0)));
    }
  },

  affine({ x, gain, bias, y }) {
    const [xs, g, b, out, D] = [floats(x), floats(gain), bias && floats(bias), floats(y), x.columns];
    for (let i = 0; i < xs.length; i++) out[i] = xs[i]! * g[i % D]! + (b?.[i % D] ?? 0);
  },

  linear({ x, w, bias, act, residual, y }) {
    const [xs, ws, out] = [floats(x), (w as ReferenceMatrix).values, floats(y)];
    const [b, r] = [bias && floats(bias), residual && floats(residual)];
    const [N, K] = w.shape;
    for (let t = 0; t < x.elems / K; t++) {
      for (let n = 0; n < N; n++) {
        let sum = b?.[n] ?? 0;
        for (let k = 0; k < K; k++) sum += xs[t * K + k]! * ws[n * K + k]!;
        const linear = Math.fround(sum);
        out[t * N + n] = Math.fround(act ? activate(act, linear) : linear) + (r?.[t * N + n] ?? 0);
      }
    }
  },

  columns({ x, w, ids, y }) {
    const [xs, ws, out, id] = [floats(x), (w as ReferenceMatrix).values, floats(y), ints(ids)];
    const K = w.shape[1];
    for (let t = 0; t < x.elems / K; t++) {
      for (let c = 0; c < id.length; c++) {
        let sum = 0;
        for (let k = 0; k < K; k++) sum += xs[t * K + k]! * ws[id[c]! * K + k]!;
        out[t * id.length + c] = sum;
      }
    }
  },

  rope({ qkv, heads: { H, Hkv, Dh }, positions, cos, sin, qGain, kGain, eps }) {
    const [x, c, s] = [floats(qkv), floats(cos), floats(sin)];
    ints(positions).forEach((position, t) => {
      for (let h = 0; h < H + Hkv; h++) {
        const at = (t * (H + 2 * Hkv) + h) * Dh;
        const gain = h < H ? qGain : kGain;
        if (gain) normalizeHead(x, at, floats(gain), eps);
        for (let i = 0; i < Dh / 2; i++) {
          const [a, b] = [x[at + i]!, x[at + i + Dh / 2]!];
          const [cs, sn] = [c[(position * Dh) / 2 + i]!, s[(position * Dh) / 2 + i]!];
          x[at + i] = a * cs - b * sn;
          x[at + i + Dh / 2] = b * cs + a * sn;
        }
      }
    });
  },

  storeKv({ qkv, heads: { H, Hkv, Dh }, slots, kCache, vCache }) {
    const [x, W, width] = [floats(qkv), Hkv * Dh, (H + 2 * Hkv) * Dh];
    ints(slots).forEach((slot, t) => {
      const k = t * width + H * Dh;
      floats(kCache).set(x.subarray(k, k + W), slot * W);
      floats(vCache).set(x.subarray(k + W, k + 2 * W), slot * W);
    });
  },

  attention(call) {
    for (let s = 0; s < call.seqs.elems / SEQ.width; s++) {
      for (let h = 0; h < call.heads.H; h++) {
        for (let i = 0; i < sequence(call.seqs, s).Tq; i++) {
          const row = Float64Array.from(Float32Array.from(scoreRow(call, s, h, i)));
          softmaxRow(row);
          mixRow(Float32Array.from(row), call.heads, call.vCache, call.seqs, s, h, i, call.z);
        }
      }
    }
  },

  attnScores(call) {
    const [, Tq = 0, Tk = 0] = call.scores.shape;
    for (let h = 0; h < call.heads.H; h++) {
      for (let i = 0; i < Tq; i++) floats(call.scores).set(scoreRow(call, call.seq, h, i), (h * Tq + i) * Tk);
    }
  },

  softmax({ x, y }) {
    const n = x.columns;
    for (let i = 0; i < x.elems; i += n) {
      const row = Float64Array.from(floats(x).subarray(i, i + n));
      softmaxRow(row);
      floats(y).set(row, i);
    }
  },

  attnMix({ pattern, heads, vCache, seqs, seq, z }) {
    const [, Tq = 0, Tk = 0] = pattern.shape;
    for (let h = 0; h < heads.H; h++) {
      for (let i = 0; i < Tq; i++) {
        const at = (h * Tq + i) * Tk;
        mixRow(floats(pattern).subarray(at, at + Tk), heads, vCache, seqs, seq, h, i, z);
      }
    }
  },

  glu({ act, x, y }) {
    const [xs, out, F] = [floats(x), floats(y), y.columns];
    for (let i = 0; i < out.length; i++) {
      const at = Math.floor(i / F) * 2 * F + (i % F);
      out[i] = activate(act, xs[at]!) * xs[at + F]!;
    }
  },

  activation({ act, x, y }) {
    floats(x).forEach((v, i) => (floats(y)[i] = activate(act, v)));
  },

  add({ a, b, y }) {
    floats(a).forEach((v, i) => (floats(y)[i] = v + floats(b)[i]!));
  },

  steer({ x, vectors, index, coeffs }) {
    const [xs, v, c, D] = [floats(x), floats(vectors), floats(coeffs), x.columns];
    ints(index).forEach((which, t) => {
      for (let d = 0; which >= 0 && d < D; d++) xs[t * D + d]! += c[t]! * v[which * D + d]!;
    });
  },

  ablate({ x, vectors, index }) {
    const [xs, v, D] = [floats(x), floats(vectors), x.columns];
    ints(index).forEach((which, t) => {
      let [dot, squares] = [0, 0];
      for (let d = 0; which >= 0 && d < D; d++) {
        dot += xs[t * D + d]! * v[which * D + d]!;
        squares += v[which * D + d]! ** 2;
      }
      for (let d = 0; squares > 0 && d < D; d++) xs[t * D + d]! -= (dot / squares) * v[which * D + d]!;
    });
  },

  logSumExp({ x, y }) {
    const n = x.columns;
    floats(y).forEach((_, t, out) => {
      const row = Float64Array.from(floats(x).subarray(t * n, (t + 1) * n));
      const max = row.reduce((a, b) => Math.max(a, b), -Infinity);
      const sum = row.reduce((total, v) => total + Math.exp(v - max), 0);
      out[t] = max + Math.log(sum);
    });
  },

  topK({ x, y }) {
    const [N, K, out] = [x.columns, y.columns, ints(y)];
    const bits = new Int32Array(floats(x).buffer, x.offsetBytes, x.elems);
    const rank = (v: number): number => (Number.isNaN(v) ? 0 : 1);
    for (let r = 0; r < x.elems / N; r++) {
      const row = floats(x).subarray(r * N, (r + 1) * N);
      const order = Array.from(row.keys()).sort((i, j) => {
        const [a, b] = [row[i]!, row[j]!];
        return rank(b) - rank(a) || (a === b || rank(a) === 0 ? i - j : b > a ? 1 : -1);
      });
      for (let k = 0; k < K; k++) {
        out[2 * r * K + k] = order[k]!;
        out[(2 * r + 1) * K + k] = bits[r * N + order[k]!]!;
      }
    }
  },

  sumRows({ x, weights, y, add }) {
    const [xs, w, out, D, R] = [floats(x), floats(weights), floats(y), x.columns, weights.columns];
    for (let i = 0; i < out.length; i++) {
      let sum = add ? out[i]! : 0;
      for (let r = 0; r < R; r++) sum += w[Math.floor(i / D) * R + r]! * xs[r * D + (i % D)]!;
      out[i] = sum;
    }
  },

  gatherRows({ x, rows, y }) {
    ints(rows).forEach((row, r) =>
      floats(y).set(floats(x).subarray(row * x.columns, (row + 1) * x.columns), r * x.columns),
    );
  },

  copy({ src, srcColumn, dst, dstColumn, columns }) {
    for (let i = 0; i < src.elems / src.columns; i++) {
      const from = i * src.columns + srcColumn;
      floats(dst).set(floats(src).subarray(from, from + columns), i * dst.columns + dstColumn);
    }
  },

  host({ run }) {
    run();
  },
};
