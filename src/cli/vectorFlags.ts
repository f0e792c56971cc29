/**
 * `--vector FILE@LAYER:SCALE`: parsing it, reading the files, and picking each one's layer. Knows vector files and the model
 * that they are for, not what is done with them.
 */
import { InvalidArgumentError } from "commander";
import type { AddIntervention, LanguageModel } from "../model/index.ts";
import { loadVectors, type SteeringVector, type VectorSet } from "../steering/index.ts";
import { InputError } from "../tensor/errors.ts";
import { toNumber } from "./values.ts";

export interface VectorFlag {
  readonly file: string;
  /** From FILE@LAYER. */
  readonly layer?: number;
  readonly scale: number;
}

/**
 * Splits at the last colon. What follows is the scale, or, where it looks like a path (a Windows drive's `C:\...`), part of
 * the file name. @throws InvalidArgumentError
 */
export function parseVectorFlag(text: string): VectorFlag {
  const colon = text.lastIndexOf(":");
  const tail = text.slice(colon + 1);
  const scale = toNumber(tail);
  const isPath = /[\\/]|\.safetensors(?:@\d+)?$/.test(tail);
  if (colon >= 0 && scale === undefined && !isPath) {
    throw new InvalidArgumentError(
      `The scale "${tail}" is not a finite number; expected FILE:SCALE such as v.safetensors:1.5.`,
    );
  }
  const hasScale = colon >= 0 && scale !== undefined;
  const name = hasScale ? text.slice(0, colon) : text;
  const match = /^(.*)@(\d+)$/s.exec(name);
  const file = match ? match[1]! : name;
  if (file === "") throw new InvalidArgumentError("There is no file name before the colon; expected FILE:SCALE.");
  return { file, layer: match ? Number(match[2]) : undefined, scale: hasScale ? scale : 1 };
}

/** The vector of the layer that was asked for. @throws InputError E_LAYER listing the file's layers. */
export function pickVector(set: VectorSet, file: string, layer: number | undefined): SteeringVector {
  if (layer === undefined) {
    if (set.vectors.length === 1) return set.vectors[0]!;
    throw new InputError(
      "E_LAYER",
      `${file} has vectors for several layers: ${set.layers.join(", ")}`,
      `choose one with --layer ${set.layers[Math.floor(set.layers.length / 2)]}, or with ${file}@LAYER:SCALE`,
    );
  }
  if (set.layers.includes(layer)) return set.at(layer);
  throw new InputError("E_LAYER", `${file} has no vector for layer ${layer}`, `its layers: ${set.layers.join(", ")}`);
}

/** A vector with its strength; `scale` belongs to the user, so that chat can change it. */
export interface LoadedVector {
  readonly file: string;
  readonly vector: SteeringVector;
  readonly scale: number;
}

/** Reads every file once. A layer in the flag wins over `layer`. @throws FormatError, InputError, the file system's errors. */
export async function readVectors(flags: readonly VectorFlag[], layer: number | undefined): Promise<LoadedVector[]> {
  if (layer !== undefined && flags.length === 0) {
    throw new InputError("E_OPTION", "--layer without --vector", "name a vector file: --vector FILE:SCALE");
  }
  const sets = new Map<string, VectorSet>();
  const loaded: LoadedVector[] = [];
  for (const flag of flags) {
    const set = sets.get(flag.file) ?? (await loadVectors(flag.file));
    sets.set(flag.file, set);
    loaded.push({ file: flag.file, vector: pickVector(set, flag.file, flag.layer ?? layer), scale: flag.scale });
  }
  return loaded;
}

/** @throws InputError where a vector is as long as another model's residual stream. */
export function checkVectors(vectors: readonly LoadedVector[], model: LanguageModel): void {
  const { D, L } = model.config;
  for (const { file, vector } of vectors) {
    if (vector.vector.length !== D) {
      throw new InputError(
        "E_DATA",
        `${file}: its vectors have ${vector.vector.length} elements, the residual stream of ${model.name} has ${D}`,
        `they were made from ${vector.meta.model}; extract them again from this model`,
      );
    }
    if (vector.layer >= L) {
      throw new InputError("E_LAYER", `${file}: layer ${vector.layer}, but ${model.name} has layers 0 to ${L - 1}`);
    }
  }
}

/** Warnings for vectors that were made from other weights. */
export function foreignVectors(vectors: readonly LoadedVector[], model: LanguageModel): string[] {
  return vectors
    .filter(({ vector: { meta } }) => meta.modelSha256 !== "" && meta.modelSha256 !== model.sha256)
    .map(({ file, vector }) => `${file} was made from ${vector.meta.model}, whose weights differ from ${model.name}'s`);
}

export type Positions = "all" | "answer" | "last";

/** What `generate` takes. `strength` multiplies every scale. */
export function toInterventions(
  vectors: readonly LoadedVector[],
  positions: Positions,
  strength = 1,
): readonly AddIntervention[] {
  return vectors.map(({ vector, scale }) => ({
    hook: vector.hook,
    vector: vector.vector,
    scale: scale * strength,
    positions,
  }));
}
