/** A share of a sample with its interval. Pure; knows nothing of steering. */
import type { Interval } from "./bootstrap.ts";

/**
 * Wilson's 95 % interval of a share (1927): unlike a bootstrap it does not shrink to a point where none or all have the
 * property. NaN ends for fewer than two.
 */
export function wilsonInterval(count: number, n: number): Interval {
  if (n < 2) return { low: Number.NaN, high: Number.NaN };
  const z2 = 1.959963984540054 ** 2;
  const share = count / n;
  const centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const half = Math.sqrt(z2 * ((share * (1 - share)) / n + z2 / (4 * n * n))) / (1 + z2 / n);
  // none and all end at 0 and 1 exactly, which rounding would miss
  return { low: count === 0 ? 0 : centre - half, high: count === n ? 1 : centre + half };
}
