/**
 * GGUF v2 and v3, little endian: metadata (ggufMetadata.ts) and tensor table, tensors read one at a time in their stored
 * form. Everything is checked before memory is taken. Knows no architecture.
 * Format: ggml docs/gguf.md; type numbers as in ggml.h, enum ggml_type.
 */
import { FormatError } from "../tensor/errors.ts";
import { Cursor } from "./ggufCursor.ts";
import { type GgufValue, readMetadata } from "./ggufMetadata.ts";
import { quoted, shown } from "./quoted.ts";
import type { ByteSource } from "./source.ts";
import {
  checkCoverage,
  missingTensor,
  type StoredDType,
  storedBytes,
  type TensorFile,
  type TensorInfo,
} from "./tensorFile.ts";

export interface GgufFile extends TensorFile {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly version: number;
}

const MAGIC = 0x46554747; // "GGUF"
const DEFAULT_ALIGNMENT = 32;
const MAX_ALIGNMENT = 65536;
const MAX_DIMS = 4;
/** Mixture-of-experts models have a few thousand tensors; 64 keys are usual. */
const MAX_TENSORS = 1 << 17;
const MAX_KEYS = 1 << 16;

const DTYPES: ReadonlyMap<number, StoredDType> = new Map<number, StoredDType>([
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
]);

/** Types that exist (or did) and are not read, for the error. */
const OTHER_TYPES: ReadonlyMap<number, string> = new Map([
  [4, "Q4_2"],
  [5, "Q4_3"],
  [9, "Q8_1"],
  [15, "Q8_K"],
  [16, "IQ2_XXS"],
  [17, "IQ2_XS"],
  [18, "IQ3_XXS"],
  [19, "IQ1_S"],
  [20, "IQ4_NL"],
  [21, "IQ3_S"],
  [22, "IQ2_S"],
  [23, "IQ4_XS"],
  [29, "IQ1_M"],
  [31, "Q4_0_4_4"],
  [32, "Q4_0_4_8"],
  [33, "Q4_0_8_8"],
  [34, "TQ1_0"],
  [35, "TQ2_0"],
  [39, "MXFP4"],
  [40, "NVFP4"],
  [41, "Q1_0"],
]);

/**
 * Reads the header and checks everything it says against the source's size; tensors are read later, each on its own. Shapes
 * are row-major, outermost first, the reverse of the file's order. Owns the source: an error closes it.
 * @throws FormatError for anything damaged, hostile or unsupported.
 */
