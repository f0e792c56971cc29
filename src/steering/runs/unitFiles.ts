/**
 * A unit on the disk: one Parquet part a layer, the vectors, and `_unit.json`, which is written last and makes the unit count as
 * finished. Killed at any moment, a unit is either finished or done anew. Knows one unit's folder.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FormatError } from "../../tensor/errors.ts";
import type { Measure, UnitResult } from "../study/result.ts";
import { SteeringVector, type VectorMeta, VectorSet } from "../vector.ts";
import { vectorsToBytes } from "../vectorFile.ts";
import { makeFolder, syncFolder, writeDurable } from "./durable.ts";
import { itemsOf, MEASURE_COLUMNS, partBytes, REMEDY, type ReadPart, readPart } from "./part.ts";
import { type PlannedUnit, segment } from "./plan.ts";

/** Readers of whole folders (pyarrow, R's arrow) pass over names that begin with _ or a dot. */
const UNIT_FILE = "_unit.json";
const UNIT_SCHEMA = 2;

/** What `_unit.json` says. */
export interface UnitFile
  extends Pick<
    UnitResult,
    | "model"
    | "dataset"
    | "format"
    | "setting"
    | "seed"
    | "operator"
    | "skip"
    | "trainItems"
    | "layers"
    | "multipliers"
    | "vectors"
  > {
  readonly schema: number;
  readonly configHash: string;
  readonly items: number;
  readonly measures: readonly Measure[];
  readonly rows: number;
  readonly parts: readonly { readonly file: string; readonly bytes: number; readonly sha256: string }[];
  readonly vectorFiles: readonly string[];
  readonly device: string;
  readonly trimtab: string;
  readonly finishedAt: string;
  readonly elapsedMs: number;
}

/** How the unit came to be. */
export interface UnitFacts extends Pick<UnitFile, "configHash" | "device" | "trimtab" | "elapsedMs"> {
  readonly modelSha256: string;
}

/** Writes parts, vectors, then the mark of completion. The result's names are the plan's. */
export async function writeUnit(
  root: string,
  unit: PlannedUnit,
  result: UnitResult,
  facts: UnitFacts,
): Promise<UnitFile> {
  const { model, dataset, format, setting, seed, id } = unit;
  const named: UnitResult = { ...result, model, dataset, format, setting, seed };
  const folder = await makeFolder(root, join("cells", id));
  const writePart = async (layer: number, l: number): Promise<UnitFile["parts"][number]> => {
    const bytes = partBytes(named, l, { configHash: facts.configHash, unit: id });
    const file = `layer-${String(layer).padStart(2, "0")}.parquet`;
    await writeDurable(join(folder, file), bytes);
    return { file, bytes: bytes.length, sha256: sha256(bytes) };
  };
  // together, since a disk serves many fsyncs at the price of one
  const parts = await Promise.all(named.layers.map(writePart));
  const vectorFiles = await writeVectors(root, id, named, facts);
  await syncFolder(folder);
  const { operator, skip, trainItems, layers, multipliers, vectors, items, propensities } = named;
  const { configHash, device, trimtab, elapsedMs } = facts;
  const file: UnitFile = {
    schema: UNIT_SCHEMA,
    ...{ model, dataset, format, setting, seed, operator, skip, trainItems, layers, multipliers, vectors },
    items: items.length,
    measures: Object.keys(propensities) as Measure[],
    rows: vectors.length * layers.length * items.length * multipliers.length,
    parts,
    vectorFiles,
    ...{ configHash, device, trimtab, elapsedMs },
    finishedAt: new Date().toISOString(),
  };
  await writeDurable(join(folder, UNIT_FILE), `${JSON.stringify(file, null, 1)}\n`);
  await syncFolder(folder);
  return file;
}

/** `vectors/<unit>/<vector>.safetensors`, all layers in one file. */
async function writeVectors(root: string, id: string, r: UnitResult, facts: UnitFacts): Promise<string[]> {
  if (!r.directions) return [];
  const path = join("vectors", id);
  const folder = await makeFolder(root, path);
  const write = async (name: string, v: number): Promise<string> => {
    const meta: VectorMeta = {
      model: r.model,
      modelSha256: facts.modelSha256,
      method: `${name} of ${r.dataset}, seed ${r.seed}`,
      read: "first differing token",
      pairs: 0,
      createdBy: `trimtab ${facts.trimtab}`,
    };
    const vectors = r.layers.map(
      (layer, l) => new SteeringVector(`blocks.${layer}.hook_resid_post`, r.directions![v]![l]!, meta),
    );
    const file = `${segment(name)}.safetensors`;
    await writeDurable(join(folder, file), vectorsToBytes(new VectorSet(vectors)));
    return `${path}/${file}`;
  };
  const files = await Promise.all(r.vectors.map(write));
  await syncFolder(folder);
  return files;
}

