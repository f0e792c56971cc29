/** Sampling against the definitions, computed the long way from the same logits. */
import { describe, expect, it } from "vitest";
import { argmax, Sampler, type SamplingOptions } from "../../src/model/sampling.ts";
import { stream, uniform } from "../../src/tensor/random.ts";

const V = 50;
const next = stream(9);
const LOGITS = Float32Array.from({ length: V }, () => 6 * next() - 3);
const softmax = (x: readonly number[]): number[] => {
  const e = x.map((v) => Math.exp(v - Math.max(...x)));
  return e.map((v) => v / e.reduce((a, b) => a + b));
};

/** Share of each token among 20,000 draws. */
function shares(options: ConstructorParameters<typeof Sampler>[1]): number[] {
  const sampler = new Sampler(V, options);
  const counts = new Array<number>(V).fill(0);
  for (let i = 0; i < 20_000; i++) counts[sampler.next(LOGITS.slice())]! += 1 / 20_000;
  return counts;
}

/** What the definitions leave over: the most likely tokens in order, while `keep` holds, renormalised. */
function expected(
  temperature: number,
  keep: (rank: number, p: number, before: number, best: number) => boolean,
): number[] {
  const p = softmax([...LOGITS].map((x) => x / temperature));
  const order = [...p.keys()].sort((a, b) => p[b]! - p[a]!);
  const left = new Array<number>(V).fill(0);
  let before = 0;
  for (const [rank, id] of order.entries()) {
    if (keep(rank, p[id]!, before, p[order[0]!]!)) left[id] = p[id]!;
    before += p[id]!;
  }
  const total = left.reduce((a, b) => a + b);
  return left.map((x) => x / total);
}

const close = (got: readonly number[], want: readonly number[]): void => {
  for (let i = 0; i < V; i++) {
    if (want[i] === 0) expect(got[i]).toBe(0);
    expect(Math.abs(got[i]! - want[i]!)).toBeLessThan(0.015);
  }
};

describe("sampling", () => {
  it("is greedy at temperature 0, takes the first of equals, and never NaN", () => {
    expect(new Sampler(V).next(LOGITS.slice())).toBe(argmax(LOGITS));
    expect(argmax(Float32Array.of(1, 3, 3))).toBe(1);
    expect(argmax(Float32Array.of(Number.NaN, 2, 5, Number.NaN))).toBe(2);
  });

  it("follows the softmax at a temperature", () =>
    close(
      shares({ temperature: 0.7, seed: 1 }),
      expected(0.7, () => true),
    ));
  it("keeps the top k", () =>
    close(
      shares({ temperature: 1, topK: 5, seed: 2 }),
      expected(1, (rank) => rank < 5),
    ));
  it("keeps the nucleus", () =>
    close(
      shares({ temperature: 1, topP: 0.6, seed: 3 }),
      expected(1, (_r, _p, before) => before < 0.6),
    ));
  it("drops below min-p of the best", () =>
    close(
      shares({ temperature: 1, minP: 0.3, seed: 4 }),
      expected(1, (_r, p, _b, best) => p >= 0.3 * best),
    ));

  it("divides seen positive logits and multiplies negative ones", () => {
    const sampler = new Sampler(3, { repetitionPenalty: 2 });
    sampler.note(0);
    sampler.note(1);
    const logits = Float32Array.of(3, -1, 1.4);
    expect(sampler.next(logits)).toBe(0);
    expect([...logits]).toEqual([1.5, -2, Math.fround(1.4)]);
  });

  it("repeats with the same seed, differs with another", () => {
    const draw = (seed: number): number[] => {
      const sampler = new Sampler(V, { temperature: 1, seed });
      return Array.from({ length: 30 }, () => sampler.next(LOGITS.slice()));
    };
    expect(draw(5)).toEqual(draw(5));
    expect(draw(5)).not.toEqual(draw(6));
  });

  it.each([
    [{ temperature: -1 }, /temperature is -1, expected a number of 0 or more/],
    [{ topK: 1.5 }, /topK is 1.5/],
    [{ topP: 0 }, /topP is 0/],
    [{ minP: 1 }, /minP is 1/],
    [{ repetitionPenalty: 0 }, /repetitionPenalty is 0/],
    [{ seed: 0.5 }, /seed is 0.5/],
  ])("refuses %o", (options, message) => {
    expect(() => new Sampler(V, options)).toThrow(message);
  });
});

