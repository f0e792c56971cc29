/** Sampling against the definitions, computed the long way from the same logits. */
import { describe, expect, it } from "vitest";
import { argmax, Sampler } from "../../src/model/sampling.ts";
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
