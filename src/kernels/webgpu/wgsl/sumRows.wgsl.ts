/**
 * sumRows: y [K, D] = weights [K, R] · x [R, D], on top of what y holds where `add`: mean differences are weighted sums of
 * residual rows. One thread an element of y walks down its column; neighbours read neighbours.
 * Traffic: 4·K·R·D bytes read, of which K − 1 parts in K from cache; 4·K·D written.
 */
import { type CallOf, type Dispatch, elementOffset, reads, writes } from "../kernel.ts";
import { elementGrid, elementMain } from "./elements.wgsl.ts";

/** Few elements, each with a long walk: small workgroups spread them over more cores. */
const THREADS = 64;

const SUM_ROWS = /* wgsl */ `
struct Params { elems: u32, D: u32, R: u32, add: u32, xAt: u32, weightsAt: u32, yAt: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
${elementMain(THREADS)}
  if (element >= p.elems) { return; }
  let weightsRow = p.weightsAt + element / p.D * p.R;
  let column = p.xAt + element % p.D;
  var sum = 0.0;
  for (var r = 0u; r < p.R; r++) { sum += weights[weightsRow + r] * x[column + r * p.D]; }
  if (p.add != 0u) { sum += y[p.yAt + element]; }
  y[p.yAt + element] = sum;
}`;

export function lowerSumRows({ x, weights, y, add }: CallOf<"sumRows">): Dispatch[] {
  return [
    {
      key: "sumRows",
      code: () => SUM_ROWS,
      bindings: [reads(x), reads(weights), writes(y)],
      words: [y.elems, x.columns, weights.columns, add ? 1 : 0, ...[x, weights, y].map(elementOffset)],
      ...elementGrid(y.elems, THREADS),
    },
  ];
}
