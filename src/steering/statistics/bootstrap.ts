/**
 * Percentile bootstrap confidence intervals (Efron 1979) over item indices, so that paired samples are resampled together.
 * The same seed gives the same interval on every machine. Knows nothing of what the statistic is.
 */
import { checkKeys, InputError } from "../../tensor/errors.ts";
import { stream } from "../../tensor/random.ts";
import { quantiles } from "./descriptive.ts";
import { studentQuantile, studentTwoSided } from "./student.ts";

export interface BootstrapOptions {
  /** Samples drawn with replacement. Default 2000. */
  readonly resamples?: number;
  /** Share of the resampled statistics within the interval. Default 0.95. */
  readonly confidence?: number;
  /** Default 0. */
  readonly seed?: number;
}

export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * The interval of `statistic`, which is given `count` item indices at a time (an array that is reused). Resamples whose
 * statistic is NaN (a constant sample in a correlation) are left out; NaN ends where no resample is left or there is no item.
 * @throws InputError E_OPTION for bad options.
 */
export function bootstrapInterval(
  count: number,
  statistic: (indices: Uint32Array) => number,
  options: BootstrapOptions = {},
): Interval {
  requireThat(Number.isInteger(count) && count >= 0, `count is ${count}, expected the number of items`);
  const all = Uint32Array.from({ length: count }, (_, i) => i);
  return bootstrapIntervals([all], (indices) => [statistic(indices)], options)[0]!;
}

/**
 * Intervals of several statistics from the same resamples, each drawn within its group of item indices, so that groups keep
 * their sizes; one after another in the array that the statistics are given. @throws InputError E_OPTION for bad options.
 */
export function bootstrapIntervals(
  groups: readonly ArrayLike<number>[],
  statistics: (indices: Uint32Array) => readonly number[],
  options: BootstrapOptions = {},
): Interval[] {
  checkKeys(options, ["resamples", "confidence", "seed"], "bootstrapInterval");
  const { resamples = 2000, confidence = 0.95, seed = 0 } = options;
  requireThat(Number.isInteger(resamples) && resamples > 0, `resamples is ${resamples}, expected a positive integer`);
  requireThat(confidence > 0 && confidence < 1, `confidence is ${confidence}, expected a number between 0 and 1`);
  requireThat(Number.isSafeInteger(seed), `seed is ${seed}, expected an integer`);
  const next = stream(seed);
  const indices = Uint32Array.from(groups.flatMap((group) => Array.from(group)));
  const names = statistics(indices).length;
  const drawn = Array.from({ length: names }, (): number[] => []);
  for (let r = 0; indices.length > 0 && r < resamples; r++) {
    let at = 0;
    for (const group of groups)
      for (let i = 0; i < group.length; i++) indices[at++] = group[Math.floor(next() * group.length)]!;
    for (const [k, value] of statistics(indices).entries()) if (!Number.isNaN(value)) drawn[k]!.push(value);
  }
  const tail = (1 - confidence) / 2;
  return drawn.map((values) => {
    const [low, high] = quantiles(values, [tail, 1 - tail]);
    return { low: low!, high: high! };
  });
}

/**
 * The confidence to ask of a percentile bootstrap of a mean of n values, so that its interval is as wide as Student's for few of
 * them (Hesterberg 2015, expanded percentiles): resampling ignores that n values have n - 1 degrees of freedom. NaN for n < 2.
 */
export function expandedConfidence(confidence: number, n: number): number {
  const outside = studentTwoSided(Math.sqrt(n / (n - 1)) * studentQuantile(confidence, n - 1), NORMAL);
  // two values ask for more than there are resamples: their ends are the values
  return Math.min(1 - outside, 1 - 1e-9);
}

/** Degrees of freedom at which Student's t is the normal distribution to seven digits. */
const NORMAL = 1e7;

function requireThat(ok: boolean, message: string): void {
  if (!ok) throw new InputError("E_OPTION", `bootstrapInterval: ${message}`);
}
