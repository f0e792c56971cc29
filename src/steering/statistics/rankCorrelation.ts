/**
 * Rank correlations of few pairs, where Student's t and the bootstrap are falsely certain: an exact p-value, and an interval that
 * does not shrink to a point. Pure functions; too few or constant values, or a NaN, give NaN. Knows nothing of steering.
 */
import { averageRanks, spearman } from "./association.ts";

/** More pairs than these have too many orders to count: 8 have 40 320. */
export const MOST_EXACT = 8;

/**
 * Two-sided p-value of Spearman's correlation over all orders of y: twice the smaller tail, as scipy's permutation_test. NaN for
 * fewer than three pairs or more than `MOST_EXACT`. @throws ShapeError for unequal lengths.
 */
export function exactRankP(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const n = x.length;
  if (n < 3 || n > MOST_EXACT || Number.isNaN(spearman(x, y))) return Number.NaN;
  const [a, b] = [averageRanks(x), averageRanks(y)];
  // ranks are halves, so that sums of products are exact; the correlation rises with them
  const sum = (): number => a.reduce((total, rank, i) => total + rank * b[i]!, 0);
  const seen = sum();
  let [all, atLeast, atMost] = [0, 0, 0];
  forEachOrder(b, () => {
    const value = sum();
    all++;
    if (value >= seen) atLeast++;
    if (value <= seen) atMost++;
  });
  return Math.min(1, (2 * Math.min(atLeast, atMost)) / all);
}

/** Heap's algorithm: every order of `values`, in place. */
function forEachOrder(values: Float64Array, visit: () => void): void {
  const swap = (i: number, j: number): void => {
    const kept = values[i]!;
    values[i] = values[j]!;
    values[j] = kept;
  };
  const counts = new Uint32Array(values.length);
  visit();
  for (let i = 1; i < values.length; ) {
    if (counts[i]! < i) {
      swap(i % 2 === 0 ? 0 : counts[i]!, i);
      visit();
      counts[i] = counts[i]! + 1;
      i = 1;
    } else {
      counts[i] = 0;
      i++;
    }
  }
}

/**
 * 95 % interval of Spearman's correlation of n pairs, tanh(atanh ρ ± 1.96 sqrt((1 + ρ²/2) / (n - 3))) (Bonett and Wright 2000).
 * NaN ends for n of 3 or less and for |ρ| = 1.
 */
export function rankInterval(rho: number, n: number): { low: number; high: number } {
  if (!(n > 3) || !(Math.abs(rho) < 1)) return { low: Number.NaN, high: Number.NaN };
  const half = 1.959963984540054 * Math.sqrt((1 + rho ** 2 / 2) / (n - 3));
  return { low: Math.tanh(Math.atanh(rho) - half), high: Math.tanh(Math.atanh(rho) + half) };
}
