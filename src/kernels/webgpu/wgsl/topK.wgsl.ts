/**
 * topK: places and bits of the K largest of each row of x [R, N], descending, the smaller place first among equals, NaN last.
 * Two stages where a row is long: a workgroup a part of the row finds that part's K best, then one workgroup a row the best
 * of those. A workgroup finds them by radix selection: it counts the leading byte of all keys, keeps the byte in which the
 * K-th falls, counts the next byte of those that have it, and so on; what is at or above the cut is collected, and the last
 * stage puts it in order by counting what comes before each. K = 1 is a plain reduction. Entries are compared as integers
 * (order of the float, then of the place), which differ pairwise: the result does not depend on the order of threads.
 * Traffic: 4·R·N bytes read, then from cache two to eight times more; 8·R·K written.
 */
import {
  type Binding,
  type CallOf,
  type Dispatch,
  elementOffset,
  foldedGrid,
  type LowerContext,
  reads,
  writes,
} from "../kernel.ts";

/** Threads of a workgroup, and entries that are worth one. */
interface Shape {
  readonly threads: number;
  readonly part: number;
}
const GPU: Shape = { threads: 256, part: 1024 };
/** SwiftShader pays some 10 µs for every four threads that meet at barriers: 49,152 entries take 1 to 5 ms so, 30 to 50 as above. */
const SOFTWARE: Shape = { threads: 64, part: 16384 };
/** A part holds at least so many times K. */
const PART_PER_K = 8;

type From = "row" | "parts";
type To = "parts" | "result";

const ENTRIES: Readonly<Record<From, string>> = {
  row: /* wgsl */ `
@group(0) @binding(1) var<storage, read> x: array<u32>;
fn entry(r: u32, i: u32) -> vec2<u32> { return vec2(x[p.xAt + r * p.n + i], i); }`,
  parts: /* wgsl */ `
@group(0) @binding(1) var<storage, read> best: array<vec2<u32>>;
fn entry(r: u32, i: u32) -> vec2<u32> { return best[r * p.n + i]; }`,
};

const RESULTS: Readonly<Record<To, (K: number) => string>> = {
  parts: (K) => /* wgsl */ `
@group(0) @binding(2) var<storage, read_write> y: array<vec2<u32>>;
fn store(unit: u32, k: u32, e: vec2<u32>) { y[unit * ${K}u + k] = e; }`,
  result: (K) => /* wgsl */ `
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
fn store(unit: u32, k: u32, e: vec2<u32>) {
  let at = p.yAt + unit * ${2 * K}u + k;
  y[at] = e.y;
  y[at + ${K}u] = e.x;
}`,
};

/** Entries are vec2(bits of the number, place); keys rise with the number and fall with the place. */
const KEYS = /* wgsl */ `
fn keyOf(e: vec2<u32>) -> vec2<u32> {
  var order = select(e.x | 0x80000000u, ~e.x, e.x > 0x80000000u); // −0 equals 0
  if ((e.x & 0x7fffffffu) > 0x7f800000u) { order = 0u; }
  return vec2(order, ~e.y);
}
fn isAbove(a: vec2<u32>, b: vec2<u32>) -> bool { return a.x > b.x || (a.x == b.x && a.y > b.y); }`;

const main = (threads: number): string => /* wgsl */ `
@compute @workgroup_size(${threads}) fn main(
  @builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) lane: u32,
) {
  let unit = group.x + group.y * groups.x;
  if (unit >= p.units) { return; }
  let r = unit / p.parts;
  let part = unit % p.parts;
  let start = part * p.n / p.parts;
  let end = (part + 1u) * p.n / p.parts;`;

const largest = (threads: number): string => /* wgsl */ `
var<workgroup> winners: array<vec2<u32>, ${threads}>;
${main(threads)}
  var mine = vec2(0x7fc00000u, 0xffffffffu); // a NaN behind all
  for (var i = start + lane; i < end; i += ${threads}u) {
    let e = entry(r, i);
    if (isAbove(keyOf(e), keyOf(mine))) { mine = e; }
  }
  winners[lane] = mine;
  for (var step = ${threads / 2}u; step > 0u; step >>= 1u) {
    workgroupBarrier();
    if (lane < step && isAbove(keyOf(winners[lane + step]), keyOf(winners[lane]))) { winners[lane] = winners[lane + step]; }
  }
  if (lane == 0u) { store(unit, 0u, winners[0]); }
}`;

