import { describe, expect, it } from "vitest";
import { f32, i32, ModuleBuilder } from "../../../src/kernels/cpu/wasm/asm.ts";

function instantiate(m: ModuleBuilder, memory = new WebAssembly.Memory({ initial: 1 })) {
  const module = new WebAssembly.Module(m.bytes({ shared: memory.buffer instanceof SharedArrayBuffer }));
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Record<string, (...args: number[]) => number>;
}

describe("asm", () => {
  it("encodes constants of every length", () => {
    const values = [0, 1, -1, 63, 64, -64, -65, 127, 128, 8191, 8192, -8193, 2 ** 20, 2 ** 31 - 1, -(2 ** 31)];
    const m = new ModuleBuilder();
    values.forEach((v, i) => m.func([], "i32", () => i32.const(v), `c${i}`));
    const { ...f } = instantiate(m);
    expect(values.map((_, i) => f[`c${i}`]!())).toEqual(values);
  });

  it("loops, branches and calls", () => {
    const m = new ModuleBuilder();
    const square = m.func(["i32"], "i32", (f) => i32.mul(f.params[0]!, f.params[0]!));
    m.func(
      ["i32"],
      "i32",
      (f) => {
        const [sum, i] = [f.i32(), f.i32()];
        f.loop(i, 0, f.params[0]!, 1, () => {
          f.if(
            i32.and(i, 1),
            () => f.increment(sum, i),
            () => f.set(sum, i32.add(sum, { type: "i32", code: [...i.code, 0x10, square] })),
          );
        });
        return sum;
      },
      "run",
    );
    const { run } = instantiate(m);
    expect([0, 1, 2, 5].map((n) => run!(n))).toEqual([0, 0, 1, 24]);
  });

  it("stores and loads at offsets, on plain and on shared memory", () => {
    for (const shared of [false, true]) {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 2, shared });
      const m = new ModuleBuilder();
      m.func(
        ["i32"],
        undefined,
        (f) => {
          f.storeF32(f.params[0]!, f32.add(f32.load(f.params[0]!, 4), f32.const(0.5)), 300);
        },
        "run",
      );
      new Float32Array(memory.buffer)[3] = 1.25;
      instantiate(m, memory).run!(8);
      expect(new Float32Array(memory.buffer)[77]).toBe(1.75);
    }
  });

  it("refuses to set a local to a value of another type", () => {
    const m = new ModuleBuilder();
    const wrong = (): number =>
      m.func([], undefined, (f) => {
        f.set(f.i32(), f32.const(1));
      });
    expect(wrong).toThrow("set a i32 local to a f32");
  });
});
