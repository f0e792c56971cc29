/**
 * One sample of numbers: mean, spread, quantiles. Pure functions; a NaN in the sample, or a sample too small for the number
 * asked for, gives NaN and never throws. Knows nothing of steering.
 */

/** Arithmetic mean; NaN for no values. */
export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

/** Variance with n - 1 in two passes; NaN for fewer than two values. */
export function variance(values: ArrayLike<number>): number {
  if (values.length < 2) return Number.NaN;
  const centre = mean(values);
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i]! - centre) ** 2;
  return sum / (values.length - 1);
}

/** Standard deviation with n - 1; NaN for fewer than two values. */
export function standardDeviation(values: ArrayLike<number>): number {
  return Math.sqrt(variance(values));
}

/** Standard error of the mean; NaN for fewer than two values. */
export function standardError(values: ArrayLike<number>): number {
  return standardDeviation(values) / Math.sqrt(values.length);
}

/**
 * Quantiles by linear interpolation of order statistics (type 7 of Hyndman and Fan 1996, numpy's default), one for each
 * probability in [0, 1]. NaN for no values, a NaN among them, or a probability outside [0, 1].
 */
export function quantiles(values: ArrayLike<number>, probabilities: readonly number[]): number[] {
  const sorted = Float64Array.from(values).sort();
  // a typed array sorts NaN to its end
  const unusable = sorted.length === 0 || Number.isNaN(sorted[sorted.length - 1]);
  return probabilities.map((p) => {
    if (unusable || !(p >= 0 && p <= 1)) return Number.NaN;
    const at = (sorted.length - 1) * p;
    const low = Math.floor(at);
    const [a, b] = [sorted[low]!, sorted[Math.ceil(at)]!];
    // without the comparison, two equal infinities would give NaN
    return a === b ? a : a + (b - a) * (at - low);
  });
}

/** Median; NaN as in `quantiles`. */
export function median(values: ArrayLike<number>): number {
  return quantiles(values, [0.5])[0]!;
}
