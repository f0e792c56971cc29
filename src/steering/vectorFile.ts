/**
 * Vector files: safetensors with one tensor `<hook name>/direction` F32 [D] a layer, and how they were made in the metadata.
 * A file names hook points, never bare layers. Knows formats, not models.
 */
import { type ByteSource, bufferSource, fileSource, openSafetensors, writeSafetensors } from "../formats/index.ts";
import type { HookName } from "../model/index.ts";
import { FormatError } from "../tensor/errors.ts";
import { SteeringVector, type VectorMeta, VectorSet } from "./vector.ts";

const FORMAT = "trimtab-vectors";
const FORMAT_VERSION = "1";
const ROLE = "/direction";

/** The bytes of a vector file. */
export function vectorsToBytes(set: VectorSet): Uint8Array {
  const { meta } = set;
  if (!meta) throw new FormatError("a vector file needs at least one vector");
  const tensors = set.vectors.map(({ hook, vector }) => ({
    name: `${hook}${ROLE}`,
    dtype: "f32" as const,
    shape: [vector.length],
    bytes: new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength),
  }));
  const norms = Object.fromEntries(
    set.vectors.flatMap((v) => (v.residualNorm === undefined ? [] : [[v.hook, v.residualNorm]])),
  );
  return writeSafetensors(tensors, {
    format: FORMAT,
    format_version: FORMAT_VERSION,
    model_id: meta.model,
    model_sha256: meta.modelSha256,
    d_model: String(set.vectors[0]!.vector.length),
    method: meta.method,
    read_position: meta.read,
    n_pairs: String(meta.pairs),
    residual_norms: JSON.stringify(norms),
    created_by: meta.createdBy,
  });
}

/** @throws FormatError for a file that is damaged or holds no vectors. */
export async function vectorsFromBytes(bytes: Uint8Array, name: string): Promise<VectorSet> {
  return readVectors(bufferSource(bytes, name));
}

/** Writes a vector file (Node). */
export async function saveVectors(path: string, set: VectorSet): Promise<void> {
  const { writeFile } = await import("node:fs/promises");
  await writeFile(path, vectorsToBytes(set));
}

/** Reads a vector file (Node). @throws FormatError; the file system's error where there is none. */
export async function loadVectors(path: string): Promise<VectorSet> {
  return readVectors(await fileSource(path));
}

async function readVectors(source: ByteSource): Promise<VectorSet> {
  try {
    const file = await openSafetensors(source);
    const facts = file.metadata as ReadonlyMap<string, string>;
    if (facts.get("format") === FORMAT && facts.get("format_version") !== FORMAT_VERSION) {
      throw new FormatError(
        `${source.name}: vector format version ${facts.get("format_version")}, this program reads ${FORMAT_VERSION}`,
        "update trimtab",
      );
    }
    const meta: VectorMeta = {
      model: facts.get("model_id") ?? "unknown",
      modelSha256: facts.get("model_sha256") ?? "",
      method: facts.get("method") ?? "unknown",
      read: facts.get("read_position") ?? "unknown",
      pairs: Number(facts.get("n_pairs") ?? 0),
      createdBy: facts.get("created_by") ?? "unknown",
    };
    const norms = parseNorms(facts.get("residual_norms"), source.name);
    const vectors: SteeringVector[] = [];
    for (const { name, dtype, shape } of file.tensors.values()) {
      if (!name.endsWith(ROLE)) continue;
      if (dtype !== "f32" || shape.length !== 1)
        throw new FormatError(`${source.name}: "${name}" is ${dtype} [${shape}], expected f32 [D]`);
      const bytes = await file.read(name);
      const vector = new Float32Array(bytes.slice().buffer);
      if (vectors.length && vectors[0]!.vector.length !== vector.length) {
        throw new FormatError(
          `${source.name}: "${name}" has ${vector.length} elements, an earlier vector ${vectors[0]!.vector.length}`,
        );
      }
      const hook = name.slice(0, -ROLE.length) as HookName;
      vectors.push(new SteeringVector(hook, vector, meta, norms[hook]));
    }
    if (vectors.length === 0)
      throw new FormatError(
        `${source.name} holds no steering vectors`,
        `tensors are named like "blocks.14.hook_resid_post${ROLE}"`,
      );
    return new VectorSet(vectors);
  } finally {
    await source.close();
  }
}

function parseNorms(text: string | undefined, where: string): Record<string, number> {
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Record<string, number>;
  } catch (cause) {
    throw new FormatError(`${where}: residual_norms is not valid JSON`, undefined, { cause });
  }
}
