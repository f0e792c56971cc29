/**
 * logSumExp: y [T, 1] = log Σ expBelow(x[t]); NaN where the largest of a row is infinite. One workgroup a row, two walks.
 * Traffic: 4·T·N bytes read (8 where a row does not stay in cache).
 */
import { type CallOf, type Dispatch, elementOffset, foldedGrid, type LowerContext, reads, writes } from "../kernel.ts";
import { EXP_BELOW, reducers, reduceThreads } from "./reduce.wgsl.ts";

const logSumExpCode = (threads: number): string => /* wgsl */ `
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
  // without a finite element the sum is 0 or NaN, and NaN is due
  if (lane == 0u) { y[p.yAt + r] = select(total / total, largest + log(total), total > 0.0); }
}`;

export function lowerLogSumExp({ x, y }: CallOf<"logSumExp">, ctx: LowerContext): Dispatch[] {
  const n = x.columns;
  const threads = reduceThreads(n, ctx);
  return [
    {
      key: `logSumExp/${threads}`,
      code: () => logSumExpCode(threads),
      bindings: [reads(x), writes(y)],
      words: [x.elems / n, n, elementOffset(x), elementOffset(y)],
      grid: foldedGrid(x.elems / n),
      workgroupSize: [threads, 1, 1],
    },
  ];
}
