/** The Mersenne Twister against CPython's own output, and the golden values of EXPERIMENTS 2.3. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PythonRandom } from "../../../src/steering/statistics/pythonRandom.ts";
import { fixtures } from "../../support/needs.ts";

interface Case {
  seed: string;
  random: number[];
  bits: [number, number][];
  shuffle: number[];
  samples: [number, number, number[]][];
  after: number;
}
const { twister }: { twister: Case[] } = JSON.parse(
  readFileSync(join(fixtures, "statistics", "statistics.json"), "utf8"),
);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
function shuffled(n: number): number[] {
  const order = range(n);
  new PythonRandom(0).shuffle(order);
  return order;
}

describe("PythonRandom", () => {
  it.each(twister)("draws what CPython draws with seed $seed", (c) => {
    const r = new PythonRandom(BigInt(c.seed));
    expect(c.random.map(() => r.random())).toEqual(c.random);
    expect(c.bits.map(([k]) => [k, r.getrandbits(k)])).toEqual(c.bits);
    const order = range(700);
    r.shuffle(order);
    expect([...order.slice(0, 20), ...order.slice(-5)]).toEqual(c.shuffle);
    expect(c.samples.map(([n, k]) => [n, k, r.sample(range(n), k)])).toEqual(c.samples);
    expect(r.random()).toBe(c.after);
  });

  it("has the golden values of the study", () => {
    const r = new PythonRandom(0);
    expect([1, 2, 3].map(() => r.getrandbits(32))).toEqual([3626764237, 1654615998, 3255389356]);
    expect(shuffled(10)).toEqual([7, 8, 1, 5, 3, 4, 2, 0, 9, 6]);
    expect(shuffled(1000).slice(0, 8)).toEqual([439, 621, 160, 549, 237, 389, 658, 507]);
    expect(shuffled(468).slice(0, 8)).toEqual([103, 206, 353, 348, 157, 425, 93, 310]);
    expect(shuffled(817).slice(0, 8)).toEqual([778, 632, 624, 278, 104, 794, 559, 315]);
  });

  it("takes numbers and bigints alike, and refuses what is no integer", () => {
    expect(new PythonRandom(-7).random()).toBe(new PythonRandom(7n).random());
    expect(() => new PythonRandom(0.5)).toThrow("seed is 0.5");
    expect(() => new PythonRandom(2 ** 60)).toThrow("bigint");
    expect(() => new PythonRandom(0).getrandbits(54)).toThrow("54 bits");
    expect(() => new PythonRandom(0).sample([1, 2], 3)).toThrow("3 of 2 items");
  });
});
