/** The cut of attention into units: every (head, row) once, blocks of bounded scratch, few distinct modules. */
import { describe, expect, it } from "vitest";
import { planAttention, planKey } from "../../src/kernels/cpu/wasm/attentionPlan.ts";

const HEADS = [
  { H: 9, Hkv: 3, Dh: 64 },
  { H: 12, Hkv: 12, Dh: 64 },
  { H: 14, Hkv: 2, Dh: 64 },
  { H: 32, Hkv: 8, Dh: 128 },
  { H: 32, Hkv: 1, Dh: 80 },
];

describe.each(HEADS)("H=$H Hkv=$Hkv Dh=$Dh", (heads) => {
  it.each([1, 2, 3, 4, 17, 63, 256, 2048])("T=%i: heads of one kv head a unit, rows covered", (T) => {
    for (const maxKeys of [T, 300, 2048, 40_000]) {
      const p = planAttention(heads, T, maxKeys);
      expect((heads.H / heads.Hkv) % p.unitHeads).toBe(0);
      expect(p.units).toBe((heads.H / p.unitHeads) * p.blocks);
      expect(p.blocks * p.blockRows).toBeGreaterThanOrEqual(T);
      expect((p.blocks - 1) * p.blockRows).toBeLessThan(T);
      expect(p.stride).toBeGreaterThanOrEqual(Math.ceil(maxKeys / 8) * 8);
      expect(p.stride % 4).toBe(0);
      expect([p.zTable, p.panel, p.scores].every((offset) => offset % 16 === 0)).toBe(true);
    }
  });

  it("scratch stays within a few MB at a long context", () => {
    expect(planAttention(heads, 512, 8192).scratchBytes).toBeLessThan(6 << 20);
  });

  it("a prompt of any length takes few modules", () => {
    const keys = new Set(Array.from({ length: 512 }, (_, T) => planKey(planAttention(heads, T + 1, 2048))));
    expect(keys.size).toBeLessThanOrEqual(14);
  });
});
