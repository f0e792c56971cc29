/**
 * GGUF v2 and v3, little endian: metadata and tensor table, tensors read one at a time in their stored form. Every count is
 * checked before memory is taken. Format: ggml docs/gguf.md; type numbers as in ggml.h.
 */
import { FormatError } from "../tensor/errors.ts";
import { Cursor } from "./ggufCursor.ts";
import type { ByteSource } from "./source.ts";
import {
  checkCoverage,
  missingTensor,
  type StoredDType,
  storedBytes,
  type TensorFile,
  type TensorInfo,
} from "./tensorFile.ts";

/** u64 beyond 2^53 stay bigint; arrays of numbers are typed arrays or number[]; arrays of strings string[]. */
export type GgufScalar = number | bigint | boolean | string;
export type GgufValue = GgufScalar | readonly GgufValue[] | Float32Array | Int32Array | Uint32Array;

export interface GgufFile extends TensorFile {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly version: number;
}

const MAGIC = 0x46554747; // "GGUF"
const DEFAULT_ALIGNMENT = 32;
const MAX_DIMS = 4;
const MAX_ARRAY_DEPTH = 4;

const GGML_TYPES: readonly (readonly [number, StoredDType])[] = [
  [0, "f32"],
  [1, "f16"],
  [2, "q4_0"],
  [3, "q4_1"],
  [6, "q5_0"],
  [7, "q5_1"],
  [8, "q8_0"],
  [10, "q2_k"],
  [11, "q3_k"],
  [12, "q4_k"],
  [13, "q5_k"],
  [14, "q6_k"],
  [24, "i8"],
  [25, "i16"],
  [26, "i32"],
  [27, "i64"],
  [28, "f64"],
  [30, "bf16"],
];
const DTYPES = new Map(GGML_TYPES);

/** Names of types that exist and are not supported, for the error. */
const OTHER_TYPES: Readonly<Record<number, string>> = {
  9: "Q8_1",
  15: "Q8_K",
  16: "IQ2_XXS",
  17: "IQ2_XS",
  18: "IQ3_XXS",
  19: "IQ1_S",
  20: "IQ4_NL",
  21: "IQ3_S",
  22: "IQ2_S",
  23: "IQ4_XS",
  29: "IQ1_M",
  34: "TQ1_0",
  35: "TQ2_0",
  39: "MXFP4",
};

/** Metadata value types: bytes and kind of the numeric ones. */
const NUMBERS: Readonly<Record<number, readonly [1 | 2 | 4 | 8, "u" | "i" | "f"]>> = {
  0: [1, "u"],
  1: [1, "i"],
  2: [2, "u"],
  3: [2, "i"],
  4: [4, "u"],
  5: [4, "i"],
  6: [4, "f"],
  10: [8, "u"],
  11: [8, "i"],
  12: [8, "f"],
};
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

/** @throws FormatError for anything damaged, hostile or unsupported, before tensors are touched. */
export async function openGguf(source: ByteSource, signal?: AbortSignal): Promise<GgufFile> {
  const c = new Cursor(source, signal);
  const where = source.name;
  if ((await c.u32()) !== MAGIC) throw new FormatError(`${where} does not start with "GGUF"`, "this is no GGUF file");
  const version = await c.u32();
  if (version !== 2 && version !== 3)
    throw new FormatError(`${where} is GGUF version ${version}`, "versions 2 and 3 are read (little endian)");
  const tensorCount = await c.count("a tensor count of", 24);
  const keyCount = await c.count("a metadata count of", 13);
  const metadata = await readMetadata(c, keyCount);
  const alignment = checkAlignment(where, metadata.get("general.alignment"));
  const relative = await readTensorTable(c, tensorCount);
  const dataStart = Math.ceil(c.position / alignment) * alignment;
  const tensors = new Map<string, TensorInfo>();
  for (const t of relative) {
    if (t.offsetBytes % alignment !== 0)
      throw new FormatError(
        `${where}: tensor "${t.name}" at offset ${t.offsetBytes} is off the alignment of ${alignment}`,
      );
    tensors.set(t.name, { ...t, offsetBytes: dataStart + t.offsetBytes });
  }
  if (tensors.size > 0) checkCoverage(where, tensors.values(), dataStart, source.sizeBytes, alignment - 1);
  const headerBytes = await source.read(0, c.position, signal);
  await checkPadding(source, tensors, c.position, dataStart, signal);
  return {
    name: where,
    version,
    tensors,
    metadata,
    headerBytes,
    read(name, signal) {
      const info = tensors.get(name);
      if (!info) throw missingTensor(where, name);
      return source.read(info.offsetBytes, info.bytes, signal);
    },
    close: () => source.close(),
  };
}

function checkAlignment(where: string, value: GgufValue | undefined): number {
  if (value === undefined) return DEFAULT_ALIGNMENT;
  const ok = typeof value === "number" && value >= 1 && value <= 65536 && Number.isInteger(Math.log2(value));
  if (!ok)
    throw new FormatError(
      `${where}: general.alignment is ${String(value).slice(0, 40)}`,
      "expected a power of two up to 65536",
    );
  return value;
}