describe("sampling from candidates", () => {
  const next = stream(77);
  const N = 600;
  const rows: Readonly<Record<string, () => number>> = {
    "spread out": () => 12 * next() - 6,
    "with ties": () => Math.round(4 * next()),
    "with ties at the top": () => Math.min(3, 6 * next()),
    "mostly hidden": () => (next() < 0.97 ? Number.NEGATIVE_INFINITY : next()),
    "with NaN": () => (next() < 0.1 ? Number.NaN : 5 * next()),
    "of NaN and infinities": () => [Number.NaN, Number.POSITIVE_INFINITY, -Infinity][Math.floor(3 * next())]!,
    "of NaN": () => Number.NaN,
    "far apart": () => 3000 * next(),
  };
  const options: readonly SamplingOptions[] = [
    {},
    { temperature: 1, topK: 1 },
    { temperature: 0.7, topK: 5 },
    { temperature: 1.3, topK: 40, topP: 0.9 },
    { temperature: 1, topK: 40, minP: 0.2 },
    { temperature: 2, topK: 256, topP: 0.7, minP: 0.01 },
    { temperature: 0.01, topK: 256 },
  ];

  /** What the op `topK` gives. */
  function largest(logits: Float32Array, k: number): { ids: Int32Array; values: Float32Array } {
    const rank = (v: number): number => (Number.isNaN(v) ? Number.NEGATIVE_INFINITY : v);
    const order = Array.from(logits.keys()).sort((i, j) => {
      const [a, b] = [logits[i]!, logits[j]!];
      if (Number.isNaN(a) !== Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1;
      return rank(a) === rank(b) ? i - j : rank(b) > rank(a) ? 1 : -1;
    });
    const ids = Int32Array.from(order.slice(0, k));
    return { ids, values: Float32Array.from(ids, (i) => logits[i]!) };
  }

  it.each(Object.entries(rows))("gives the tokens of the whole row, %s", (_name, logit) => {
    for (const o of options) {
      const [whole, few] = [new Sampler(N, { ...o, seed: 3 }), new Sampler(N, { ...o, seed: 3 })];
      const k = few.candidates!;
      expect(k).toBe(o.temperature ? o.topK! + 1 : 1);
      const [got, want]: [number[], number[]] = [[], []];
      for (let i = 0; i < 100; i++) {
        const logits = Float32Array.from({ length: N }, logit);
        const { ids, values } = largest(logits, k);
        got.push(few.nextOf(ids, values));
        want.push(whole.next(logits));
      }
      expect(got, JSON.stringify(o)).toEqual(want);
    }
  });

  it("is refused where only the whole row decides", () => {
    const of = (o: SamplingOptions): number | undefined => new Sampler(N, o).candidates;
    expect(of({ temperature: 1 })).toBeUndefined();
    expect(of({ temperature: 1, topP: 0.5 })).toBeUndefined();
    expect(of({ temperature: 1, topK: 257 })).toBeUndefined();
    expect(of({ repetitionPenalty: 1.1 })).toBeUndefined();
    expect(of({ temperature: 1, topK: 5, repetitionPenalty: 1.1 })).toBeUndefined();
    expect(new Sampler(20, { temperature: 1, topK: 9 }).candidates).toBeUndefined(); // 10 ids and values are 20 numbers
  });
});

describe("uniform", () => {
  it("is a pure function with the mean and variance of a uniform number", () => {
    const n = 50_000;
    const draws = Array.from({ length: n }, (_, i) => uniform(42, i));
    expect(draws.slice(0, 3)).toEqual([0, 1, 2].map((i) => uniform(42, i)));
    const mean = draws.reduce((a, b) => a + b) / n;
    expect(mean).toBeCloseTo(0.5, 2);
    expect(draws.reduce((a, b) => a + (b - mean) ** 2, 0) / n).toBeCloseTo(1 / 12, 2);
    expect(Math.min(...draws)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...draws)).toBeLessThan(1);
  });
});
