/**
 * Reductions over the threads of a workgroup by halving, in workgroup memory: log2(threads) barriers, no subgroups needed.
 * All threads get the result, and the compiler knows that it is the same for all.
 */
import type { LowerContext } from "../kernel.ts";

/** rms norm of 64 rows of 576 by 256, 32, 8, 4 threads: SwiftShader 29, 1.5, 0.6, 0.4 ms; lavapipe 25 1.0, 0.27, 0.21, 0.28. */
const SOFTWARE_THREADS = 8;

/** Threads of a workgroup that reduces rows of `columns` elements. */
export function reduceThreads(columns: number, { device, simple }: LowerContext): number {
  if (device.software && !simple) return SOFTWARE_THREADS;
  return columns <= 512 ? 64 : 256;
}

const FOLDS = { sum: "partials[lane] + partials[lane + step]", max: "max(partials[lane], partials[lane + step])" };

/** WGSL of `fn sumOf(v: f32, lane: u32) -> f32` and `fn maxOf`, as asked for. */
export function reducers(threads: number, ...wanted: readonly (keyof typeof FOLDS)[]): string {
  return /* wgsl */ `
var<workgroup> partials: array<f32, ${threads}>;
${wanted
  .map(
    (name) => /* wgsl */ `
fn ${name}Of(v: f32, lane: u32) -> f32 {
  partials[lane] = v;
  workgroupBarrier();
  for (var step = ${threads / 2}u; step > 0u; step >>= 1u) {
    if (lane < step) { partials[lane] = ${FOLDS[name]}; }
    workgroupBarrier();
  }
  return workgroupUniformLoad(&partials[0]);
}`,
  )
  .join("\n")}`;
}

/** exp(d) of differences from a maximum, d ≤ 0. A NaN stays one, which `exp` alone does not promise (SwiftShader). */
export const EXP_BELOW = /* wgsl */ `
fn expBelow(d: f32) -> f32 { return select(d, exp(d), d <= 0.0); }`;
