/** exp and the activations of the WASM kernels against float64, lane by lane, with and without fused multiply-add. */
import { describe, expect, it } from "vitest";
import { type Expr, type Func, f32x4, ModuleBuilder, v128 } from "../../src/kernels/cpu/wasm/asm.ts";
import { activationF32x4, expF32x4, maxLanes, sumLanes } from "../../src/kernels/cpu/wasm/math.ts";
import { activate } from "../../src/kernels/reference/oracles.ts";
import type { Activation } from "../../src/tensor/backend.ts";
import { tiers } from "../support/wasm.ts";

function mapper(apply: (f: Func, x: Expr) => Expr) {
  const m = new ModuleBuilder();
  m.func(
    ["i32"],
    undefined,
    (f) => {
      const [bytes] = f.params as [(typeof f.params)[number]];
      const at = f.i32();
      f.loop(at, 0, bytes, 16, () => f.storeV128(at, apply(f, v128.load(at))));
    },
    "run",
  );
  const memory = new WebAssembly.Memory({ initial: 64 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.bytes({ shared: false })), { env: { memory } });
  return (x: Float32Array): Float32Array => {
    const view = new Float32Array(memory.buffer, 0, x.length);
    view.set(x);
    (instance.exports.run as (bytes: number) => void)(x.byteLength);
    return view.slice();
  };
}

const grid = (from: number, to: number, n: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => from + ((to - from) * i) / (n - 1));

describe.each(tiers)("$name", ({ features }) => {
  const exp = mapper((f, x) => expF32x4(f, features, x));

  it("exp is within 2e-7 of float64 on [-87, 88.7]", () => {
    const x = grid(-87, 88.7, 400_000);
    const y = exp(x);
    let worst = 0;
    x.forEach((v, i) => (worst = Math.max(worst, Math.abs(y[i]! / Math.exp(v) - 1))));
    expect(worst).toBeLessThan(2e-7);
  });

  it("exp of the extremes", () => {
    const odd = new Float32Array(new Uint32Array([0x7f812345]).buffer)[0]!;
    const y = exp(new Float32Array([-Infinity, Infinity, NaN, 0, -104, 89, -1e30, 1e30, -88, 88.72, -0, odd]));
    expect([...y.slice(0, 9)]).toEqual([0, Infinity, NaN, 1, 0, Infinity, 0, Infinity, 0]);
    expect(Math.abs(y[9]! / Math.exp(Math.fround(88.72)) - 1)).toBeLessThan(2e-7);
    expect([...y.slice(10)]).toEqual([1, NaN]);
  });

  it.each(["gelu", "gelu_tanh", "relu", "silu"] satisfies Activation[])("%s", (act) => {
    const apply = mapper((f, x) => activationF32x4(f, features, act, x));
    const x = grid(-30, 30, 200_000);
    const y = apply(x);
    let [worst, worstRelative] = [0, 0];
    x.forEach((v, i) => {
      const error = Math.abs(y[i]! - activate(act, v));
      worst = Math.max(worst, error / Math.max(1, Math.abs(v)));
      if (v > -5) worstRelative = Math.max(worstRelative, error / Math.abs(activate(act, v)) || 0);
    });
    expect(worst).toBeLessThan(3e-7);
    expect(worstRelative).toBeLessThan(3e-6);
    const special = new Float32Array([NaN, Infinity, -Infinity, 0]);
    expect([...apply(special)]).toEqual([...special].map((v) => activate(act, v)));
  });

  it("sums and maxima across lanes", () => {
    expect([...mapper(sumLanes)(new Float32Array([1, 20, 300, 4000]))]).toEqual([4321, 4321, 4321, 4321]);
    expect([...mapper(maxLanes)(new Float32Array([1, -20, 300, 4]))]).toEqual([300, 300, 300, 300]);
    expect([...mapper((_, x) => f32x4.neg(x))(new Float32Array([1, 2, 3, 4]))]).toEqual([-1, -2, -3, -4]);
  });
});
