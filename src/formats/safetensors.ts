/**
 * safetensors: reading (single files and sharded indexes, one tensor at a time) and writing. Layout: u64 header length, JSON
 * header, data; the data must be covered exactly. Tensors that do not start on their own alignment are valid.
 * Format: github.com/huggingface/safetensors README.
 */
import { FormatError } from "../tensor/errors.ts";
import type { Shape } from "../tensor/shape.ts";
import type { ByteSource } from "./source.ts";
import { parseStrictJson } from "./strictJson.ts";
import {
  checkCoverage,
  missingTensor,
  type StoredDType,
  storedBytes,
  type TensorFile,
  type TensorInfo,
} from "./tensorFile.ts";

/** The reference implementation's cap. */
const MAX_HEADER_BYTES = 100_000_000;

const DTYPES: Readonly<Record<string, StoredDType>> = {
  F64: "f64",
  F32: "f32",
  F16: "f16",
  BF16: "bf16",
  I64: "i64",
  I32: "i32",
  I16: "i16",
  I8: "i8",
  U64: "u64",
  U32: "u32",
  U16: "u16",
  U8: "u8",
  BOOL: "bool",
  F8_E4M3: "f8_e4m3",
  F8_E5M2: "f8_e5m2",
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Reads the header. @throws FormatError for anything damaged or hostile, before the data is touched. */
export async function openSafetensors(source: ByteSource, signal?: AbortSignal): Promise<TensorFile> {
  const where = source.name;
  if (source.sizeBytes < 8)
    throw new FormatError(
      `${where} has ${source.sizeBytes} bytes, too few for a safetensors header`,
      "the file is truncated; fetch it again",
    );
  const length = new DataView((await source.read(0, 8, signal)).slice().buffer).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES) || length > BigInt(source.sizeBytes - 8)) {
    throw new FormatError(
      `${where}: header of ${length} bytes in a file of ${source.sizeBytes}`,
      "this is no safetensors file, or it is truncated",
    );
  }
  const headerBytes = await source.read(8, Number(length), signal);
  const header = parseStrictJson(headerBytes, `${where}: header`);
  if (!isRecord(header)) throw new FormatError(`${where}: the header is not a JSON object`);
  const dataStart = 8 + Number(length);
  const tensors = new Map<string, TensorInfo>();
  for (const [name, entry] of Object.entries(header)) {
    if (name !== "__metadata__") tensors.set(name, parseTensor(where, name, entry, dataStart, source.sizeBytes));
  }
  checkCoverage(where, tensors.values(), dataStart, source.sizeBytes, 0);
  return {
    name: where,
    tensors,
    metadata: parseMetadata(where, header.__metadata__),
    headerBytes,
    read(name, signal) {
      const info = tensors.get(name);
      if (!info) throw missingTensor(where, name);
      return source.read(info.offsetBytes, info.bytes, signal);
    },
    close: () => source.close(),
  };
}

function parseTensor(where: string, name: string, entry: unknown, dataStart: number, sizeBytes: number): TensorInfo {
  const at = `${where}: tensor "${name}"`;
  if (!isRecord(entry)) throw new FormatError(`${at} is not described by an object`);
  const dtype =
    typeof entry.dtype === "string" && Object.hasOwn(DTYPES, entry.dtype) ? DTYPES[entry.dtype]! : undefined;
  if (!dtype)
    throw new FormatError(
      `${at} has the dtype ${JSON.stringify(entry.dtype)}`,
      `known: ${Object.keys(DTYPES).join(", ")}`,
    );
  if (!Array.isArray(entry.shape)) throw new FormatError(`${at} has no shape`);
  const offsets = entry.data_offsets;
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every((o) => Number.isSafeInteger(o) && o >= 0)) {
    throw new FormatError(
      `${at} has the data_offsets ${JSON.stringify(offsets)?.slice(0, 100)}`,
      "expected two byte offsets",
    );
  }
  const [from, to] = offsets as [number, number];
  const bytes = storedBytes(at, dtype, entry.shape as Shape);
  if (to - from !== bytes)
    throw new FormatError(`${at}: ${dtype} [${entry.shape}] takes ${bytes} bytes, its offsets span ${to - from}`);
  if (dataStart + to > sizeBytes)
    throw new FormatError(
      `${at} ends at byte ${dataStart + to}, the file at ${sizeBytes}`,
      "the file is truncated; fetch it again",
    );
  return { name, dtype, shape: entry.shape as Shape, offsetBytes: dataStart + from, bytes };
}

function parseMetadata(where: string, value: unknown): ReadonlyMap<string, string> {
  if (value === undefined) return new Map();
  if (!isRecord(value)) throw new FormatError(`${where}: __metadata__ is not an object`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") throw new FormatError(`${where}: __metadata__ "${key}" is not a string`);
  }
  return new Map(Object.entries(value) as [string, string][]);
}

