/** The gate that stands before every figure: against controls, with and without a choice of layers. */
import { describe, expect, it } from "vitest";
import { gates, setGates } from "../../../src/steering/experiments/controls.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import type { UnitResult } from "../../../src/steering/study/result.ts";
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
