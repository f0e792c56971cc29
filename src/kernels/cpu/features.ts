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
}

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
  return { ...base, fma, ...detectDots() };
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
