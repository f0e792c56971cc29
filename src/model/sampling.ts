/**
 * Chooses the next token from logits [V], or from the largest few where those decide it: repetition penalty, temperature,
 * top-k, top-p, min-p, then one uniform number. Allocates nothing per token. Knows no model and no text.
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

/** Index of the largest value; the first of equals; NaN never wins over a number. */
export function argmax(x: Float32Array): number {
  let best = 0;
  for (let i = 1; i < x.length; i++) if (x[i]! > x[best]! || (Number.isNaN(x[best]!) && !Number.isNaN(x[i]!))) best = i;
  return best;
}

/** Above this `topK` the whole row is looked at. */
const MOST_CANDIDATES = 256;

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

  /**
   * How many of the largest logits decide the next token exactly as all of them would; undefined where only all do, or where
   * all are less to read. One more than `topK`: whether there are others makes a difference.
   */
  get candidates(): number | undefined {
    if (this.#seen) return undefined;
    if (this.#temperature === 0) return 1;
    const count = this.#topK + 1;
    return this.#topK <= MOST_CANDIDATES && 2 * count < this.#order.length ? count : undefined;
  }

  /**
   * The next token, from the `candidates` largest logits [n] and their ids [n] (largest first, the smaller id first among
   * equals). Both are reordered.
   */
  nextOf(ids: Int32Array, logits: Float32Array): number {
    sortById(ids, logits);
    return ids[this.#choose(logits)]!;
  }

  /** The next token. `logits` [V] is changed. */
  next(logits: Float32Array): number {
    this.#penalize(logits);
    const token = this.#choose(logits);
    this.note(token);
    return token;
  }

  /** Place of the choice; depends on the logits' values and their order alone. */
  #choose(logits: Float32Array): number {
    return this.#temperature === 0 ? argmax(logits) : this.#draw(logits);
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
    const first = argmax(logits);
    const best = logits[first]!;
    // weights[i] = p(i) / p(best); what min-p drops never enters the heap
    let n = 0;
    let total = 0;
    for (let i = 0; i < logits.length; i++) {
      weights[i] = Math.exp((logits[i]! - best) / this.#temperature);
      if (!(weights[i]! > 0 && weights[i]! >= this.#minP)) continue;
      order[n++] = i;
      total += weights[i]!;
    }
    if (n === 0) return first; // an infinite or undefined logit
    if (this.#topK >= n && this.#topP === 1)
      return pick(order, weights, 0, n, uniform(this.#seed, this.#draws++) * total);
    // The most likely tokens move, one by one, to the end of `order`; [0, left) stays a heap of the others.
    for (let i = (n >> 1) - 1; i >= 0; i--) siftDown(order, logits, i, n);
    const most = Math.min(n, this.#topK);
    const enough = this.#topP * (most < n ? topWeight(order, logits, weights, n, most) : total);
    let left = n;
    let kept = 0;
    while (n - left < most && kept < enough) {
      if (most === n) popTop(order, logits, left);
      kept += weights[order[--left]!]!;
    }
    return pick(order, weights, left, n, uniform(this.#seed, this.#draws++) * kept);
  }
}

/** Whether token a comes before token b: the larger logit first, then the smaller id. */
function precedes(logits: Float32Array, a: number, b: number): boolean {
  return logits[a]! > logits[b]! || (logits[a] === logits[b] && a < b);
}

/** Restores the heap [0, n) below position i. */
function siftDown(order: Int32Array, logits: Float32Array, start: number, n: number): void {
  const item = order[start]!;
  let i = start;
  for (;;) {
    let child = 2 * i + 1;
    if (child >= n) break;
    if (child + 1 < n && precedes(logits, order[child + 1]!, order[child]!)) child++;
    if (!precedes(logits, order[child]!, item)) break;
    order[i] = order[child]!;
    i = child;
  }
  order[i] = item;
}

/** Moves the first of the heap [0, n) to position n − 1. */
function popTop(order: Int32Array, logits: Float32Array, n: number): void {
  const top = order[0]!;
  order[0] = order[n - 1]!;
  order[n - 1] = top;
  siftDown(order, logits, 0, n - 1);
}

/** Moves the `most` first to the end of [0, n), the very first last; returns the sum of their weights. */
function topWeight(order: Int32Array, logits: Float32Array, weights: Float64Array, n: number, most: number): number {
  let total = 0;
  for (let left = n; left > n - most; left--) {
    popTop(order, logits, left);
    total += weights[order[left - 1]!]!;
  }
  return total;
}

/** Insertion: there are a few hundred at most. */
function sortById(ids: Int32Array, logits: Float32Array): void {
  for (let i = 1; i < ids.length; i++) {
    const [id, logit] = [ids[i]!, logits[i]!];
    let at = i;
    for (; at > 0 && ids[at - 1]! > id; at--) {
      ids[at] = ids[at - 1]!;
      logits[at] = logits[at - 1]!;
    }
    ids[at] = id;
    logits[at] = logit;
  }
}

/** The token of order[from, to) in whose share of the total weight `at` falls. */
function pick(order: Int32Array, weights: Float64Array, from: number, to: number, at: number): number {
  let rest = at;
  for (let i = to - 1; i >= from; i--) {
    rest -= weights[order[i]!]!;
    if (rest < 0) return order[i]!;
  }
  return order[from]!;
}
