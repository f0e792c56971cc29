/**
 * Rotary position tables (Su et al. 2021, arXiv 2104.09864): cos and sin of position · frequency, with Llama 3.1's scaling.
 * Rounded to float32 where PyTorch does, so that late positions agree with it. Knows no model but its rotary settings.
 */
import type { Scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { RopeConfig } from "./config.ts";

/** Frequencies [Dh/2] in radians a position; `divisors` [Dh/2] is GGUF's rope_freqs tensor. */
export function ropeFrequencies(rope: RopeConfig, Dh: number, divisors?: Float32Array): Float32Array {
  return Float32Array.from({ length: Dh / 2 }, (_, i) => {
    const plain = Math.fround(1 / Math.fround(rope.theta ** ((2 * i) / Dh)));
    return divisors ? plain / divisors[i]! : scaled(plain, rope);
  });
}

function scaled(frequency: number, { scaling }: RopeConfig): number {
  if (!scaling) return frequency;
  if (scaling.type === "linear") return frequency / scaling.factor;
  const { factor, lowFactor, highFactor, originalContext } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < originalContext / highFactor) return frequency;
  if (wavelength > originalContext / lowFactor) return frequency / factor;
  const smooth = (originalContext / wavelength - lowFactor) / (highFactor - lowFactor);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** cos and sin [context, Dh/2]. */
export function ropeTable(
  scope: Scope,
  rope: RopeConfig,
  Dh: number,
  context: number,
  divisors?: Float32Array,
): { cos: Tensor; sin: Tensor } {
  const half = Dh / 2;
  const frequencies = ropeFrequencies(rope, Dh, divisors);
  const cos = new Float32Array(context * half);
  const sin = new Float32Array(context * half);
  for (let p = 0; p < context; p++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(p * frequencies[i]!);
      cos[p * half + i] = Math.cos(angle);
      sin[p * half + i] = Math.sin(angle);
    }
  }
  return { cos: scope.from(cos, [context, half], "rope.cos"), sin: scope.from(sin, [context, half], "rope.sin") };
}
