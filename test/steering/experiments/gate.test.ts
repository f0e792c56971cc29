/** The gate that stands before every figure: against controls, with and without a choice of layers. */
import { describe, expect, it } from "vitest";
import { type Gate, gates, setGates } from "../../../src/steering/experiments/controls.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import type { UnitResult } from "../../../src/steering/study/result.ts";
import { stream } from "../../../src/tensor/random.ts";
import { syntheticUnit, wobble } from "../../support/syntheticUnits.ts";

const study = (...units: UnitResult[]): StudyData => new StudyData(units, { bootstrap: { resamples: 200 } });

describe("gate", () => {
  const vectors = ["BASE", "BASE/random-0", "BASE/random-1", "BASE/random-2"];
  const sets = (own: number, mass: number): UnitResult[] =>
    Array.from({ length: 6 }, (_, d) =>
      syntheticUnit({
        dataset: `d${d}`,
        vectors,
        mass,
        count: 20,
        slope: (i, v) => (v === "BASE" ? own : 0) + wobble(i + 31 * d, v.length + Number(v.at(-1)) || 0),
      }),
    );

  it("passes a vector that beats its random twins in a model that answers", () => {
    const [gate] = gates(study(...sets(2, 0.8)));
    expect(gate).toMatchObject({ answersInFormat: "yes", beatsRandom: "yes", sets: 6 });
    expect(gate!.gain.mean).toBeGreaterThan(1.5);
    expect(gate!.mass).toBeCloseTo(0.8, 12);
  });

  it("stops one that does not", () => {
    expect(gates(study(...sets(-2, 0.05)))[0]).toMatchObject({ answersInFormat: "no", beatsRandom: "no" });
    expect(gates(study(...sets(0, 0.3)))[0]!.answersInFormat).toBe("partly");
  });

  it("stops one that shuffled labels equal in all sets at once", () => {
    const withShuffled = (size: number): UnitResult[] =>
      sets(2, 0.8).map((unit) => {
        const names = ["BASE", "BASE/random-0", "BASE/shuffled-0", "BASE/shuffled-1"];
        const slopes: Record<string, number> = { BASE: 2, "BASE/shuffled-0": size, "BASE/shuffled-1": -size };
        return syntheticUnit({ ...unit, vectors: names, items: unit.items, slope: (_, v) => slopes[v] ?? 0.1 });
      });
    // scipy: t.ppf(0.975, 2) = 4.3026527
    const [small] = gates(study(...withShuffled(0.4)));
    expect(small!.shuffled.high).toBeCloseTo(4.302652729911275 * 0.4, 6);
    expect(small).toMatchObject({ beatsRandom: "yes", beatsShuffled: "yes", slope: 2 });
    expect(gates(study(...withShuffled(0.6)))[0]).toMatchObject({ beatsRandom: "yes", beatsShuffled: "no" });
    expect(gates(study(...sets(2, 0.8)))[0]!.beatsShuffled).toBe("unknown");
  });

  it("judges few sets by their items, and says when there is nothing to compare with", () => {
    const few = gates(study(...sets(2, 0.8).slice(0, 2)))[0]!;
    expect(few.beatsRandom).toBe("yes");
    const alone = study(syntheticUnit({ slope: () => 1, count: 1 }));
    expect(gates(alone)[0]).toMatchObject({ beatsRandom: "unknown" });
    expect(setGates(alone)[0]).toMatchObject({ items: 1, randomVectors: 0, beyondRandom: false });
  });
});

