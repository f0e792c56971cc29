/**
 * Tensor: a shaped, typed, contiguous range of a device buffer, and its views (reshape, row slice).
 * Owns no arithmetic; operations are in ops.ts, memory is given back by Scope or `dispose`.
 */
import type { Backend, BufferRef } from "./backend.ts";
import { byteLength, type DType } from "./dtype.ts";
import { DTypeError, ShapeError } from "./errors.ts";
import { format, numel, type Shape } from "./shape.ts";

export type HostArray = Float32Array | Int32Array | Uint32Array | Uint16Array | Uint8Array;

export class Tensor {
  constructor(
    readonly backend: Backend,
    readonly buffer: BufferRef,
    readonly dtype: DType,
    readonly shape: Shape,
    /** Bytes from the start of the buffer. */
    readonly offsetBytes: number = 0,
  ) {
    if (offsetBytes + byteLength(dtype, numel(shape)) > buffer.bytes) {
      throw new ShapeError(
        `tensor ${buffer.label}: ${dtype} ${format(shape)} at byte ${offsetBytes} exceeds its buffer of ${buffer.bytes} bytes`,
      );
    }
  }

  get elems(): number {
    return numel(this.shape);
  }

  get bytes(): number {
    return byteLength(this.dtype, this.elems);
  }

  /** Length of the last axis (1 for a scalar): the row length in elements. */
  get columns(): number {
    return this.shape.at(-1) ?? 1;
  }

  /** The same elements under another shape. @throws ShapeError if the element counts differ. */
  reshape(shape: Shape): Tensor {
    if (numel(shape) !== this.elems)
      throw new ShapeError(`reshape ${format(this.shape)} to ${format(shape)}: element counts differ`);
    return new Tensor(this.backend, this.buffer, this.dtype, shape, this.offsetBytes);
  }

  /** Rows [from, to) along the first axis, sharing memory. */
  rows(from: number, to: number): Tensor {
    const [n = 0, ...rest] = this.shape;
    if (!(0 <= from && from <= to && to <= n)) {
      throw new ShapeError(
        `rows ${from}..${to} of a tensor of shape ${format(this.shape)}`,
        `give 0 ≤ from ≤ to ≤ ${n}`,
      );
    }
    const rowBytes = byteLength(this.dtype, numel(rest));
    return new Tensor(this.backend, this.buffer, this.dtype, [to - from, ...rest], this.offsetBytes + from * rowBytes);
  }

  /** Replaces the contents. `data` must have exactly this tensor's bytes. */
  write(data: ArrayBufferView): void {
    if (data.byteLength !== this.bytes) {
      throw new ShapeError(
        `write ${data.byteLength} bytes into ${this.dtype} ${format(this.shape)} of ${this.bytes} bytes`,
      );
    }
    this.backend.write(this.buffer, data, this.offsetBytes);
  }

  /** A copy of the contents. @throws DTypeError for block types. */
  async read(): Promise<HostArray> {
    return this.#typed(await this.backend.read(this.buffer, this.offsetBytes, this.bytes));
  }

  /** A copy of the contents, now; only on synchronous backends. */
  readSync(): HostArray {
    const bytes = new Uint8Array(this.bytes);
    this.backend.readInto(this.buffer, this.offsetBytes, bytes);
    return this.#typed(bytes);
  }

  #typed(bytes: Uint8Array): HostArray {
    const { buffer, byteOffset, byteLength: length } = bytes;
    switch (this.dtype) {
      case "f32":
        return new Float32Array(buffer, byteOffset, length / 4);
      case "i32":
        return new Int32Array(buffer, byteOffset, length / 4);
      case "u32":
        return new Uint32Array(buffer, byteOffset, length / 4);
      case "f16":
      case "bf16":
        return new Uint16Array(buffer, byteOffset, length / 2);
      case "u8":
        return bytes;
      default:
        throw new DTypeError(
          `cannot read a ${this.dtype} tensor as numbers`,
          "dequantise it first (formats/dequantize)",
        );
    }
  }
}
