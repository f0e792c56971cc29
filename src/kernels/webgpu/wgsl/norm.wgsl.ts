/**
 * norm: one workgroup a row; sum, sum of squares and output are three walks over the row, the later ones from cache.
 *   rms:   scale = sqrt(mean(x²) + eps), n = x / scale;   layer: the same after subtracting the mean
 *   y = n · gain + bias, each optional; the staged forms write the scale, or take it from outside, or write nothing else.
 * Squares that overflow float32 are summed again of x · 2⁻⁷⁰, since a row of 1e30 has a scale that does not overflow.
 * Traffic: 4·T·D bytes read and as many written.
 */
import type { NormKind } from "../../../tensor/backend.ts";
import {
  type CallOf,
  type Dispatch,
  elementOffset,
  f32Bits,
  foldedGrid,
  type LowerContext,
  reads,
  writes,
} from "../kernel.ts";
import { reducers, reduceThreads } from "./reduce.wgsl.ts";

interface NormForm {
  readonly kind: NormKind;
  readonly threads: number;
  readonly gain: boolean;
  readonly bias: boolean;
  readonly scaleIn: boolean;
  readonly scaleOut: boolean;
  readonly y: boolean;
}

/** Bindings that a form has, in order. */
const OPERANDS = ["gain", "bias", "scaleIn", "scaleOut", "y"] as const;

const normCode = (o: NormForm): string => /* wgsl */ `
struct Params { T: u32, D: u32, xAt: u32, gainAt: u32, biasAt: u32, scaleInAt: u32, scaleOutAt: u32, yAt: u32, eps: f32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
${OPERANDS.filter((name) => o[name])
  .map((name, i) => {
    const access = name === "y" || name === "scaleOut" ? "read_write" : "read";
    return `@group(0) @binding(${i + 2}) var<storage, ${access}> ${name}: array<f32>;`;
  })
  .join("\n")}
${reducers(o.threads, "sum")}

@compute @workgroup_size(${o.threads}) fn main(
  @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let t = group.x + group.y * groups.x;
  if (t >= p.T) { return; }
  let row = p.xAt + t * p.D;
  var mean = 0.0;
  ${
    o.kind === "layer"
      ? /* wgsl */ `
  var total = 0.0;
  for (var d = lane; d < p.D; d += ${o.threads}u) { total += x[row + d]; }
  mean = sumOf(total, lane) / f32(p.D);`
      : ""
  }
  ${
    o.scaleIn
      ? "let scale = scaleIn[p.scaleInAt + t];"
      : /* wgsl */ `
  var squares = 0.0;
  for (var d = lane; d < p.D; d += ${o.threads}u) {
    let v = x[row + d] - mean;
    squares += v * v;
  }
  squares = sumOf(squares, lane);
  var scale = sqrt(squares / f32(p.D) + p.eps);
  if (squares > 3.0e38) {
    var small = 0.0;
    for (var d = lane; d < p.D; d += ${o.threads}u) {
      let v = (x[row + d] - mean) * 0x1p-70;
      small += v * v;
    }
    scale = sqrt(sumOf(small, lane) / f32(p.D)) * 0x1p70;
  }`
  }
  ${o.scaleOut ? "if (lane == 0u) { scaleOut[p.scaleOutAt + t] = scale; }" : ""}
  ${
    o.y
      ? /* wgsl */ `
  for (var d = lane; d < p.D; d += ${o.threads}u) {
    let n = (x[row + d] - mean) / scale;
    y[p.yAt + t * p.D + d] = n${o.gain ? " * gain[p.gainAt + d]" : ""}${o.bias ? " + bias[p.biasAt + d]" : ""};
  }`
      : ""
  }
}`;

export function lowerNorm(call: CallOf<"norm">, ctx: LowerContext): Dispatch[] {
  const { kind, x, eps } = call;
  const D = x.columns;
  const T = x.elems / D;
  const given = OPERANDS.filter((name) => call[name] !== undefined);
  const has = Object.fromEntries(OPERANDS.map((name) => [name, given.includes(name)]));
  const form = { kind, threads: reduceThreads(D, ctx), ...has } as NormForm;
  const at = OPERANDS.map((name) => (call[name] ? elementOffset(call[name]) : 0));
  return [
    {
      key: `norm ${kind}/${form.threads} ${given.join("+")}`,
      code: () => normCode(form),
      bindings: [
        reads(x),
        ...given.map((name) => (name === "y" || name === "scaleOut" ? writes(call[name]!) : reads(call[name]!))),
      ],
      words: [T, D, elementOffset(x), ...at, f32Bits(eps)],
      grid: foldedGrid(T),
      workgroupSize: [form.threads, 1, 1],
    },
  ];
}