describe("controls choose their own layer", () => {
  const LAYERS = [1, 2, 3, 4, 5, 6, 7, 8];
  /** Standard normal, by Box and Muller. */
  const normals = (seed: number): (() => number) => {
    const next = stream(seed);
    return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  };
  /**
   * Five sets with the same letters: what a vector does at a layer is mostly alike in all of them. All vectors are drawn alike
   * but for `effect`, which the trained one has at layer 5.
   */
  const drawn = (seed: number, effect: number, layer?: number): StudyData => {
    const normal = normals(seed);
    const vectors = ["BASE", ...["random-0", "random-1", "shuffled-0", "shuffled-1"].map((c) => `BASE/${c}`)];
    const alike = new Map(vectors.flatMap((v) => LAYERS.map((l) => [`${v} ${l}`, normal()] as [string, number])));
    const sets = Array.from({ length: 5 }, (_, d) => {
      const own = new Map([...alike.keys()].map((key) => [key, 0.3 * normal()]));
      return syntheticUnit({
        dataset: `d${d}`,
        vectors,
        layers: LAYERS,
        multipliers: [-1, 1],
        count: 8,
        slope: (_, v, l) => {
          const key = `${v} ${l}`;
          return alike.get(key)! + own.get(key)! + 0.5 * normal() + (v === "BASE" && l === 5 ? effect : 0);
        },
      });
    });
    return new StudyData(sets, { bootstrap: { resamples: 60 }, layer });
  };
  const STUDIES = 200;
  const shares = (found: readonly Gate[]): { random: number; shuffled: number } => {
    const share = (key: "beatsRandom" | "beatsShuffled"): number =>
      found.filter((g) => g[key] === "yes").length / found.length;
    return { random: share("beatsRandom"), shuffled: share("beatsShuffled") };
  };
  const studies = (effect: number): StudyData[] =>
    Array.from({ length: STUDIES }, (_, seed) => drawn(seed + 1, effect));

  it("so that a vector which is one of them seldom passes, and one that does more does", () => {
    const none = studies(0);
    const found = shares(none.map((its) => gates(its)[0]!));
    expect(found.random).toBeLessThan(0.06);
    expect(found.shuffled).toBeLessThan(0.06);
    // 8 standard deviations at one layer: with two vectors of a kind the band is wide
    const effect = shares(studies(8).map((its) => gates(its)[0]!));
    expect(effect.random).toBeGreaterThan(0.9);
    expect(effect.shuffled).toBeGreaterThan(0.9);
  }, 60_000);

  it("and not where the layer was given, whose band knows nothing of a choice", () => {
    const none = studies(0);
    const given = Array.from({ length: STUDIES }, (_, seed) => gates(drawn(seed + 1, 0, 3))[0]!);
    expect(shares(given).shuffled).toBeLessThan(0.06);
    // the same band at the layer that the vector chose is false, which is why controls choose theirs
    const chosen = none.map((its, seed) => gates(drawn(seed + 1, 0, its.layer(its.home[0]!)))[0]!);
    expect(shares(chosen).shuffled).toBeGreaterThan(0.06);
  }, 60_000);
});

it("compares the sets that have controls, and counts the others", () => {
  const vectors = ["BASE", "BASE/random-0", "BASE/random-1"];
  const slope = (i: number, v: string): number => (v === "BASE" ? 2 : 0.1) + 0.1 * wobble(i, v.length);
  const sets = Array.from({ length: 6 }, (_, d) =>
    syntheticUnit({ dataset: `d${d}`, count: 20, slope, vectors: d < 2 ? ["BASE"] : vectors }),
  );
  const [gate] = gates(study(...sets));
  expect(gate).toMatchObject({ sets: 6, setsControlled: 4, setsBeyondRandom: 4, setsShuffled: 0, beatsRandom: "yes" });
  expect(gate!.gain.mean).toBeCloseTo(1.9, 1);
  expect(gate!.gain.low).toBeGreaterThan(1.5);
});

it("compares the items that did not choose the layer with the same items under random vectors", () => {
  const vectors = ["BASE", "BASE/random-0", "BASE/random-1"];
  // the random vectors move items with even places much, the others little
  const slope = (i: number, v: string): number => (v === "BASE" ? 1 : (i % 2 ? 0.1 : 5) * (v.endsWith("0") ? 1 : -1));
  const its = study(syntheticUnit({ count: 20, vectors, slope }));
  expect(setGates(its)[0]!.beyondRandom).toBe(true);
});
