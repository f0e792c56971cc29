/**
 * Sharded safetensors: model.safetensors.index.json and the files it names, presented as one TensorFile. Index and shards
 * must agree exactly, and a shard is a plain file name. How a name becomes a source is the caller's business.
 */
import { FormatError } from "../tensor/errors.ts";
import { quoted, shown } from "./quoted.ts";
import { isRecord, MAX_HEADER_BYTES, openSafetensors } from "./safetensors.ts";
import type { ByteSource } from "./source.ts";
import { parseStrictJson, readJsonBytes } from "./strictJson.ts";
import { missingTensor, type TensorFile, type TensorInfo } from "./tensorFile.ts";

/** Letters, digits, `_`, `-` and single dots inside: no separators, no escapes, no `..`, nothing hidden. */
const SHARD_NAME = /^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;
const MAX_SHARD_NAME = 255;

/**
 * Reads and closes the index, opens every shard. `headerBytes` is the header of the first shard by name.
 * @throws FormatError for anything damaged or hostile, with all shards closed again; what `openShard` throws.
 */
export async function openSafetensorsShards(
  index: ByteSource,
  openShard: (fileName: string) => Promise<ByteSource>,
  signal?: AbortSignal,
): Promise<TensorFile> {
  const weightMap = await readIndex(index, signal);
  const shards = new Map<string, TensorFile>();
  try {
    for (const shard of [...new Set(weightMap.values())].sort()) {
      shards.set(shard, await openSafetensors(await openShard(shard), signal));
    }
    return merge(index.name, weightMap, shards);
  } catch (error) {
    for (const file of shards.values()) await file.close();
    throw error;
  }
}

/** Shard by tensor name. */
async function readIndex(index: ByteSource, signal?: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const where = index.name;
  try {
    if (index.sizeBytes > MAX_HEADER_BYTES)
      throw new FormatError(`${where} has ${index.sizeBytes} bytes, at most ${MAX_HEADER_BYTES} are read`);
    const json = parseStrictJson(await readJsonBytes(index, 0, index.sizeBytes, where, signal), where);
    const weightMap = isRecord(json) ? json.weight_map : undefined;
    if (!isRecord(weightMap))
      throw new FormatError(`${where} has no weight_map`, "expected a model.safetensors.index.json");
    const entries = Object.entries(weightMap);
    if (entries.length === 0) throw new FormatError(`${where}: its weight_map is empty`);
    for (const [, shard] of entries) checkShardName(where, shard);
    return new Map(entries as [string, string][]);
  } finally {
    await index.close();
  }
}

function checkShardName(where: string, shard: unknown): void {
  if (typeof shard === "string" && shard.length <= MAX_SHARD_NAME && SHARD_NAME.test(shard)) return;
  throw new FormatError(
    `${where} names the shard ${shown(shard)}`,
    "a shard is a plain file name beside the index, of letters, digits, dots, _ and -",
  );
}

function merge(
  where: string,
  weightMap: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, TensorFile>,
): TensorFile {
  const tensors = new Map<string, TensorInfo>();
  for (const [name, shard] of weightMap) {
    const info = shards.get(shard)!.tensors.get(name);
    if (!info) throw new FormatError(`${where} places tensor ${quoted(name)} in ${shard}, which does not have it`);
    tensors.set(name, info);
  }
  for (const [shard, file] of shards) {
    for (const name of file.tensors.keys()) {
      if (weightMap.get(name) !== shard)
        throw new FormatError(`${shard} holds tensor ${quoted(name)}, which ${where} does not place there`);
    }
  }
  const [first] = shards.values();
  return {
    name: where,
    tensors,
    metadata: first!.metadata,
    headerBytes: first!.headerBytes,
    async read(name, signal, scratch) {
      const shard = weightMap.get(name);
      if (shard === undefined) throw missingTensor(where, name);
      return shards.get(shard)!.read(name, signal, scratch);
    },
    async close() {
      for (const file of shards.values()) await file.close();
    },
  };
}
