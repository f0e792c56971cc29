/**
 * Chooses the next token from logits [V]: repetition penalty, temperature, top-k, top-p, min-p, then one uniform number.
 * Allocates nothing per token. Knows no model and no text.
 */
import { InputError } from "../tensor/errors.ts";
import { uniform } from "../tensor/random.ts";

export interface SamplingOptions {
  /** 0 is greedy (the default). */
  readonly temperature?: number;
  /** Keep the k most likely tokens; 0 for all. */
  readonly topK?: number;
  /** Keep the fewest tokens whose probabilities sum to p (Holtzman et al. 2020, arXiv 1904.09751). */
  readonly topP?: number;
  /** Drop tokens less likely than this share of the most likely one (arXiv 2407.01082). */
  readonly minP?: number;
  /** Divides positive and multiplies negative logits of tokens already there (Keskar et al. 2019, arXiv 1909.05858). */
  readonly repetitionPenalty?: number;
  /** Same seed, same tokens. Default 0. */
  readonly seed?: number;
}

export const SAMPLING_KEYS = ["temperature", "topK", "topP", "minP", "repetitionPenalty", "seed"] as const;

/** @throws InputError E_OPTION naming the option, its value and its range. */
export function checkSampling(o: SamplingOptions): void {
  const check = (name: keyof SamplingOptions, ok: (v: number) => boolean, range: string): void => {
    const value = o[name];
    if (value === undefined || (typeof value === "number" && ok(value))) return;
    throw new InputError("E_OPTION", `${name} is ${value}, expected ${range}`);
  };
  check("temperature", (v) => v >= 0 && Number.isFinite(v), "a number of 0 or more");
  check("topK", (v) => Number.isInteger(v) && v >= 0, "a whole number of 0 or more");
  check("topP", (v) => v > 0 && v <= 1, "a number above 0 and up to 1");
  check("minP", (v) => v >= 0 && v < 1, "a number from 0 to below 1");
  check("repetitionPenalty", (v) => v > 0 && Number.isFinite(v), "a number above 0 (1 for none)");
  check("seed", (v) => Number.isInteger(v), "a whole number");
}

/** Index of the largest value; the first of equals; NaN never wins. */
export function argmax(x: Float32Array): number {
  let best = 0;
  for (let i = 1; i < x.length; i++) if (x[i]! > x[best]! || Number.isNaN(x[best]!)) best = i;
  return best;
}

export class Sampler {
  readonly #temperature: number;
  readonly #topK: number;
  readonly #topP: number;
  readonly #minP: number;
  readonly #penalty: number;
  readonly #seed: number;
  /** 1 for every token seen, where a penalty needs it. */
  readonly #seen: Uint8Array | undefined;
  readonly #order: Int32Array;
  readonly #weights: Float64Array;
  #draws = 0;

  constructor(V: number, o: SamplingOptions = {}) {
    checkSampling(o);
    this.#temperature = o.temperature ?? 0;
    this.#topK = o.topK || V;
    this.#topP = o.topP ?? 1;
    this.#minP = o.minP ?? 0;
    this.#penalty = o.repetitionPenalty ?? 1;
    this.#seed = o.seed ?? 0;
    this.#seen = this.#penalty === 1 ? undefined : new Uint8Array(V);
    const sampled = this.#temperature > 0 ? V : 0;
    this.#order = new Int32Array(sampled);
    this.#weights = new Float64Array(sampled);
  }

  /** Counts a token as seen by the repetition penalty. */
  note(token: number): void {
    if (this.#seen) this.#seen[token] = 1;
  }

  /** The next token. `logits` [V] is changed. */
  next(logits: Float32Array): number {
    this.#penalize(logits);
    const token = this.#temperature === 0 ? argmax(logits) : this.#draw(logits);
    this.note(token);
    return token;
  }

  #penalize(logits: Float32Array): void {
    if (!this.#seen) return;
    for (let i = 0; i < logits.length; i++) {
      if (this.#seen[i]) logits[i] = logits[i]! > 0 ? logits[i]! / this.#penalty : logits[i]! * this.#penalty;
    }
  }

  #draw(logits: Float32Array): number {
    const order = this.#order;
    const weights = this.#weights;
    const best = logits[argmax(logits)]!;
    // weights[i] = p(i) / p(best); whatever min-p drops never enters the sort
    let n = 0;
    for (let i = 0; i < logits.length; i++) {
      weights[i] = Math.exp((logits[i]! - best) / this.#temperature);
      if (weights[i]! > 0 && weights[i]! >= this.#minP) order[n++] = i;
    }
    const narrowed = this.#topK < n || this.#topP < 1;
    const kept = order.subarray(0, n);
    if (narrowed) kept.sort((a, b) => weights[b]! - weights[a]! || a - b);
    n = Math.min(n, this.#topK);
    let total = 0;
    for (let i = 0; i < n; i++) total += weights[kept[i]!]!;
    if (this.#topP < 1) {
      const enough = this.#topP * total;
      total = 0;
      let i = 0;
      while (i < n && total < enough) total += weights[kept[i++]!]!;
      n = i;
    }
    let left = uniform(this.#seed, this.#draws++) * total;
    for (let i = 0; i < n; i++) {
      left -= weights[kept[i]!]!;
      if (left < 0) return kept[i]!;
    }
    return kept[n - 1] ?? argmax(logits);
  }
}
