/**
 * Inputs of the op cases: a seeded generator, tensors between guard bytes, random weight matrices of every storage type.
 * The same seed gives every backend the same bytes. Knows no particular op.
 */
import type { Backend, BufferRef, Matrix, OpCall } from "../tensor/backend.ts";
import { type BlockDType, blockLayout, byteLength, type DType, f32ToBf16, f32ToF16 } from "../tensor/dtype.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";

/** Bytes before and after each tensor; they must not change. */
export const GUARD_BYTES = 64;
export const GUARD_BYTE = 0xa5;

/** Uniform numbers in [0, 1) by the 32-bit mix of splitmix (Steele, Lea, Flood 2014), and what is made of them. */
export class Random {
  #state: number;

  constructor(seed: string) {
    this.#state = [...seed].reduce((h, c) => Math.imul(h ^ c.charCodeAt(0), 0x01000193), 0x811c9dc5);
  }

  uniform(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    let z = this.#state;
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
    return ((z ^ (z >>> 16)) >>> 0) / 2 ** 32;
  }

  /** Mean 0, variance 1 (Box–Muller). */
  normal(): number {
    return Math.sqrt(-2 * Math.log(1 - this.uniform())) * Math.cos(2 * Math.PI * this.uniform());
  }

  /** An integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }
}

export type Fill = (index: number) => number;

/** The calls of one case on one backend, its tensors by label, and which of them the calls may change. */
export interface BuiltCase {
  readonly calls: readonly OpCall[];
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly outputs: readonly string[];
  dispose(): void;
}

/** Collects what one case allocates on one backend. */
export class CaseBuilder {
  readonly #tensors = new Map<string, Tensor>();
  readonly #matrices: Matrix[] = [];

  constructor(
    readonly backend: Backend,
    readonly random: Random,
  ) {}

  /** A tensor of normal numbers, or of `fill(i)`, with guard bytes around it. */
  f32(label: string, shape: Shape, fill: Fill = () => this.random.normal()): Tensor {
    return this.#tensor(
      label,
      "f32",
      shape,
      Float32Array.from({ length: numel(shape) }, (_, i) => fill(i)),
    );
  }

  i32(label: string, shape: Shape, values: readonly number[]): Tensor {
    return this.#tensor(label, "i32", shape, Int32Array.from(values));
  }

  /** A tensor to be written: it holds numbers that no result equals. */
  output(label: string, shape: Shape): Tensor {
    return this.f32(label, shape, () => -12345.678);
  }

  /** A weight matrix of random rows; several types lie one under another. */
  matrix(label: string, parts: readonly { dtype: DType; n: number }[], k: number): Matrix {
    const stored = parts.map(({ dtype, n }) => ({ dtype, n, k, bytes: randomWeights(this.random, dtype, n * k, k) }));
    const matrix = this.backend.createMatrix(label, stored);
    this.#matrices.push(matrix);
    return matrix;
  }

  finish(calls: readonly OpCall[], outputs: readonly string[]): BuiltCase {
    return {
      calls,
      tensors: this.#tensors,
      outputs,
      dispose: () => {
        this.backend.release(calls);
        for (const t of this.#tensors.values()) this.backend.free(t.buffer);
        for (const m of this.#matrices) this.backend.freeMatrix(m);
      },
    };
  }

  #tensor(label: string, dtype: DType, shape: Shape, data: Float32Array | Int32Array): Tensor {
    const buffer: BufferRef = this.backend.alloc(data.byteLength + 2 * GUARD_BYTES, label);
    this.backend.write(buffer, new Uint8Array(buffer.bytes).fill(GUARD_BYTE));
    const t = new Tensor(this.backend, buffer, dtype, shape, GUARD_BYTES);
    if (data.length > 0) t.write(data);
    this.#tensors.set(label, t);
    return t;
  }
}

/** Where the f16 scales of each block type lie, in bytes from the block's start. */
const SCALES: Readonly<Record<BlockDType, readonly number[]>> = {
  q4_0: [0],
  q4_1: [0, 2],
  q5_0: [0],
  q5_1: [0, 2],
  q8_0: [0],
  q2_k: [80, 82],
  q3_k: [108],
  q4_k: [0, 2],
  q5_k: [0, 2],
  q6_k: [208],
};

/** Weights of about unit output variance in the plain types; random codes with small scales of both signs in the others. */
function randomWeights(random: Random, dtype: DType, elems: number, k: number): Uint8Array {
  const values = (): number[] => Array.from({ length: elems }, () => random.normal() / Math.sqrt(k));
  if (dtype === "f32") return new Uint8Array(Float32Array.from(values()).buffer);
  if (dtype === "f16") return new Uint8Array(Uint16Array.from(values(), f32ToF16).buffer);
  if (dtype === "bf16") return new Uint8Array(Uint16Array.from(values(), f32ToBf16).buffer);
  const bytes = Uint8Array.from({ length: byteLength(dtype, elems) }, () => random.below(256));
  const view = new DataView(bytes.buffer);
  const block = blockLayout(dtype).bytes;
  for (let at = 0; at < bytes.length; at += block) {
    for (const offset of SCALES[dtype as BlockDType]) {
      view.setUint16(at + offset, f32ToF16(0.01 * (random.uniform() + 0.1) * (random.below(2) ? 1 : -1)), true);
    }
  }
  return bytes;
}
