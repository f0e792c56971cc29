/**
 * Percentile bootstrap confidence intervals (Efron 1979) over item indices, so that paired samples are resampled together.
 * The same seed gives the same interval on every machine. Knows nothing of what the statistic is.
 */
import { checkKeys, InputError } from "../../tensor/errors.ts";
import { stream } from "../../tensor/random.ts";
import { quantiles } from "./descriptive.ts";

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
  checkKeys(options, ["resamples", "confidence", "seed"], "bootstrapInterval");
  const { resamples = 2000, confidence = 0.95, seed = 0 } = options;
  requireThat(Number.isInteger(count) && count >= 0, `count is ${count}, expected the number of items`);
  requireThat(Number.isInteger(resamples) && resamples > 0, `resamples is ${resamples}, expected a positive integer`);
  requireThat(confidence > 0 && confidence < 1, `confidence is ${confidence}, expected a number between 0 and 1`);
  requireThat(Number.isSafeInteger(seed), `seed is ${seed}, expected an integer`);
  const drawn: number[] = [];
  const next = stream(seed);
  const indices = new Uint32Array(count);
  for (let r = 0; count > 0 && r < resamples; r++) {
    for (let i = 0; i < count; i++) indices[i] = Math.floor(next() * count);
    const value = statistic(indices);
    if (!Number.isNaN(value)) drawn.push(value);
  }
  const tail = (1 - confidence) / 2;
  const [low, high] = quantiles(drawn, [tail, 1 - tail]);
  return { low: low!, high: high! };
}

function requireThat(ok: boolean, message: string): void {
  if (!ok) throw new InputError("E_OPTION", `bootstrapInterval: ${message}`);
}
