/**
 * The contract between the CPU backend and its WASM kernels. A kernel is a module with one exported function
 *   run(args: i32, begin: i32, end: i32, scratch: i32)
 * where `args` points at i32 words in linear memory, [begin, end) is the part of the kernel's units (panels, rows, heads)
 * that this thread does, and `scratch` is this thread's own memory. Units never depend on each other, so the result is the
 * same for any number of threads. Knows no particular kernel.
 */
import type { Matrix } from "../../tensor/backend.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/**
 * How 8-bit dot products are made: `i16` on 16-bit operands (everywhere); `pair` by relaxed products of bytes summed in
 * pairs in 16 bits; `quad` by relaxed sums of four products in 32 bits, where the engine has one instruction for it.
 */
export type DotForm = "i16" | "pair" | "quad";

/** What the engine's WebAssembly offers; part of every kernel's key. */
export interface Features {
  /** Relaxed SIMD fused multiply-add. */
  readonly fma: boolean;
  readonly dot: DotForm;
  /** `quad` takes weights of 8 bits (0..255), not 7 only. */
  readonly dotU8: boolean;
  /** The engine fuses neighbouring 128-bit operations to 256 bits, so tiles should be 16 columns wide. */
  readonly wide: boolean;
  /** Memory is shared between threads. */
  readonly shared: boolean;
}

/** One kernel run, ready to execute: what an `OpCall` is lowered to. */
export interface Command {
  /** Identifies the module: same key, same bytes. Name, shapes that are baked in, and variants. */
  readonly key: string;
  /** Emits the module; called once a key. */
  readonly emit: (features: Features) => Uint8Array<ArrayBuffer>;
  /** The words at `args`. Floats go through `f32Bits`. */
  readonly args: readonly number[];
  /** Number of independent units. */
  readonly units: number;
  /** Bytes of scratch that one thread needs. */
  readonly scratchBytes: number;
}

/** What lowering may ask the backend. */
export interface LowerContext {
  readonly features: Features;
  /** Byte address of a tensor's first element in linear memory. */
  address(tensor: Tensor): number;
  /** The backend's own form of a weight matrix. */
  packed(matrix: Matrix): PackedMatrix;
  /** Address of memory that all threads see, free for this call's commands; its contents last until the next call. */
  shared(bytes: number): number;
}

/** A weight matrix in linear memory; its layout is described in packedMatrix.ts. */
export interface PackedMatrix extends Matrix {
  readonly segments: readonly PackedSegment[];
}

/** Rows [rowStart, rowStart + n) of a matrix that share one storage type. */
export interface PackedSegment {
  readonly format: string;
  readonly rowStart: number;
  readonly n: number;
  readonly k: number;
  readonly address: number;
  readonly bytes: number;
}

const f32Scratch = new Float32Array(1);
const i32Scratch = new Int32Array(f32Scratch.buffer);

/** The bits of a float32 as an i32 word for `Command.args`. */
export function f32Bits(value: number): number {
  f32Scratch[0] = value;
  return i32Scratch[0]!;
}
