/**
 * What this engine's WebAssembly offers, found by validating tiny modules and by running them on numbers whose answer is
 * known. May switch on relaxed SIMD, and wider vectors, in Node's V8 before the first compile. Knows no real kernel.
 */
import { DeviceError } from "../../tensor/errors.ts";
import type { DotForm, Features } from "./kernel.ts";
import { type Expr, f32, f32x4, i8x16, i16x8, i32, i32x4, ModuleBuilder, v128 } from "./wasm/asm.ts";

export interface FeatureOptions {
  /**
   * `false` keeps to mul+add and does without all of relaxed SIMD; `true` demands relaxed FMA; `"auto"` takes what is there
   * and right.
   */
  readonly fma?: boolean | "auto";
  /**
   * Sets V8's `--experimental-wasm-relaxed-simd` where the engine lacks relaxed SIMD (Node 20). It holds for the whole
   * process, so a library must leave it off. Measured: 1.25 times the speed of mul+add on Node 20.
   */
  readonly setV8Flags?: boolean;
  /**
   * Sets V8's `--experimental-wasm-revectorize` (Node 24; for the whole process): neighbouring 128-bit operations become
   * 256-bit ones, nearly twice the speed of matrix products. V8 calls it experimental, so a library must leave it off; it is
   * used only if a self-test comes out right, and ignored where V8 does not know it.
   */
  readonly revectorize?: boolean;
}

const REVECTORIZE_FLAG = "--experimental-wasm-revectorize";
/** The first V8 in which the flag has an effect (Node 24); older ones refuse to know it or ignore it. */
const REVECTORIZE_V8 = 13;
const FMA_FLAG = "--experimental-wasm-relaxed-simd";

/** @throws DeviceError where SIMD is missing, or FMA was demanded and is missing. */
export function detectFeatures(o: FeatureOptions = {}): Features {
  const simd = probe((x) => f32x4.add(x, x));
  if (!WebAssembly.validate(simd)) {
    throw new DeviceError("cpu: this engine has no WebAssembly SIMD", "use Node 20 or newer, or a current browser");
  }
  if (runF32(simd, 1.5) !== 3) throw new DeviceError("cpu: WebAssembly SIMD adds wrongly (1.5 + 1.5 ≠ 3)");
  const base: Features = { fma: false, dot: "i16", dotU8: false, wide: false, shared: false };
  const wanted = o.fma ?? "auto";
  if (wanted === false) return base;
  if (o.setV8Flags && !WebAssembly.validate(fmaProbe())) setV8Flag(FMA_FLAG);
  const fma = WebAssembly.validate(fmaProbe()) && fuses();
  if (wanted === true && !fma) {
    throw new DeviceError(
      "cpu: this engine has no relaxed SIMD with a fused multiply-add",
      `on Node 20 run with ${FMA_FLAG}`,
    );
  }
  const wide = o.revectorize === true && fma && v8Major() >= REVECTORIZE_V8 && revectorizes();
  return { ...base, fma, ...detectDots(), wide };
}

/** Long enough for V8's optimising compiler to finish in the background. */
const SELF_TEST_MS = 15;
const SELF_TEST_STEPS = 2000;

/**
 * Sets the flag and runs a loop of neighbouring products and sums, float and integer, until the optimised code is surely in
 * use: whole numbers, so that every answer is known. Whether V8 fuses cannot be seen, only that it does no harm.
 */
