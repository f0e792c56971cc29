/**
 * attention in registers only: a thread owns one head of one query row, keeps q and z there and walks the keys one by one with
 * a running maximum (Milakov & Gimelshein 2018, arXiv 1805.02867). No workgroup memory, no barriers: for processors that
 * play a GPU. The registers are written out, because SwiftShader keeps arrays in memory.
 * Traffic: keys and values once for each query row and head, from cache.
 */
import { type Dispatch, foldedGrid, writes } from "../kernel.ts";
import {
  type AttentionCall,
  attentionBindings,
  attentionOperands,
  attentionWords,
  HIDDEN,
  queryRows,
} from "./attentionOperands.wgsl.ts";
import { unroll } from "./matmulOperands.wgsl.ts";

/** Few, so that the heads of a single row spread over the cores. */
const THREADS = 8;

export const registerText = (Dh: number): string => /* wgsl */ `${attentionOperands(Dh)}
@group(0) @binding(5) var<storage, read_write> z: array<vec4<f32>>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let pair = id.x + id.y * groups.x * ${THREADS}u;
  let t = pair / p.H;
  let h = pair % p.H;
  let which = sequenceOf(t);
  if (which == p.S) { return; }
  let s = sequenceAt(which);
  let kv = h * p.Hkv / p.H;
  let position = s.keys - s.rows + t - s.rowStart;
  let q = queryAt(t, h);
${unroll(Dh / 4, (i) => `  let q${i} = qkv[q + ${i}u] * p.scale;\n  var z${i} = vec4<f32>();`)}
  var largest = ${HIDDEN};
  var total = 0.0;
  for (var j = firstKey(position); j <= position; j++) {
    let row = cacheRow(s, j);
    let k = keyAt(row, kv);
    var score = 0.0;
${unroll(Dh / 4, (i) => `    score += dot(q${i}, kCache[k + ${i}u]);`)}
    let before = largest;
    largest = max(largest, score);
    let fade = exp(before - largest);
    let weight = exp(score - largest);
    total = total * fade + weight;
    let v = valueAt(row, kv);
${unroll(Dh / 4, (i) => `    z${i} = z${i} * fade + weight * vCache[v + ${i}u];`)}
  }
  let at = p.zAt + (t * p.H + h) * D4;
${unroll(Dh / 4, (i) => `  z[at + ${i}u] = z${i} / total;`)}
}
`;

export function registerAttention(call: AttentionCall): Dispatch {
  const { H, Dh } = call.heads;
  return {
    key: `attentionRegister/${Dh}`,
    code: () => registerText(Dh),
    bindings: [...attentionBindings(call), writes(call.z)],
    words: attentionWords(call),
    grid: foldedGrid(Math.ceil((queryRows(call) * H) / THREADS)),
    workgroupSize: [THREADS, 1, 1],
  };
}
