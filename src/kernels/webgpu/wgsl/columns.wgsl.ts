/**
 * columns: y [R, C] = x [R, K] · w[ids[c]]ᵀ, a few rows of a large matrix only. One workgroup an element of y: its threads
 * walk K four elements at a time. A matrix in several segments takes one dispatch each.
 * Traffic: C rows of the matrix in their stored form for each of R.
 */
import type { DType } from "../../../tensor/dtype.ts";
import { type CallOf, type Dispatch, elementOffset, foldedGrid, type LowerContext, reads, writes } from "../kernel.ts";
import { reducers, reduceThreads } from "./reduce.wgsl.ts";
import { WEIGHT_FIELDS, weightReader, weightWords } from "./weights.wgsl.ts";

const columnsCode = (dtype: DType, threads: number): string => /* wgsl */ `
struct Params {
  R: u32, C: u32, K: u32, firstRow: u32, rows: u32, xAt: u32, idsAt: u32, yAt: u32, ${WEIGHT_FIELDS}
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> w: array<u32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> ids: array<i32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
${weightReader(dtype)}
${reducers(threads, "sum")}

@compute @workgroup_size(${threads}) fn main(
  @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let unit = group.x + group.y * groups.x;
  if (unit >= p.R * p.C) { return; }
  let row = u32(ids[p.idsAt + unit % p.C]) - p.firstRow; // wraps for rows before the segment
  let mine = row < p.rows;
  let xRow = p.xAt + unit / p.C * p.K;
  var total = 0.0;
  for (var i = lane; mine && 4u * i < p.K; i += ${threads}u) {
    let values = weights4(row, i);
    for (var c = 0u; c < 4u && 4u * i + c < p.K; c++) { total += x[xRow + 4u * i + c] * values[c]; }
  }
  total = sumOf(total, lane);
  if (mine && lane == 0u) { y[p.yAt + unit] = total; }
}`;

export function lowerColumns({ x, w, ids, y }: CallOf<"columns">, ctx: LowerContext): Dispatch[] {
  const K = w.shape[1];
  const R = x.elems / K;
  const threads = reduceThreads(K / 4, ctx);
  return ctx.gpuMatrix(w).segments.map((s) => ({
    key: `columns ${s.dtype}/${threads}`,
    code: () => columnsCode(s.dtype, threads),
    bindings: [{ buffer: s.buffer, access: "read" }, reads(x), reads(ids), writes(y)],
    words: [R, ids.elems, K, s.rowStart, s.n, ...[x, ids, y].map(elementOffset), ...weightWords(s)],
    grid: foldedGrid(R * ids.elems),
    workgroupSize: [threads, 1, 1],
  }));
}
