/** Which of the cached files are models, and what `--model` calls them. Knows file names, not the cache's layout. */
import { basename, dirname, sep } from "node:path";
import type { CachedFile } from "../model/hub/index.ts";

export interface CachedModel {
  /** ORG/NAME, or ORG/NAME:FILE for a .gguf file. */
  readonly name: string;
  readonly commit: string;
  readonly path: string;
  /** Of the weights. */
  readonly bytes: number;
}

/** Files .gguf, and folders that have a configuration and safetensors; by name. */
export function modelsAmong(files: readonly CachedFile[]): CachedModel[] {
  const folders = new Map<string, CachedFile[]>();
  for (const file of files) {
    if (file.file.includes(sep)) continue;
    const folder = dirname(file.path);
    folders.set(folder, [...(folders.get(folder) ?? []), file]);
  }
  const models = [...folders].flatMap(([folder, inside]) => [...ggufs(folder, inside), ...wholeFolder(folder, inside)]);
  return models.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function ggufs(folder: string, inside: readonly CachedFile[]): CachedModel[] {
  const commit = basename(folder);
  const found = inside.filter(({ file }) => file.endsWith(".gguf"));
  return found.map(({ repo, file, path, bytes }) => ({ name: `${repo}:${file}`, commit, path, bytes }));
}

function wholeFolder(folder: string, inside: readonly CachedFile[]): CachedModel[] {
  const weights = inside.filter(({ file }) => /^model.*\.safetensors$/.test(file));
  if (weights.length === 0 || !inside.some(({ file }) => file === "config.json")) return [];
  const bytes = weights.reduce((sum, file) => sum + file.bytes, 0);
  return [{ name: weights[0]!.repo, commit: basename(folder), path: folder, bytes }];
}
