import { describe, expect, it } from "vitest";
import { ALIGN_BYTES, LinearMemory } from "../../../src/kernels/cpu/memory.ts";
import { seededRandom } from "./support.ts";

describe.each([false, true])("LinearMemory, shared: %s", (shared) => {
  it("never hands out overlapping or unaligned ranges, and merges what is freed", () => {
    const memory = new LinearMemory({ shared });
    const random = seededRandom(1);
    const live = new Map<number, number>();
    for (let i = 0; i < 2000; i++) {
      if (live.size && random() < 0.48) {
        const [address, bytes] = [...live][Math.floor(random() * live.size)]!;
        memory.free(address, bytes);
        live.delete(address);
        continue;
      }
      const bytes = Math.floor(random() ** 4 * 200_000);
      const address = memory.alloc(bytes, "test");
      expect(address % ALIGN_BYTES).toBe(0);
      const overlaps = [...live].some(([a, b]) => address < a + Math.max(b, 1) && a < address + Math.max(bytes, 1));
      expect(overlaps).toBe(false);
      live.set(address, bytes);
    }
    for (const [address, bytes] of live) memory.free(address, bytes);
    const before = memory.bytes;
    const whole = memory.alloc(before - 512, "everything at once");
    expect(whole).toBe(ALIGN_BYTES);
    expect(memory.bytes).toBe(before);
  });

  it("keeps contents and refreshes its views when it grows", () => {
    const memory = new LinearMemory({ shared });
    const a = memory.alloc(16, "a");
    memory.f32[a / 4] = 7;
    const epoch = memory.epoch;
    const b = memory.alloc(30_000_000, "b");
    expect(memory.epoch).toBeGreaterThan(epoch);
    expect(memory.f32[a / 4]).toBe(7);
    memory.u8[b + 29_999_999] = 9;
    expect(memory.u8[b + 29_999_999]).toBe(9);
  });

  it("refuses what does not fit, by name and with a remedy, and goes on working", () => {
    const memory = new LinearMemory({ shared, maximumPages: 20 });
    expect(() => memory.alloc(2_000_000, "kv cache")).toThrow(
      /no room for 2000000 bytes \(kv cache\).*smaller context/,
    );
    expect(memory.alloc(1_200_000, "fits")).toBeGreaterThan(0);
  });
});
