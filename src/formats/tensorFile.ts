/**
 * What all weight files have in common: named tensors with a stored type, a shape and a byte range, read one at a time.
 * Also the checks of shapes and byte ranges. Knows no particular format.
 */
import { BLOCK_DTYPES, type BlockLayout, blockLayout, type DType } from "../tensor/dtype.ts";
import { FormatError } from "../tensor/errors.ts";
import type { Shape } from "../tensor/shape.ts";
import { quoted, shown } from "./quoted.ts";

/** Types that safetensors or GGUF may hold and the engine does not compute with; the last three take less than a byte. */
const OTHER_LAYOUTS = {
  f64: { elems: 1, bytes: 8 },
  c64: { elems: 1, bytes: 8 },
  i64: { elems: 1, bytes: 8 },
  u64: { elems: 1, bytes: 8 },
  i16: { elems: 1, bytes: 2 },
  u16: { elems: 1, bytes: 2 },
  i8: { elems: 1, bytes: 1 },
  bool: { elems: 1, bytes: 1 },
  f8_e4m3: { elems: 1, bytes: 1 },
  f8_e5m2: { elems: 1, bytes: 1 },
  f8_e8m0: { elems: 1, bytes: 1 },
  f8_e4m3fnuz: { elems: 1, bytes: 1 },
  f8_e5m2fnuz: { elems: 1, bytes: 1 },
  f6_e2m3: { elems: 4, bytes: 3 },
  f6_e3m2: { elems: 4, bytes: 3 },
  f4: { elems: 2, bytes: 1 },
} as const;

export type StoredDType = DType | keyof typeof OTHER_LAYOUTS;

export interface TensorInfo {
  readonly name: string;
  readonly dtype: StoredDType;
  /** Row-major, outermost first. */
  readonly shape: Shape;
  /** From the start of its source; not a multiple of anything in safetensors. */
  readonly offsetBytes: number;
  readonly bytes: number;
}

/** An opened file; it owns its source. */
export interface TensorFile {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Strings in safetensors; numbers, strings, booleans and arrays in GGUF. */
  readonly metadata: ReadonlyMap<string, unknown>;
  /** The header as stored, for hashing. */
  readonly headerBytes: Uint8Array;
  /** The tensor's stored bytes; may be a view of memory, or of `scratch` (see ByteSource). @throws FormatError for an unknown name. */
  read(name: string, signal?: AbortSignal, scratch?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Far above any model; keeps a hostile shape from being printed or multiplied at length. */
const MAX_RANK = 64;

export function storedLayout(dtype: StoredDType): BlockLayout {
  return Object.hasOwn(OTHER_LAYOUTS, dtype)
    ? OTHER_LAYOUTS[dtype as keyof typeof OTHER_LAYOUTS]
    : blockLayout(dtype as DType);
}

/**
 * Bytes that a tensor of this type and shape takes; `where` begins the message.
 * @throws FormatError for bad dimensions, more than 2^53 bytes, or rows that split a block.
 */
export function storedBytes(where: string, dtype: StoredDType, shape: Shape): number {
  if (shape.length > MAX_RANK) throw new FormatError(`${where} has ${shape.length} dimensions, at most ${MAX_RANK}`);
  let n = 1;
  for (const d of shape) {
    if (!Number.isSafeInteger(d) || d < 0 || Object.is(d, -0))
      throw new FormatError(`${where} has the dimension ${shown(d)}`, "expected whole numbers from 0 to 2^53");
    n *= d;
    if (!Number.isSafeInteger(n)) throw new FormatError(`${where}: shape [${shape}] has more than 2^53 elements`);
  }
  const { elems, bytes } = storedLayout(dtype);
  // blocks never straddle rows; sub-byte floats are packed through
  const whole = (BLOCK_DTYPES as readonly string[]).includes(dtype) ? (shape.at(-1) ?? 1) : n;
  if (whole % elems !== 0)
    throw new FormatError(`${where}: ${whole} elements in a row do not fill whole ${dtype} blocks of ${elems}`);
  const total = (n / elems) * bytes;
  if (!Number.isSafeInteger(total)) throw new FormatError(`${where}: shape [${shape}] takes more than 2^53 bytes`);
  return total;
}

export interface Coverage {
  readonly startBytes: number;
  readonly endBytes: number;
  /** Bytes that may lie before each tensor, and behind the last. */
  readonly gapBytes: number;
  readonly tailBytes: number;
}

/** Checks that tensors do not overlap and leave no more bytes uncovered than allowed. @throws FormatError naming them. */
export function checkCoverage(where: string, tensors: Iterable<TensorInfo>, c: Coverage): void {
  const sorted = [...tensors].sort((a, b) => a.offsetBytes - b.offsetBytes || a.bytes - b.bytes);
  let at = c.startBytes;
  let before = "the header";
  for (const t of sorted) {
    const gap = t.offsetBytes - at;
    if (gap < 0)
      throw new FormatError(
        `${where}: tensor ${quoted(t.name)} at byte ${t.offsetBytes} overlaps ${before}, which ends at ${at}`,
      );
    if (gap > c.gapBytes)
      throw new FormatError(`${where}: ${gap} bytes before tensor ${quoted(t.name)} belong to no tensor`);
    at = t.offsetBytes + t.bytes;
    before = `tensor ${quoted(t.name)}`;
  }
  if (at > c.endBytes)
    throw new FormatError(
      `${where}: ${before} ends at byte ${at}, the file at ${c.endBytes}`,
      "the file is truncated; fetch it again",
    );
  if (c.endBytes - at > c.tailBytes)
    throw new FormatError(`${where}: the last ${c.endBytes - at} bytes belong to no tensor`);
}

export function missingTensor(where: string, name: string): FormatError {
  return new FormatError(`${where} has no tensor ${quoted(name)}`);
}
