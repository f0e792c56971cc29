/** Reading golden files and comparing with them, in the measures of docs/NOTATION.md. Knows no model. */
import { readFileSync } from "node:fs";
import { bufferSource, openSafetensors, type StoredDType } from "../../src/formats/index.ts";
import type { HostTensor } from "../../src/model/index.ts";

export interface Golden extends HostTensor {
  readonly dtype: StoredDType;
  /** The integers of i32 and i64 tensors. */
  readonly ints: number[];
}

/** All tensors of a safetensors file. */
export async function readGoldens(path: string): Promise<Map<string, Golden>> {
  const file = await openSafetensors(bufferSource(new Uint8Array(readFileSync(path)), path));
  const goldens = new Map<string, Golden>();
  for (const { name, dtype, shape } of file.tensors.values()) {
    const { buffer } = (await file.read(name)).slice();
    const ints =
      dtype === "i64" ? [...new BigInt64Array(buffer)].map(Number) : dtype === "i32" ? [...new Int32Array(buffer)] : [];
    goldens.set(name, { dtype, shape, ints, data: dtype === "f32" ? new Float32Array(buffer) : new Float32Array() });
  }
  return goldens;
}

/** max over rows of ‖a − b‖₂ / ‖b‖₂, rows along the first axis. */
export function worstRowError(a: Float32Array, b: Float32Array, rows: number): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const width = b.length / rows;
  let worst = 0;
  for (let r = 0; r < rows; r++) {
    let difference = 0;
    let length = 0;
    for (let i = r * width; i < (r + 1) * width; i++) {
      difference += (a[i]! - b[i]!) ** 2;
      length += b[i]! ** 2;
    }
    worst = Math.max(worst, length === 0 ? Math.sqrt(difference) : Math.sqrt(difference / length));
    if (Number.isNaN(difference)) return Number.POSITIVE_INFINITY;
  }
  return worst;
}

export function maxAbs(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < a.length; i++)
    worst = Math.max(worst, Number.isNaN(a[i]! - b[i]!) ? Number.POSITIVE_INFINITY : Math.abs(a[i]! - b[i]!));
  return worst;
}

export function cosine(a: Float32Array, b: Float32Array): number {
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += a[i]! * b[i]!;
    aa += a[i]! ** 2;
    bb += b[i]! ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}