export type UnitState =
  | { readonly state: "finished"; readonly file: UnitFile }
  | { readonly state: "missing" }
  | { readonly state: "damaged"; readonly problem: string };

/** Whether the unit is finished; with `deep`, every part is read and its hash compared, else only sizes. */
export async function unitState(root: string, unit: PlannedUnit, deep: boolean): Promise<UnitState> {
  const folder = join(root, "cells", unit.id);
  let file: UnitFile;
  try {
    file = JSON.parse(await readFile(join(folder, UNIT_FILE), "utf8")) as UnitFile;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { state: "missing" };
    return { state: "damaged", problem: `${unit.id}/${UNIT_FILE} is not readable` };
  }
  if (file.schema !== UNIT_SCHEMA) return { state: "damaged", problem: `${unit.id}/${UNIT_FILE}: another schema` };
  if (!deep) return { state: "finished", file };
  for (const part of file.parts) {
    const bytes = await readFile(join(folder, part.file)).catch(() => undefined);
    const name = `${unit.id}/${part.file}`;
    if (!bytes) return { state: "damaged", problem: `${name} is missing` };
    if (bytes.length !== part.bytes)
      return { state: "damaged", problem: `${name} has ${bytes.length} bytes, was written with ${part.bytes}` };
    if (sha256(bytes) !== part.sha256)
      return { state: "damaged", problem: `${name} has other content than was written` };
  }
  return { state: "finished", file };
}

/** The unit as it was computed, but for `directions`. @throws FormatError naming a part that is damaged. */
export async function readUnit(root: string, unit: PlannedUnit, file: UnitFile): Promise<UnitResult> {
  const { layers, multipliers, vectors, measures } = file;
  const [V, I, M] = [vectors.length, file.items, multipliers.length];
  const norms = new Float64Array(V * layers.length);
  const tables = measures.map((m) => [m, new Float64Array(V * layers.length * I * M)] as const);
  let items: UnitResult["items"] = [];
  for (const [l, { file: name, sha256: hash }] of file.parts.entries()) {
    const where = `cells/${unit.id}/${name}`;
    const bytes = await readFile(join(root, where));
    if (sha256(bytes) !== hash) throw new FormatError(`${where} has other content than was written`, REMEDY);
    const part = await readPart(bytes, where);
    checkAxes(part, file, layers[l]!, where);
    if (l === 0) items = itemsOf(part, I, M);
    for (let v = 0; v < V; v++) norms[v * layers.length + l] = part.columns.get("norm")![v * I * M] as number;
    for (const [measure, table] of tables) {
      const column = part.columns.get(MEASURE_COLUMNS[measure])! as ArrayLike<number>;
      for (let v = 0; v < V; v++)
        for (let k = 0; k < I * M; k++) table[(v * layers.length + l) * I * M + k] = column[v * I * M + k]!;
    }
  }
  const { model, dataset, format, setting, seed, operator, skip, trainItems } = file;
  const key = { model, dataset, format, setting, seed };
  return {
    ...key,
    operator,
    skip,
    trainItems,
    layers,
    multipliers,
    vectors,
    items,
    norms,
    propensities: Object.fromEntries(tables),
  };
}

function checkAxes(part: ReadPart, { vectors, multipliers, items }: UnitFile, layer: number, where: string): void {
  const [V, I, M] = [vectors.length, items, multipliers.length];
  if (part.rows !== V * I * M) throw new FormatError(`${where} has ${part.rows} rows, expected ${V * I * M}`, REMEDY);
  const [vector, multiplier, layers] = ["vector", "multiplier", "layer"].map((name) => part.columns.get(name)!);
  for (let row = 0; row < part.rows; row++) {
    const ok =
      vector![row] === vectors[Math.floor(row / (I * M))] &&
      Object.is(multiplier![row], multipliers[row % M]) &&
      layers![row] === layer;
    if (!ok) throw new FormatError(`${where}: row ${row} is out of order`, REMEDY);
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
