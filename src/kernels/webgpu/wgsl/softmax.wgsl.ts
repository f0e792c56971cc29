/**
 * softmax over the last axis: one workgroup a row; largest element, sum of exponentials, quotients are three walks, the later
 * ones from cache. NaN and a row without a finite largest element give NaN, as the definition does.
 * Traffic: 4 bytes read and 4 written an element.
 */
import { type CallOf, type Dispatch, elementOffset, foldedGrid, type LowerContext, reads, writes } from "../kernel.ts";
import { EXP_BELOW, reducers, reduceThreads } from "./reduce.wgsl.ts";

const softmaxCode = (threads: number): string => /* wgsl */ `
struct Params { rows: u32, n: u32, xAt: u32, yAt: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
${EXP_BELOW}
${reducers(threads, "sum", "max")}

@compute @workgroup_size(${threads}) fn main(
  @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let r = group.x + group.y * groups.x;
  if (r >= p.rows) { return; }
  let row = p.xAt + r * p.n;
  var largest = -3.4028234e38;
  for (var i = lane; i < p.n; i += ${threads}u) { largest = max(largest, x[row + i]); }
  largest = maxOf(largest, lane);
  var total = 0.0;
  for (var i = lane; i < p.n; i += ${threads}u) { total += expBelow(x[row + i] - largest); }
  total = sumOf(total, lane);
  for (var i = lane; i < p.n; i += ${threads}u) { y[p.yAt + r * p.n + i] = expBelow(x[row + i] - largest) / total; }
}`;

export function lowerSoftmax({ x, y }: CallOf<"softmax">, ctx: LowerContext): Dispatch[] {
  const n = x.columns;
  const threads = reduceThreads(n, ctx);
  return [
    {
      key: `softmax/${threads}`,
      code: () => softmaxCode(threads),
      bindings: [reads(x), writes(y)],
      words: [x.elems / n, n, elementOffset(x), elementOffset(y)],
      grid: foldedGrid(x.elems / n),
      workgroupSize: [threads, 1, 1],
    },
  ];
}