const selection = (K: number, to: To, threads: number): string => /* wgsl */ `
var<workgroup> counts: array<atomic<u32>, 256>;
var<workgroup> sums: array<u32, 16>;
/** The byte in which the K-th falls, how many of those that have it are wanted, and how many there are. */
var<workgroup> cut: vec3<u32>;
var<workgroup> kept: atomic<u32>;
${to === "result" ? `var<workgroup> chosen: array<vec2<u32>, ${K}>;` : ""}

fn findCut(wanted: u32) -> vec3<u32> {
  var above = 0u;
  var sixteen = 15u;
  while (sixteen > 0u && above + sums[sixteen] < wanted) {
    above += sums[sixteen];
    sixteen--;
  }
  var byte = 16u * sixteen + 15u;
  while (byte > 0u && above + atomicLoad(&counts[byte]) < wanted) {
    above += atomicLoad(&counts[byte]);
    byte--;
  }
  return vec3(byte, wanted - above, atomicLoad(&counts[byte]));
}
${main(threads)}
  var prefix = vec2(0u);
  var mask = vec2(0u);
  var wanted = ${K}u;
  if (lane == 0u) { atomicStore(&kept, 0u); }
  for (var digit = 0u; digit < 8u; digit++) {
    let word = select(vec2(0u, 1u), vec2(1u, 0u), digit < 4u);
    let shift = 24u - 8u * (digit & 3u);
    for (var i = lane; i < 256u; i += ${threads}u) { atomicStore(&counts[i], 0u); }
    workgroupBarrier();
    for (var i = start + lane; i < end; i += ${threads}u) {
      let key = keyOf(entry(r, i));
      if (all((key & mask) == prefix)) { atomicAdd(&counts[(dot(key, word) >> shift) & 255u], 1u); }
    }
    workgroupBarrier();
    if (lane < 16u) {
      var sum = 0u;
      for (var i = 0u; i < 16u; i++) { sum += atomicLoad(&counts[16u * lane + i]); }
      sums[lane] = sum;
    }
    workgroupBarrier();
    if (lane == 0u) { cut = findCut(wanted); }
    let found = workgroupUniformLoad(&cut);
    prefix |= word * (found.x << shift);
    mask |= word * (255u << shift);
    wanted = found.y;
    if (found.y == found.z) { break; } // all of them are wanted
  }
  for (var i = start + lane; i < end; i += ${threads}u) {
    let e = entry(r, i);
    if (!isAbove(prefix, keyOf(e) & mask)) {
      let k = atomicAdd(&kept, 1u);
      ${to === "result" ? "chosen[k] = e;" : "store(unit, k, e);"}
    }
  }
  ${to === "result" ? ranks(K, threads) : ""}
}`;

const ranks = (K: number, threads: number): string => /* wgsl */ `
  workgroupBarrier();
  for (var k = lane; k < ${K}u; k += ${threads}u) {
    let key = keyOf(chosen[k]);
    var rank = 0u;
    for (var other = 0u; other < ${K}u; other++) { rank += u32(isAbove(keyOf(chosen[other]), key)); }
    store(unit, rank, chosen[k]);
  }`;

const topKCode = (K: number, from: From, to: To, threads: number): string => /* wgsl */ `
struct Params { units: u32, parts: u32, n: u32, xAt: u32, yAt: u32 }
@group(0) @binding(0) var<uniform> p: Params;
${ENTRIES[from]}
${RESULTS[to](K)}
${KEYS}
${K === 1 ? largest(threads) : selection(K, to, threads)}`;

export function lowerTopK({ x, y }: CallOf<"topK">, ctx: LowerContext): Dispatch[] {
  const [N, K] = [x.columns, y.columns];
  const R = x.elems / N;
  const { threads, part } = ctx.device.software ? SOFTWARE : GPU;
  const parts = Math.max(1, Math.floor(N / Math.max(part, PART_PER_K * K)));
  const found = { scratch: 0, bytes: 8 * R * parts * K };
  const stage = (from: From, to: To, input: Binding, output: Binding, split: number, n: number): Dispatch => ({
    key: `topK/${K} ${threads} ${from} to ${to}`,
    code: () => topKCode(K, from, to, threads),
    bindings: [input, output],
    words: [R * split, split, n, elementOffset(x), elementOffset(y)],
    grid: foldedGrid(R * split),
    workgroupSize: [threads, 1, 1],
  });
  if (parts === 1) return [stage("row", "result", reads(x), writes(y), 1, N)];
  return [
    stage("row", "parts", reads(x), { buffer: found, access: "write" }, parts, N),
    stage("parts", "result", { buffer: found, access: "read" }, writes(y), 1, parts * K),
  ];
}
