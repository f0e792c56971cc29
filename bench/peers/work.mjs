/**
 * What every engine is given, the same in all of them: the matrix product, and the prompt. Knows no engine.
 */

/** y [M, N] = x [M, K] · w [N, K]ᵀ */
export const GEMM = { M: 256, K: 576, N: 1536 };
export const PREFILL_TOKENS = 256;
export const DECODE_TOKENS = 64;
export const THREADS = 2;
/** Of each round; the least time counts. */
export const PREFILL_RUNS = 3;
export const GEMM_MS = 300;

export const prompt = Array.from({ length: PREFILL_TOKENS }, (_, i) => 100 + ((i * 7919) % 20_000));

function numbers(count, seed) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    return state / 2 ** 31;
  });
}

/** x [M, K], w [N, K], wt [K, N]. */
export function gemmInputs() {
  const { M, K, N } = GEMM;
  const x = numbers(M * K, 1);
  const w = numbers(N * K, 2);
  const wt = new Float32Array(K * N);
  for (let n = 0; n < N; n++) for (let k = 0; k < K; k++) wt[k * N + n] = w[n * K + k];
  return { x, w, wt };
}

/** Compares 64 entries with float64 sums. */
export function checkGemm(y, { x, w }) {
  const { M, K, N } = GEMM;
  if (y.length !== M * N) throw new Error(`product has ${y.length} numbers, expected ${M * N}`);
  for (let i = 0; i < 64; i++) {
    const [m, n] = [(i * 37) % M, (i * 1009) % N];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += x[m * K + k] * w[n * K + k];
    const got = y[m * N + n];
    if (!(Math.abs(got - sum) < 1e-3)) throw new Error(`product [${m}, ${n}] is ${got}, expected ${sum}`);
  }
}

export function argmax(values) {
  let at = 0;
  for (let i = 1; i < values.length; i++) if (values[i] > values[at]) at = i;
  return at;
}
