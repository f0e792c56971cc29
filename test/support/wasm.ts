/** What the kernel tests run on: every arithmetic tier that this engine has. */
import { setFlagsFromString } from "node:v8";
import type { Features } from "../../src/kernels/cpu/kernel.ts";
import { f32x4, ModuleBuilder, v128 } from "../../src/kernels/cpu/wasm/asm.ts";

export interface Tier {
  readonly name: string;
  readonly features: Features;
}

function hasRelaxedSimd(): boolean {
  const m = new ModuleBuilder();
  m.func(["i32"], undefined, (f) => {
    f.storeV128(f.params[0]!, f32x4.relaxedMadd(v128.zero(), v128.zero(), v128.zero()));
  });
  return WebAssembly.validate(m.bytes({ shared: false }));
}

// Node 20 has relaxed SIMD behind a flag that may be set at run time; newer versions refuse to know it.
if (!hasRelaxedSimd()) setFlagsFromString("--experimental-wasm-relaxed-simd");

const BASE: Features = { fma: false, dot: "i16", dotU8: false, wide: false, shared: false };

export const tiers: readonly Tier[] = [
  { name: "mul+add", features: { ...BASE } },
  ...(hasRelaxedSimd() ? [{ name: "fma", features: { ...BASE, fma: true } }] : []),
];