/** The file may end in zeros up to one alignment: whatever else lies behind the last tensor is refused. */
async function checkPadding(
  source: ByteSource,
  tensors: ReadonlyMap<string, TensorInfo>,
  headerEnd: number,
  dataStart: number,
  signal?: AbortSignal,
): Promise<void> {
  let end = tensors.size ? dataStart : headerEnd;
  for (const t of tensors.values()) end = Math.max(end, t.offsetBytes + t.bytes);
  if (source.sizeBytes - end > 65536)
    throw new FormatError(`${source.name}: the last ${source.sizeBytes - end} bytes belong to no tensor`);
  const rest = await source.read(Math.min(end, source.sizeBytes), Math.max(0, source.sizeBytes - end), signal);
  if (rest.some((b) => b !== 0))
    throw new FormatError(`${source.name}: the ${rest.length} bytes behind the last tensor are not zero`);
}

async function readMetadata(c: Cursor, count: number): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>();
  for (let i = 0; i < count; i++) {
    const key = await c.string("a metadata key");
    if (metadata.has(key)) c.fail(`metadata key "${key}" is there twice`);
    metadata.set(key, await readValue(c, await c.u32(), key, 0));
  }
  return metadata;
}

async function readValue(c: Cursor, type: number, key: string, depth: number): Promise<GgufValue> {
  const numeric = NUMBERS[type];
  if (numeric) {
    await c.need(numeric[0]);
    return c.number(numeric[0], numeric[1]);
  }
  if (type === BOOL) {
    await c.need(1);
    const value = c.number(1, "u");
    if (value !== 0 && value !== 1) c.fail(`metadata "${key}" is the boolean ${value}`);
    return value === 1;
  }
  if (type === STRING) return c.string(`metadata "${key}"`);
  if (type === ARRAY) return readArray(c, key, depth);
  return c.fail(`metadata "${key}" has the unknown type ${type}`);
}

async function readArray(c: Cursor, key: string, depth: number): Promise<GgufValue> {
  if (depth >= MAX_ARRAY_DEPTH) c.fail(`metadata "${key}" nests arrays deeper than ${MAX_ARRAY_DEPTH}`);
  const type = await c.u32();
  const numeric = NUMBERS[type];
  const unitBytes = numeric?.[0] ?? (type === STRING ? 8 : type === ARRAY ? 12 : 1);
  const n = await c.count(`metadata "${key}" with a length of`, unitBytes);
  if (type === STRING) {
    const strings: string[] = [];
    for (let i = 0; i < n; i++) strings.push(c.stringInWindow(key) ?? (await c.string(`metadata "${key}"`)));
    return strings;
  }
  if (numeric && numeric[0] === 4) return readWords(c, n, numeric[1]);
  const values: GgufValue[] = [];
  for (let i = 0; i < n; i++) values.push(await readValue(c, type, key, depth + 1));
  return values;
}

/** An array of 32-bit numbers, in pieces of one window. */
async function readWords(c: Cursor, n: number, kind: "u" | "i" | "f"): Promise<GgufValue> {
  const bytes = new Uint8Array(4 * n); // n was checked against the file's size
  for (let at = 0; at < bytes.length; ) {
    const piece = Math.min(bytes.length - at, 1 << 20);
    await c.need(piece);
    bytes.set(c.take(piece), at);
    at += piece;
  }
  return kind === "f"
    ? new Float32Array(bytes.buffer)
    : kind === "u"
      ? new Uint32Array(bytes.buffer)
      : new Int32Array(bytes.buffer);
}

/** Tensor infos with offsets relative to the data's start; shapes reversed to outermost first. */
async function readTensorTable(c: Cursor, count: number): Promise<TensorInfo[]> {
  const tensors: TensorInfo[] = [];
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    const name = await c.string("a tensor name");
    if (names.has(name)) c.fail(`tensor "${name}" is there twice`);
    names.add(name);
    const dims = await c.u32();
    if (dims > MAX_DIMS) c.fail(`tensor "${name}" has ${dims} dimensions, at most ${MAX_DIMS} are possible`);
    await c.need(8 * dims + 12);
    const shape = Array.from({ length: dims }, () => Number(c.number(8, "u"))).reverse();
    const type = c.number(4, "u") as number;
    const offset = c.number(8, "u");
    const dtype = DTYPES.get(type);
    if (!dtype) {
      const supported = GGML_TYPES.map(([, d]) => d.toUpperCase()).join(", ");
      throw new FormatError(
        `${c.source.name}: tensor "${name}" has the type ${OTHER_TYPES[type] ?? type}`,
        `supported: ${supported}`,
      );
    }
    if (typeof offset === "bigint" || offset > c.source.sizeBytes) c.fail(`tensor "${name}" has the offset ${offset}`);
    const bytes = storedBytes(`${c.source.name}: tensor "${name}"`, dtype, shape);
    if (bytes > c.source.sizeBytes) c.fail(`tensor "${name}" of ${bytes} bytes is larger than the file`);
    tensors.push({ name, dtype, shape, offsetBytes: offset, bytes });
  }
  return tensors;
}
