/**
 * What all weight files have in common: named tensors with a stored type, a shape and a byte range, read one at a time.
 * Also the checks of byte ranges. Knows no particular format.
 */
import { blockLayout, type DType } from "../tensor/dtype.ts";
import { FormatError } from "../tensor/errors.ts";
import type { Shape } from "../tensor/shape.ts";

/** Types that files may hold; those beyond DType can be read as bytes, but are no weights. */
export type StoredDType = DType | "f64" | "i64" | "u64" | "i16" | "u16" | "i8" | "bool" | "f8_e4m3" | "f8_e5m2";

export interface TensorInfo {
  readonly name: string;
  readonly dtype: StoredDType;
  /** Row-major, outermost first. */
  readonly shape: Shape;
  /** From the start of its source. */
  readonly offsetBytes: number;
  readonly bytes: number;
}

export interface TensorFile {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Strings in safetensors; numbers, strings, booleans and arrays in GGUF. */
  readonly metadata: ReadonlyMap<string, unknown>;
  /** The header as stored, for hashing. */
  readonly headerBytes: Uint8Array;
  /** The tensor's stored bytes; may be a view of memory. @throws FormatError for an unknown name. */
  read(name: string, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

const OTHER_BYTES: Readonly<Record<string, number>> = {
  f64: 8,
  i64: 8,
  u64: 8,
  i16: 2,
  u16: 2,
  i8: 1,
  bool: 1,
  f8_e4m3: 1,
  f8_e5m2: 1,
};

/** Bytes that a tensor of this type and shape takes. @throws FormatError for bad dimensions or rows that split a block. */
export function storedBytes(where: string, dtype: StoredDType, shape: Shape): number {
  const other = OTHER_BYTES[dtype];
  const { elems, bytes } = other ? { elems: 1, bytes: other } : blockLayout(dtype as DType);
  let n = 1;
  for (const d of shape) {
    if (!Number.isSafeInteger(d) || d < 0) throw new FormatError(`${where}: dimension ${d} of shape [${shape}]`);
    n *= d;
    if (n > Number.MAX_SAFE_INTEGER) throw new FormatError(`${where}: shape [${shape}] is too large`);
  }
  const row = shape.at(-1) ?? 1;
  if (row % elems !== 0)
    throw new FormatError(`${where}: rows of ${row} elements do not hold whole ${dtype} blocks of ${elems}`);
  return (n / elems) * bytes;
}

/**
 * Sorts ranges and checks that they neither overlap nor leave more than `slackBytes` between them, from `start` to `end`.
 * Slack is filled with padding that the caller may inspect. @throws FormatError naming the tensors.
 */
export function checkCoverage(
  where: string,
  tensors: Iterable<TensorInfo>,
  start: number,
  end: number,
  slackBytes: number,
): void {
  const sorted = [...tensors].sort((a, b) => a.offsetBytes - b.offsetBytes || a.bytes - b.bytes);
  let at = start;
  let before = "the header";
  for (const t of sorted) {
    if (t.offsetBytes < at)
      throw new FormatError(
        `${where}: tensor "${t.name}" at byte ${t.offsetBytes} overlaps ${before}, which ends at ${at}`,
      );
    if (t.offsetBytes - at > slackBytes)
      throw new FormatError(`${where}: ${t.offsetBytes - at} bytes before tensor "${t.name}" belong to no tensor`);
    at = t.offsetBytes + t.bytes;
    before = `"${t.name}"`;
  }
  if (at > end)
    throw new FormatError(
      `${where}: ${before} ends at byte ${at}, the file at ${end}`,
      "the file is truncated; fetch it again",
    );
  if (end - at > slackBytes) throw new FormatError(`${where}: the last ${end - at} bytes belong to no tensor`);
}

export function missingTensor(where: string, name: string): FormatError {
  return new FormatError(`${where} has no tensor "${name}"`);
}
