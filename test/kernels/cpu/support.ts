/** Random numbers, random stored weights, and running one call, for the tests of the CPU kernels. */

import type { CpuBackend } from "../../../src/kernels/cpu/backend.ts";
import { createCpuBackend } from "../../../src/kernels/index.ts";
import { byteLength, type DType, f32ToF16 } from "../../../src/tensor/dtype.ts";
import { tiers } from "../../support/wasm.ts";

export const backends: readonly (readonly [string, CpuBackend])[] = tiers.map(
  (t) => [t.name, createCpuBackend({ fma: t.features.fma })] as const,
);

/** V8 11 (Node 20) miscompiles the relaxed sum of four products; such engines are never offered it. */
const quadIsRight = Number.parseInt(process.versions.v8, 10) >= 13;

/** Backends for every form of 8-bit dot products that this engine has, whether or not it would be chosen. */
export const dotBackends: readonly (readonly [string, CpuBackend])[] = tiers.flatMap(({ features: { fma } }) => {
  const forms = ["i16", ...(fma ? ["pair", ...(quadIsRight ? ["quad"] : [])] : [])];
  return forms.map((dot) => {
    const backend = createCpuBackend({ fma });
    const dotU8 = dot === "quad" && backend.features.dotU8;
    // before its first kernel is made, a backend takes any form: all are right, they differ in speed
    Object.assign(backend.features, { dot, dotU8 });
    return [`${fma ? "fma" : "mul+add"}, ${dot}${dotU8 ? " u8" : ""}`, backend] as const;
  });
});

/** Uniform in [0, 1): a 32-bit xorshift. */
export function seededRandom(seed: number): () => number {
  let s = (seed * 2654435761) | 1;
  return () => {
    s ^= s << 13;
    s ^= s >>> 17;
    s ^= s << 5;
    return (s >>> 0) / 2 ** 32;
  };
}

export function randomFloats(n: number, seed: number): Float32Array {
  const random = seededRandom(seed);
  return Float32Array.from({ length: n }, () => random() * 2 - 1);
}

export const WEIGHT_TYPES = [
  ...["f32", "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0"],
  ...["q2_k", "q3_k", "q4_k", "q5_k", "q6_k"],
] as const as readonly DType[];

/** Byte offsets of a block's f16 scalars. */
const SCALARS: Partial<Record<DType, readonly number[]>> = {
  ...{ f16: [0], q4_0: [0], q4_1: [0, 2], q5_0: [0], q5_1: [0, 2], q8_0: [0] },
  ...{ q2_k: [80, 82], q3_k: [108], q4_k: [0, 2], q5_k: [0, 2], q6_k: [208] },
};

/** Random codes with scales near 0.02, some of them subnormal; at an odd byte offset, as a file may have them. */
export function randomStored(dtype: DType, elems: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(byteLength(dtype, elems) + 1).subarray(1);
  const random = seededRandom(seed);
  if (dtype === "f32") return shifted(new Uint8Array(randomFloats(elems, seed).buffer));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random() * 256;
  const perBlock = byteLength(dtype, dtype.endsWith("_k") ? 256 : dtype.startsWith("q") ? 32 : 1);
  for (let at = 0; at < bytes.length; at += perBlock) {
    for (const offset of SCALARS[dtype] ?? []) {
      const half = f32ToF16((random() - 0.5) * (random() < 0.1 ? 1e-4 : 0.05));
      bytes[at + offset] = half & 255;
      bytes[at + offset + 1] = half >> 8;
    }
    if (dtype === "bf16") bytes[at + 1] = (bytes[at + 1]! & 0x80) | 0x3e;
  }
  return bytes;
}

function shifted(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 1).subarray(1);
  out.set(bytes);
  return out;
}
