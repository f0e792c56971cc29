/**
 * What this machine can do, measured: a loop of multiply-adds in registers, and a stream copy larger than the caches. Every
 * benchmark is given as a share of these. Knows no operation.
 */
import { detectFeatures } from "../src/kernels/cpu/features.ts";
import type { Features } from "../src/kernels/cpu/kernel.ts";
import { type Func, i32, type Local, ModuleBuilder, v128 } from "../src/kernels/cpu/wasm/asm.ts";
import { madd } from "../src/kernels/cpu/wasm/math.ts";
import { bestOf } from "./timing.ts";

export interface Roofline {
  /** Of one thread, in 1e9 a second; a multiply-add counts two. */
  readonly gflops: number;
  readonly gbytesPerSecond: number;
}

/** Independent accumulators: enough to hide the latency of 4 to 5 cycles at two multiply-adds a cycle. */
const ACCUMULATORS = 12;
const COPY_BYTES = 64 << 20;

export function measureRoofline(): Roofline {
  const features: Features = { ...detectFeatures({ setV8Flags: true }), shared: false };
  const memory = new WebAssembly.Memory({ initial: 2 * (COPY_BYTES >> 16) + 1 });
  const bytes = roofModule(features);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
  const fma = exports.fma as (rounds: number) => void;
  const copy = exports.copy as (bytes: number) => void;
  new Uint8Array(memory.buffer).fill(1); // pages that were never written read from one shared zero page
  const rounds = 200_000;
  const gflops = (2 * 4 * ACCUMULATORS * rounds) / bestOf(() => fma(rounds), 9) / 1e6;
  const gbytesPerSecond = (2 * COPY_BYTES) / bestOf(() => copy(COPY_BYTES), 7) / 1e6;
  return { gflops, gbytesPerSecond };
}

function roofModule(features: Features): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.func(
    ["i32"],
    undefined,
    (f) => {
      emitFma(f, features);
    },
    "fma",
  );
  m.func(
    ["i32"],
    undefined,
    (f) => {
      const [bytes] = f.params as [Local];
      const at = f.i32();
      f.loop(at, 64, bytes, 64, () => {
        for (let o = 0; o < 64; o += 16) f.storeV128(i32.add(at, bytes), v128.load(at, o), o);
      });
    },
    "copy",
  );
  return m.bytes(features);
}

function emitFma(f: Func, features: Features): void {
  const [rounds] = f.params as [Local];
  const sums = Array.from({ length: ACCUMULATORS }, (_, i) => f.v128(v128.load(i32.const(64 + 16 * i))));
  const [a, b] = [f.v128(v128.load(i32.const(512))), f.v128(v128.load(i32.const(528)))];
  const i = f.i32();
  f.loop(i, 0, rounds, 1, () => {
    for (const s of sums) f.set(s, madd(features, a, b, s));
  });
  for (const [i, s] of sums.entries()) f.storeV128(i32.const(1024 + 16 * i), s);
}
