/**
 * What this engine's WebAssembly offers, found by validating tiny modules and by running them on numbers whose answer is
 * known. May switch on relaxed SIMD in Node's V8 before the first compile. Knows no real kernel.
 */
import { DeviceError } from "../../tensor/errors.ts";
import type { Features } from "./kernel.ts";
import { type Expr, f32, f32x4, ModuleBuilder, v128 } from "./wasm/asm.ts";

export interface FeatureOptions {
  /** `false` keeps to mul+add; `true` demands relaxed FMA; `"auto"` takes it where it is there and right. */
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
  if (run(simd, 1.5) !== 3) throw new DeviceError("cpu: WebAssembly SIMD adds wrongly (1.5 + 1.5 ≠ 3)");
  const wanted = o.fma ?? "auto";
  if (wanted === false) return { fma: false, shared: false };
  if (o.setV8Flags && !WebAssembly.validate(fmaProbe())) setV8Flag(FMA_FLAG);
  const fma = WebAssembly.validate(fmaProbe()) && fuses();
  if (wanted === true && !fma) {
    throw new DeviceError(
      "cpu: this engine has no relaxed SIMD with a fused multiply-add",
      `on Node 20 run with ${FMA_FLAG}`,
    );
  }
  return { fma, shared: false };
}

/** x·x − (1 + 2^-11) at x = 1 + 2^-12 is 2^-24 if and only if the product is not rounded. */
function fuses(): boolean {
  return run(fmaProbe(), 1 + 2 ** -12) === 2 ** -24;
}

function fmaProbe(): Uint8Array<ArrayBuffer> {
  const c = f32x4.splat(f32.const(-(1 + 2 ** -11)));
  return probe((x) => f32x4.relaxedMadd(x, x, c));
}

/** A module whose run(address) replaces the four floats there by body(floats). */
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

function run(module: Uint8Array<ArrayBuffer>, x: number): number {
  const memory = new WebAssembly.Memory({ initial: 1 });
  new Float32Array(memory.buffer, 0, 4).fill(x);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory } });
  (instance.exports.run as (address: number) => void)(0);
  return new Float32Array(memory.buffer)[0]!;
}

/** Node only; elsewhere nothing happens. `getBuiltinModule` is there from Node 20.16 and needs no import. */
function setV8Flag(flag: string): void {
  const { process } = globalThis as { process?: { getBuiltinModule?: (id: string) => unknown } };
  const v8 = process?.getBuiltinModule?.("node:v8") as { setFlagsFromString(flag: string): void } | undefined;
  v8?.setFlagsFromString(flag);
}