export async function openGguf(source: ByteSource, signal?: AbortSignal): Promise<GgufFile> {
  try {
    return await open(source, signal);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function open(source: ByteSource, signal?: AbortSignal): Promise<GgufFile> {
  const c = new Cursor(source, signal);
  const where = source.name;
  if (source.sizeBytes < 4 || (await c.u32()) !== MAGIC)
    throw new FormatError(`${where} does not start with "GGUF"`, "this is no GGUF file");
  const version = await c.u32();
  checkVersion(where, version);
  const tensorCount = await c.count("tensors", 24, MAX_TENSORS); // a tensor's name, dimensions, type and offset
  const keyCount = await c.count("metadata keys", 13, MAX_KEYS); // a key, its type and one byte of value
  const metadata = await readMetadata(c, keyCount);
  const alignment = checkAlignment(where, metadata.get("general.alignment"));
  const table = await readTensorTable(c, tensorCount);
  const dataStart = Math.ceil(c.position / alignment) * alignment;
  const tensors = new Map<string, TensorInfo>();
  for (const t of table) {
    if (t.offsetBytes % alignment !== 0)
      throw new FormatError(
        `${where}: tensor ${quoted(t.name)} at offset ${t.offsetBytes} is off the alignment of ${alignment}`,
        "the file is damaged; fetch it again",
      );
    tensors.set(t.name, { ...t, offsetBytes: dataStart + t.offsetBytes });
  }
  await checkData(source, tensors, dataStart, alignment, signal);
  return {
    name: where,
    version,
    tensors,
    metadata,
    headerBytes: c.header(),
    async read(name, signal, scratch) {
      const info = tensors.get(name);
      if (!info) throw missingTensor(where, name);
      return source.read(info.offsetBytes, info.bytes, signal, scratch);
    },
    close: () => source.close(),
  };
}

function checkVersion(where: string, version: number): void {
  if (version === 2 || version === 3) return;
  if (version !== 0 && (version & 0xffff) === 0)
    throw new FormatError(`${where} is a big-endian GGUF file`, "convert it to little endian");
  throw new FormatError(`${where} is GGUF version ${version}`, "versions 2 and 3 are read");
}

function checkAlignment(where: string, value: GgufValue | undefined): number {
  if (value === undefined) return DEFAULT_ALIGNMENT;
  if (typeof value === "number" && value >= 8 && value <= MAX_ALIGNMENT && Number.isInteger(Math.log2(value)))
    return value;
  throw new FormatError(
    `${where}: general.alignment is ${shown(value)}`,
    `expected a power of two from 8 to ${MAX_ALIGNMENT}`,
  );
}

/** Tensors lie one behind another, each on its alignment; the file may end in zeros, up to one alignment of them. */
async function checkData(
  source: ByteSource,
  tensors: ReadonlyMap<string, TensorInfo>,
  dataStart: number,
  alignment: number,
  signal?: AbortSignal,
): Promise<void> {
  const { name: where, sizeBytes } = source;
  // a file without tensors may end where its header does
  const start = tensors.size === 0 ? Math.min(dataStart, sizeBytes) : dataStart;
  const coverage = { startBytes: start, endBytes: sizeBytes, gapBytes: alignment - 1, tailBytes: alignment };
  checkCoverage(where, tensors.values(), coverage);
  let end = start;
  for (const t of tensors.values()) end = Math.max(end, t.offsetBytes + t.bytes);
  const tail = await source.read(end, sizeBytes - end, signal);
  if (tail.some((b) => b !== 0))
    throw new FormatError(
      `${where}: the last ${tail.length} bytes belong to no tensor and are not zero`,
      "the file is damaged; fetch it again",
    );
}

/** Tensor infos with offsets relative to the data's start. */
async function readTensorTable(c: Cursor, count: number): Promise<TensorInfo[]> {
  const tensors: TensorInfo[] = [];
  const names = new Set<string>();
  for (let i = 0; i < count; i++) {
    const tensor = await readTensorInfo(c);
    if (names.has(tensor.name)) c.fail(`tensor ${quoted(tensor.name)} is there twice`);
    names.add(tensor.name);
    tensors.push(tensor);
  }
  return tensors;
}

async function readTensorInfo(c: Cursor): Promise<TensorInfo> {
  const { name: where, sizeBytes } = c.source;
  const name = await c.string("a tensor name");
  const tensor = `tensor ${quoted(name)}`;
  const dims = await c.u32();
  if (dims > MAX_DIMS) c.fail(`${tensor} has ${dims} dimensions, at most ${MAX_DIMS} are possible`);
  await c.need(8 * dims + 12);
  // beyond 2^53 a dimension loses digits here and is refused below
  const shape = Array.from({ length: dims }, () => Number(c.number(8, "u"))).reverse();
  const type = c.number(4, "u") as number;
  const offset = c.number(8, "u");
  const dtype = DTYPES.get(type);
  if (!dtype) {
    const supported = [...DTYPES.values()].map((d) => d.toUpperCase()).join(", ");
    throw new FormatError(
      `${where}: ${tensor} has the type ${OTHER_TYPES.get(type) ?? `number ${type}, which is unknown`}`,
      `supported: ${supported}`,
    );
  }
  const bytes = storedBytes(`${where}: ${tensor}`, dtype, shape);
  if (typeof offset === "bigint" || offset > sizeBytes || bytes > sizeBytes)
    c.fail(`${tensor} takes ${bytes} bytes at offset ${offset}, the file has ${sizeBytes}`);
  return { name, dtype, shape, offsetBytes: offset, bytes };
}
