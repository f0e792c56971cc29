/** How the oracle stores things: plain ArrayBuffers and float32 weight rows. Knows no operation. */
import type { BufferRef, Matrix } from "../../tensor/backend.ts";
import type { Tensor } from "../../tensor/tensor.ts";

export interface ReferenceBuffer extends BufferRef {
  readonly memory: ArrayBuffer;
}

/** A weight matrix as float32 rows. */
export interface ReferenceMatrix extends Matrix {
  readonly values: Float32Array;
}

/** The numbers of a tensor, sharing memory. */
export function floats(t: Tensor): Float32Array {
  return new Float32Array((t.buffer as ReferenceBuffer).memory, t.offsetBytes, t.elems);
}

export function ints(t: Tensor): Int32Array {
  return new Int32Array((t.buffer as ReferenceBuffer).memory, t.offsetBytes, t.elems);
}
