/**
 * safetensors, one file: reading (header first, tensors one at a time) and writing. Layout: u64 header length, JSON header,
 * data; the data must be covered exactly. Tensors that do not start on their own alignment are valid. Knows no shards.
 * Format: github.com/huggingface/safetensors, README and safetensors/src/tensor.rs.
 */
import { FormatError } from "../tensor/errors.ts";
import type { Shape } from "../tensor/shape.ts";
import { quoted, shown } from "./quoted.ts";
import type { ByteSource } from "./source.ts";
import { parseStrictJson, readJsonBytes } from "./strictJson.ts";
import {
  checkCoverage,
  missingTensor,
  type StoredDType,
  storedBytes,
  storedLayout,
  type TensorFile,
  type TensorInfo,
} from "./tensorFile.ts";

/** The reference implementation's cap. */
export const MAX_HEADER_BYTES = 100_000_000;

const METADATA = "__metadata__";

const DTYPES: ReadonlyMap<string, StoredDType> = new Map<string, StoredDType>([
  ["F64", "f64"],
  ["F32", "f32"],
  ["F16", "f16"],
  ["BF16", "bf16"],
  ["F8_E4M3", "f8_e4m3"],
  ["F8_E5M2", "f8_e5m2"],
  ["F8_E8M0", "f8_e8m0"],
  ["F8_E4M3FNUZ", "f8_e4m3fnuz"],
  ["F8_E5M2FNUZ", "f8_e5m2fnuz"],
  ["F6_E2M3", "f6_e2m3"],
  ["F6_E3M2", "f6_e3m2"],
  ["F4", "f4"],
  ["C64", "c64"],
  ["I64", "i64"],
  ["I32", "i32"],
  ["I16", "i16"],
  ["I8", "i8"],
  ["U64", "u64"],
  ["U32", "u32"],
  ["U16", "u16"],
  ["U8", "u8"],
  ["BOOL", "bool"],
]);

type Json = Readonly<Record<string, unknown>>;

export function isRecord(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads the header and checks everything it says against the source's size; tensors are read later, each on its own. Owns
 * the source: an error closes it. @throws FormatError for anything damaged or hostile.
 */
export async function openSafetensors(source: ByteSource, signal?: AbortSignal): Promise<TensorFile> {
  try {
    return await open(source, signal);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function open(source: ByteSource, signal?: AbortSignal): Promise<TensorFile> {
  const where = source.name;
  const headerBytes = await readHeader(source, signal);
  const header = parseStrictJson(headerBytes, `${where}: header`, true);
  // the format asks for "{" as the first byte; JSON.parse would take spaces
  if (headerBytes[0] !== 0x7b || !isRecord(header)) throw new FormatError(`${where}: the header is not a JSON object`);
  const dataStart = 8 + headerBytes.length;
  const tensors = new Map<string, TensorInfo>();
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, entry] of Object.entries(header)) {
    if (name === METADATA) metadata = parseMetadata(where, entry);
    else tensors.set(name, parseTensor(where, name, entry, dataStart, source.sizeBytes));
  }
  checkCoverage(where, tensors.values(), {
    startBytes: dataStart,
    endBytes: source.sizeBytes,
    gapBytes: 0,
    tailBytes: 0,
  });
  return {
    name: where,
    tensors,
    metadata,
    headerBytes,
    async read(name, signal, scratch) {
      const info = tensors.get(name);
      if (!info) throw missingTensor(where, name);
      return source.read(info.offsetBytes, info.bytes, signal, scratch);
    },
    close: () => source.close(),
  };
}

async function readHeader(source: ByteSource, signal?: AbortSignal): Promise<Uint8Array> {
  const { name, sizeBytes } = source;
  if (sizeBytes < 8)
    throw new FormatError(
      `${name} has ${sizeBytes} bytes, too few for a safetensors header`,
      "the file is truncated; fetch it again",
    );
  const prefix = await source.read(0, 8, signal);
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(sizeBytes - 8))
    throw new FormatError(
      `${name}: its first 8 bytes announce a header of ${length} bytes, the file has ${sizeBytes}`,
      "this is no safetensors file, or it is truncated",
    );
  if (length > BigInt(MAX_HEADER_BYTES))
    throw new FormatError(
      `${name}: header of ${length} bytes, at most ${MAX_HEADER_BYTES} are read`,
      "this is no safetensors file",
    );
  return readJsonBytes(source, 8, Number(length), `${name}: header`, signal);
}