/**
 * A sharded model by its `model.safetensors.index.json`. `openShard` is asked for plain file names only.
 * @throws FormatError for names that leave the folder, and where index and shards disagree.
 */
export async function openSafetensorsShards(
  index: ByteSource,
  openShard: (fileName: string) => Promise<ByteSource>,
  signal?: AbortSignal,
): Promise<TensorFile> {
  const where = index.name;
  if (index.sizeBytes > MAX_HEADER_BYTES)
    throw new FormatError(`${where} has ${index.sizeBytes} bytes, at most ${MAX_HEADER_BYTES} are read`);
  const headerBytes = await index.read(0, index.sizeBytes, signal);
  await index.close();
  const json = parseStrictJson(headerBytes, where);
  const weightMap = isRecord(json) ? json.weight_map : undefined;
  if (!isRecord(weightMap))
    throw new FormatError(`${where} has no weight_map`, "expected a model.safetensors.index.json");
  const shards = new Map<string, TensorFile>();
  try {
    for (const shard of new Set(Object.values(weightMap))) {
      checkShardName(where, shard);
      shards.set(shard, await openSafetensors(await openShard(shard), signal));
    }
    return mergeShards(where, headerBytes, weightMap as Record<string, string>, shards);
  } catch (error) {
    for (const file of shards.values()) await file.close();
    throw error;
  }
}

function checkShardName(where: string, shard: unknown): asserts shard is string {
  if (typeof shard === "string" && /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(shard) && !shard.includes("..")) return;
  throw new FormatError(
    `${where} names the shard ${JSON.stringify(shard)?.slice(0, 200)}`,
    "a shard is a plain file name beside the index",
  );
}

function mergeShards(
  where: string,
  headerBytes: Uint8Array,
  weightMap: Readonly<Record<string, string>>,
  shards: ReadonlyMap<string, TensorFile>,
): TensorFile {
  const tensors = new Map<string, TensorInfo>();
  for (const [name, shard] of Object.entries(weightMap)) {
    const info = shards.get(shard)!.tensors.get(name);
    if (!info) throw new FormatError(`${where} places tensor "${name}" in ${shard}, which does not have it`);
    tensors.set(name, info);
  }
  for (const [shard, file] of shards) {
    for (const name of file.tensors.keys()) {
      if (weightMap[name] !== shard)
        throw new FormatError(`${shard} holds tensor "${name}", which ${where} does not place there`);
    }
  }
  return {
    name: where,
    tensors,
    metadata: new Map(),
    headerBytes,
    read(name, signal) {
      const shard = Object.hasOwn(weightMap, name) ? shards.get(weightMap[name]!) : undefined;
      if (!shard) throw missingTensor(where, name);
      return shard.read(name, signal);
    },
    async close() {
      for (const file of shards.values()) await file.close();
    },
  };
}

export interface TensorToWrite {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: Shape;
  readonly bytes: Uint8Array;
}

/** A safetensors file: widest types first, then by name, so that every tensor lies on its alignment. */
export function writeSafetensors(
  tensors: readonly TensorToWrite[],
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const names = Object.fromEntries(Object.entries(DTYPES).map(([stored, dtype]) => [dtype, stored]));
  const width = (t: TensorToWrite): number => storedBytes(t.name, t.dtype, [1]);
  for (const t of tensors) {
    if (!names[t.dtype]) throw new FormatError(`writing "${t.name}": safetensors has no type for ${t.dtype}`);
    const expected = storedBytes(`writing "${t.name}"`, t.dtype, t.shape);
    if (t.bytes.byteLength !== expected)
      throw new FormatError(
        `writing "${t.name}": ${t.dtype} [${t.shape}] takes ${expected} bytes, got ${t.bytes.byteLength}`,
      );
  }
  if (new Set(tensors.map((t) => t.name)).size !== tensors.length)
    throw new FormatError("writing safetensors: two tensors have the same name");
  const ordered = [...tensors].sort((a, b) => width(b) - width(a) || (a.name < b.name ? -1 : 1));
  const header: Record<string, unknown> = metadata ? { __metadata__: metadata } : {};
  let at = 0;
  for (const t of ordered) {
    header[t.name] = { dtype: names[t.dtype], shape: t.shape, data_offsets: [at, at + t.bytes.byteLength] };
    at += t.bytes.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(json.length / 8) * 8;
  const out = new Uint8Array(8 + padded + at).fill(0x20, 8, 8 + padded);
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true);
  out.set(json, 8);
  let data = 8 + padded;
  for (const t of ordered) {
    out.set(t.bytes, data);
    data += t.bytes.byteLength;
  }
  return out;
}
