/**
 * ablate: in place x[t] −= (x[t]·u) u with u = vectors[index[t]] at unit length; rows of index −1 are left alone, a vector of
 * zeros removes nothing. One workgroup a row: x·v and v·v in one walk, then the update.
 * Traffic: 8·T·D bytes read, 4·T·D written.
 */
import { type CallOf, type Dispatch, elementOffset, foldedGrid, type LowerContext, reads, writes } from "../kernel.ts";
import { reducers, reduceThreads } from "./reduce.wgsl.ts";

const ablateCode = (threads: number): string => /* wgsl */ `
struct Params { T: u32, D: u32, xAt: u32, vectorsAt: u32, indexAt: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> x: array<f32>;
@group(0) @binding(2) var<storage, read> vectors: array<f32>;
@group(0) @binding(3) var<storage, read> index: array<i32>;
${reducers(threads, "sum")}

@compute @workgroup_size(${threads}) fn main(
  @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let t = group.x + group.y * groups.x;
  if (t >= p.T) { return; }
  let which = index[p.indexAt + t];
  let row = p.xAt + t * p.D;
  let v = p.vectorsAt + u32(max(which, 0)) * p.D;
  var dot = 0.0;
  var squares = 0.0;
  for (var d = lane; d < p.D; d += ${threads}u) {
    dot += x[row + d] * vectors[v + d];
    squares += vectors[v + d] * vectors[v + d];
  }
  dot = sumOf(dot, lane);
  squares = sumOf(squares, lane);
  if (which < 0 || squares <= 0.0) { return; }
  let share = dot / squares;
  for (var d = lane; d < p.D; d += ${threads}u) { x[row + d] -= share * vectors[v + d]; }
}`;

export function lowerAblate({ x, vectors, index }: CallOf<"ablate">, ctx: LowerContext): Dispatch[] {
  const threads = reduceThreads(x.columns, ctx);
  const T = x.elems / x.columns;
  return [
    {
      key: `ablate/${threads}`,
      code: () => ablateCode(threads),
      bindings: [writes(x), reads(vectors), reads(index)],
      words: [T, x.columns, ...[x, vectors, index].map(elementOffset)],
      grid: foldedGrid(T),
      workgroupSize: [threads, 1, 1],
    },
  ];
}