function parseTensor(where: string, name: string, entry: unknown, dataStart: number, sizeBytes: number): TensorInfo {
  const at = `${where}: tensor ${quoted(name)}`;
  if (!isRecord(entry)) throw new FormatError(`${at} is not described by an object`);
  const dtype = typeof entry.dtype === "string" ? DTYPES.get(entry.dtype) : undefined;
  if (!dtype)
    throw new FormatError(`${at} has the dtype ${shown(entry.dtype)}`, `known: ${[...DTYPES.keys()].join(", ")}`);
  if (!Array.isArray(entry.shape)) throw new FormatError(`${at} has no shape`);
  const offsets = entry.data_offsets;
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every((o) => Number.isSafeInteger(o) && o >= 0))
    throw new FormatError(`${at} has the data_offsets ${shown(offsets)}`, "expected two byte offsets below 2^53");
  const [from, to] = offsets as [number, number];
  const shape = entry.shape as Shape;
  const bytes = storedBytes(at, dtype, shape);
  if (to - from !== bytes)
    throw new FormatError(`${at}: ${dtype} [${shape}] takes ${bytes} bytes, its offsets span ${to - from}`);
  if (to > sizeBytes - dataStart)
    throw new FormatError(
      `${at} ends ${to} bytes into the data, of which the file has ${sizeBytes - dataStart}`,
      "the file is truncated; fetch it again",
    );
  return { name, dtype, shape, offsetBytes: dataStart + from, bytes };
}

function parseMetadata(where: string, value: unknown): ReadonlyMap<string, string> {
  if (!isRecord(value)) throw new FormatError(`${where}: ${METADATA} is not an object`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new FormatError(`${where}: ${METADATA} ${quoted(key)} is not a string`);
  }
  return new Map(Object.entries(value) as [string, string][]);
}

export interface TensorToWrite {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: Shape;
  /** Little endian, row-major. */
  readonly bytes: Uint8Array;
}

/**
 * The bytes of a safetensors file, equal for equal content: widest types first, then by name, so that every tensor lies on
 * its alignment. @throws FormatError for names or metadata that are no text, a type that safetensors has not, a wrong size.
 */
export function writeSafetensors(
  tensors: readonly TensorToWrite[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const dtypes = new Map(tensors.map((t) => [t, storedName(t)]));
  const ordered = [...tensors].sort((a, b) => width(b) - width(a) || (a.name < b.name ? -1 : 1));
  const entries: [string, unknown][] = metadata ? [[METADATA, sortedMetadata(metadata)]] : [];
  let dataBytes = 0;
  for (const t of ordered) {
    const end = dataBytes + t.bytes.byteLength;
    entries.push([t.name, { dtype: dtypes.get(t), shape: t.shape, data_offsets: [dataBytes, end] }]);
    dataBytes = end;
  }
  const header = Object.fromEntries(entries);
  if (Object.keys(header).length !== entries.length)
    throw new FormatError("writing safetensors: two tensors have the same name");
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(8 + padded + dataBytes).fill(0x20, 8, 8 + padded);
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true);
  out.set(json, 8);
  let at = 8 + padded;
  for (const t of ordered) {
    out.set(t.bytes, at);
    at += t.bytes.byteLength;
  }
  return out;
}

/** Bytes of an element. */
function width(t: TensorToWrite): number {
  const { elems, bytes } = storedLayout(t.dtype);
  return bytes / elems;
}

/** The format's name of the type of a tensor that may be written. */
function storedName(t: TensorToWrite): string {
  const at = `writing tensor ${quoted(t.name)}`;
  if (t.name === METADATA || !t.name.isWellFormed()) throw new FormatError(`${at}: no tensor may have this name`);
  const stored = [...DTYPES].find(([, dtype]) => dtype === t.dtype)?.[0];
  if (!stored) throw new FormatError(`${at}: safetensors has no type for ${t.dtype}`);
  const expected = storedBytes(at, t.dtype, t.shape);
  if (t.bytes.byteLength !== expected)
    throw new FormatError(`${at}: ${t.dtype} [${t.shape}] takes ${expected} bytes, got ${t.bytes.byteLength}`);
  return stored;
}

function sortedMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  for (const [key, text] of Object.entries(metadata)) {
    if (typeof text !== "string" || !text.isWellFormed() || !key.isWellFormed())
      throw new FormatError(`writing safetensors: metadata ${quoted(key)} is not text`);
  }
  return Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)));
}