function revectorizes(): boolean {
  setV8Flag(REVECTORIZE_FLAG);
  const m = new ModuleBuilder();
  m.func(
    ["i32"],
    undefined,
    (f) => {
      const at = f.params[0]!;
      const [floats, ints] = [[0, 16, 32, 48].map(() => f.v128()), [0, 16, 32, 48].map(() => f.v128())];
      const [x, step] = [f.v128(), f.i32()];
      f.loop(step, 0, SELF_TEST_STEPS, 1, () => {
        f.set(x, v128.load32Splat(at));
        floats.forEach((v, i) => f.set(v, f32x4.relaxedMadd(x, v128.load(at, 64 + 16 * i), v)));
        f.set(x, v128.load32Splat(at, 4));
        ints.forEach((v, i) => f.set(v, i32x4.add(v, i32x4.dotI16(x, v128.load(at, 128 + 16 * i)))));
      });
      floats.forEach((v, i) => f.storeV128(at, v, 192 + 16 * i));
      ints.forEach((v, i) => f.storeV128(at, v, 256 + 16 * i));
    },
    "run",
  );
  const memory = new WebAssembly.Memory({ initial: 1 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(m.bytes({ shared: false })), { env: { memory } });
  const [f32s, i32s] = [new Float32Array(memory.buffer), new Int32Array(memory.buffer)];
  f32s[0] = 3;
  i32s[1] = 5; // the pair (5, 0)
  for (let lane = 0; lane < 16; lane++) {
    f32s[16 + lane] = lane - 7;
    i32s[32 + lane] = 100 * lane;
  }
  const until = performance.now() + SELF_TEST_MS;
  while (performance.now() < until) {
    (instance.exports.run as (address: number) => void)(0);
    for (let lane = 0; lane < 16; lane++) {
      if (f32s[48 + lane] !== SELF_TEST_STEPS * 3 * (lane - 7)) return false;
      if (i32s[64 + lane] !== SELF_TEST_STEPS * 500 * lane) return false;
    }
  }
  return true;
}

/** 0 where this is not Node. */
function v8Major(): number {
  const { process } = globalThis as { process?: { versions?: { v8?: string } } };
  return Number.parseInt(process?.versions?.v8 ?? "0", 10);
}

/** Short name of the arithmetic in use, for people: `wasm-simd`, then `+fma`, and the form of 8-bit dot products. */
export function tierName(features: Features): string {
  const dots: Readonly<Record<DotForm, string>> = { i16: "", pair: "+i8pair", quad: "+i8dot" };
  return `wasm-simd${features.fma ? "+fma" : ""}${dots[features.dot]}${features.wide ? "+revec" : ""}`;
}

/** x·x − (1 + 2^-11) at x = 1 + 2^-12 is 2^-24 if and only if the product is not rounded. */
function fuses(): boolean {
  return runF32(fmaProbe(), 1 + 2 ** -12) === 2 ** -24;
}

function fmaProbe(): Uint8Array<ArrayBuffer> {
  const c = f32x4.splat(f32.const(-(1 + 2 ** -11)));
  return probe((x) => f32x4.relaxedMadd(x, x, c));
}

/**
 * The sum of four products of 255 and 127 tells how the engine makes it: right (129540) and, with the weight taken as −1
 * (−508), come from one instruction that sums four products; 2 · 32767 comes from saturated pairs and takes three.
 */
function detectDots(): Pick<Features, "dot" | "dotU8"> {
  const bytes = (value: number): Expr => i8x16.splat(i32.const(value));
  const seed = (x: Expr): Expr => v128.and(x, v128.zero());
  const quad = (a: number, b: number): Uint8Array<ArrayBuffer> =>
    probe((x) =>
      i32x4.relaxedDotI8I7Add(v128.or(bytes(a), seed(x)), v128.or(bytes(b), seed(x)), i32x4.splat(i32.const(3))),
    );
  const pair = (a: number, b: number): Uint8Array<ArrayBuffer> =>
    probe((x) => i16x8.relaxedDotI8I7(v128.or(bytes(a), seed(x)), v128.or(bytes(b), seed(x))));
  if (!WebAssembly.validate(quad(1, 1)) || !WebAssembly.validate(pair(1, 1))) return { dot: "i16", dotU8: false };
  const quadRight = runI32(quad(-127, 127)) === 3 - 4 * 127 * 127 && runI32(quad(-128, 1)) === 3 - 512;
  const unsigned = runI32(quad(127, 255)) - 3;
  if (quadRight && unsigned !== 2 * 32767) return { dot: "quad", dotU8: unsigned === 4 * 127 * 255 };
  const right = -2 * 127 * 127;
  const pairRight = runI32(pair(-127, 127)) === ((right << 16) | (right & 0xffff));
  return { dot: pairRight ? "pair" : "i16", dotU8: false };
}

/** A module whose run(address) replaces the vector there by body(vector). */
function probe(body: (x: Expr) => Expr): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.func(
    ["i32"],
    undefined,
    (f) => {
      f.storeV128(f.params[0]!, body(v128.load(f.params[0]!)));
    },
    "run",
  );
  return m.bytes({ shared: false });
}

/** Runs a probe on four lanes of x and returns its memory. */
function run(module: Uint8Array<ArrayBuffer>, x: number): ArrayBuffer {
  const memory = new WebAssembly.Memory({ initial: 1 });
  new Float32Array(memory.buffer, 0, 4).fill(x);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } });
  (instance.exports.run as (address: number) => void)(0);
  return memory.buffer;
}

function runF32(module: Uint8Array<ArrayBuffer>, x: number): number {
  return new Float32Array(run(module, x))[0]!;
}

function runI32(module: Uint8Array<ArrayBuffer>): number {
  return new Int32Array(run(module, 0))[0]!;
}

/** Node only; elsewhere nothing happens. `getBuiltinModule` is there from Node 20.16 and needs no import. */
function setV8Flag(flag: string): void {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } };
  const v8 = process?.getBuiltinModule?.("node:v8") as { setFlagsFromString(flag: string): void } | undefined;
  v8?.setFlagsFromString(flag);
}
