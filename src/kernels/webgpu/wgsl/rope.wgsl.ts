/**
 * rope, in place on qkv [T, (H + 2·Hkv)·Dh]: each q and k head optionally RMS-normalised with a gain, then its pairs
 * (i, i + Dh/2) rotated by cos/sin [P, Dh/2] at positions[t]. One workgroup a head of a row; a thread holds its pairs in
 * registers. With `store`, k and v also go to row slots[t] of the caches: one dispatch less than `storeKv` after `rope`.
 * Traffic: 8 bytes an element of q and k; with `store`, 4 more written for k and 8 for v.
 */
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

interface RopeForm {
  readonly threads: number;
  readonly norm: boolean;
  readonly store: boolean;
}

const ropeCode = ({ threads, norm, store }: RopeForm): string => /* wgsl */ `
struct Params {
  T: u32, H: u32, Hkv: u32, half: u32, qkvAt: u32, positionsAt: u32, cosAt: u32, sinAt: u32,
  qGainAt: u32, kGainAt: u32, eps: f32, slotsAt: u32, kAt: u32, vAt: u32
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(2) var<storage, read> positions: array<i32>;
@group(0) @binding(3) var<storage, read> cosines: array<f32>;
@group(0) @binding(4) var<storage, read> sines: array<f32>;
${
  norm
    ? /* wgsl */ `
@group(0) @binding(5) var<storage, read> qGain: array<f32>;
@group(0) @binding(6) var<storage, read> kGain: array<f32>;`
    : ""
}
${
  store
    ? /* wgsl */ `
@group(0) @binding(${norm ? 7 : 5}) var<storage, read> slots: array<i32>;
@group(0) @binding(${norm ? 8 : 6}) var<storage, read_write> kCache: array<f32>;
@group(0) @binding(${norm ? 9 : 7}) var<storage, read_write> vCache: array<f32>;`
    : ""
}
${norm ? reducers(threads, "sum") : ""}

@compute @workgroup_size(${threads}) fn main(
  @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let heads = p.H + ${store ? "2u * " : ""}p.Hkv; // those that this kernel touches
  let unit = group.x + group.y * groups.x;
  let t = unit / heads;
  let h = unit % heads;
  if (t >= p.T) { return; }
  let Dh = 2u * p.half;
  let at = p.qkvAt + (t * (p.H + 2u * p.Hkv) + h) * Dh;
  ${
    store
      ? /* wgsl */ `
  let slot = u32(slots[p.slotsAt + t]) * p.Hkv * Dh;
  if (h >= p.H + p.Hkv) {
    let v = p.vAt + slot + (h - p.H - p.Hkv) * Dh;
    for (var d = lane; d < Dh; d += ${threads}u) { vCache[v + d] = qkv[at + d]; }
    return;
  }`
      : ""
  }
  ${
    norm
      ? /* wgsl */ `
  var squares = 0.0;
  for (var d = lane; d < Dh; d += ${threads}u) { squares += qkv[at + d] * qkv[at + d]; }
  let scale = sqrt(sumOf(squares, lane) / f32(Dh) + p.eps);`
      : ""
  }
  let angle = u32(positions[p.positionsAt + t]) * p.half;
  for (var i = lane; i < p.half; i += ${threads}u) {
    var a = qkv[at + i];
    var b = qkv[at + i + p.half];
    ${
      norm
        ? /* wgsl */ `
    if (h < p.H) {
      a = a / scale * qGain[p.qGainAt + i];
      b = b / scale * qGain[p.qGainAt + i + p.half];
    } else {
      a = a / scale * kGain[p.kGainAt + i];
      b = b / scale * kGain[p.kGainAt + i + p.half];
    }`
        : ""
    }
    let c = cosines[p.cosAt + angle + i];
    let s = sines[p.sinAt + angle + i];
    let first = a * c - b * s;
    let second = b * c + a * s;
    qkv[at + i] = first;
    qkv[at + i + p.half] = second;
    ${
      store
        ? /* wgsl */ `
    if (h >= p.H) {
      let k = p.kAt + slot + (h - p.H) * Dh + i;
      kCache[k] = first;
      kCache[k + p.half] = second;
    }`
        : ""
    }
  }
}`;

/** `store` follows the rope on the same qkv and is done along with it. */
export function lowerRope(call: CallOf<"rope">, ctx: LowerContext, store?: CallOf<"storeKv">): Dispatch[] {
  const { qkv, heads, positions, cos, sin, qGain, kGain, eps } = call;
  const T = positions.elems;
  const threads = Math.min(heads.Dh <= 64 ? 32 : 64, reduceThreads(heads.Dh, ctx));
  const form: RopeForm = { threads, norm: qGain !== undefined, store: store !== undefined };
  const gains = qGain && kGain ? [qGain, kGain] : [];
  const at = (t: typeof qGain): number => (t ? elementOffset(t) : 0);
  return [
    {
      key: `rope/${form.threads}${form.norm ? " norm" : ""}${form.store ? " store" : ""}`,
      code: () => ropeCode(form),
      bindings: [
        writes(qkv),
        ...[positions, cos, sin, ...gains].map(reads),
        ...(store ? [reads(store.slots), writes(store.kCache), writes(store.vCache)] : []),
      ],
      words: [
        ...[T, heads.H, heads.Hkv, heads.Dh / 2],
        ...[qkv, positions, cos, sin, qGain, kGain].map(at),
        f32Bits(eps),
        ...[store?.slots, store?.kCache, store?.vCache].map(at),
      ],
      grid: foldedGrid(T * (heads.H + (store ? 2 : 1) * heads.Hkv)),
      workgroupSize: [form.threads, 1, 1],
    },
  ];
}
