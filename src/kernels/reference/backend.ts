/**
 * The oracle: a Backend of plain loops with float64 accumulators, one function an operation, never optimised. Every other
 * backend is tested against it, and a whole model can run on it. Weights are dequantised on arrival by a function that the
 * caller passes in, because block formats belong to src/formats.
 */
import type {
  Backend,
  BackendCounters,
  BufferRef,
  Capabilities,
  Matrix,
  MatrixPart,
  OpCall,
} from "../../tensor/backend.ts";
import { byteLength, type DType } from "../../tensor/dtype.ts";
import { DeviceError, ShapeError } from "../../tensor/errors.ts";
import type { ReferenceBuffer, ReferenceMatrix } from "./memory.ts";
import { oracles } from "./oracles.ts";

export interface ReferenceOptions {
  /** Stored bytes of any weight type to float32 values. */
  readonly dequantize: (dtype: DType, bytes: Uint8Array) => Float32Array;
}

export class ReferenceBackend implements Backend {
  readonly name = "reference";
  readonly caps: Capabilities = { tier: "float64 loops", threads: 1, synchronous: true };
  readonly counters: BackendCounters = { ops: {}, allocations: 0, liveBytes: 0, peakBytes: 0 };

  constructor(private readonly options: ReferenceOptions) {}

  alloc(bytes: number, label: string): ReferenceBuffer {
    this.#grow(bytes);
    this.counters.allocations++;
    try {
      return { bytes, label, memory: new ArrayBuffer(bytes) };
    } catch (cause) {
      throw new DeviceError(
        `reference: cannot allocate ${bytes} bytes for ${label}: ${cause}`,
        "use a smaller context or model",
        "E_OOM",
      );
    }
  }

  free(buffer: BufferRef): void {
    this.counters.liveBytes -= buffer.bytes;
  }

  createMatrix(label: string, parts: readonly MatrixPart[]): ReferenceMatrix {
    const k = parts[0]?.k ?? 0;
    const n = parts.reduce((sum, p) => sum + p.n, 0);
    const values = new Float32Array(n * k);
    let at = 0;
    for (const part of parts) {
      const expected = byteLength(part.dtype, part.n * part.k);
      if (part.k !== k || part.bytes.byteLength !== expected) {
        throw new ShapeError(
          `matrix ${label}: part [${part.n}, ${part.k}] ${part.dtype} has ${part.bytes.byteLength} bytes, expected ${expected} and K = ${k}`,
        );
      }
      values.set(this.options.dequantize(part.dtype, part.bytes), at);
      at += part.n * k;
    }
    this.#grow(values.byteLength);
    return { label, shape: [n, k], dtypes: parts.map((p) => p.dtype), bytes: values.byteLength, values };
  }

  freeMatrix(matrix: Matrix): void {
    this.counters.liveBytes -= matrix.bytes;
  }

  write(buffer: BufferRef, data: ArrayBufferView, offsetBytes = 0): void {
    const target = new Uint8Array((buffer as ReferenceBuffer).memory, offsetBytes, data.byteLength);
    target.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }

  run(calls: readonly OpCall[]): void {
    for (const call of calls) {
      this.counters.ops[call.op] = (this.counters.ops[call.op] ?? 0) + 1;
      oracles[call.op](call as never);
    }
  }

  release(): void {}

  async read(buffer: BufferRef, offsetBytes: number, bytes: number): Promise<Uint8Array> {
    return new Uint8Array((buffer as ReferenceBuffer).memory.slice(offsetBytes, offsetBytes + bytes));
  }

  readInto(buffer: BufferRef, offsetBytes: number, target: Uint8Array): void {
    target.set(new Uint8Array((buffer as ReferenceBuffer).memory, offsetBytes, target.byteLength));
  }

  dispose(): void {}

  #grow(bytes: number): void {
    this.counters.liveBytes += bytes;
    this.counters.peakBytes = Math.max(this.counters.peakBytes, this.counters.liveBytes);
  }
}

export function createReferenceBackend(options: ReferenceOptions): ReferenceBackend {
  return new ReferenceBackend(options);
}
