/**
 * The models in the Hugging Face cache: which folder that is, and what lies in it that can be run. Reads the cache's layout
 * (models--ORG--NAME/snapshots/COMMIT/files) and changes nothing. Knows no hub.
 */
import { readdir, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";

export interface CachedModel {
  /** What `--model` takes: ORG/NAME, or ORG/NAME:FILE for a .gguf file. */
  readonly name: string;
  readonly commit: string;
  readonly path: string;
  /** Of the weights. */
  readonly bytes: number;
}

/** As Python's huggingface_hub chooses it. */
export function cacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const { HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = env;
  const chosen = HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE;
  if (chosen) return chosen;
  return join(HF_HOME || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"), "hub");
}

/** Models that are there whole, by name. Files whose blob is missing are not listed. */
export async function cachedModels(folder = cacheFolder()): Promise<CachedModel[]> {
  const found: CachedModel[] = [];
  for (const entry of await names(folder)) {
    const [, org, name] = /^models--(.+?)--(.+)$/.exec(entry) ?? [];
    if (!org || !name) continue;
    const snapshots = join(folder, entry, "snapshots");
    for (const commit of await names(snapshots)) {
      found.push(...(await modelsOf(`${org}/${name}`, commit, join(snapshots, commit))));
    }
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

async function modelsOf(repo: string, commit: string, path: string): Promise<CachedModel[]> {
  const sizes = new Map<string, number>();
  for (const name of await names(path)) {
    const bytes = await sizeOf(join(path, name));
    if (bytes !== undefined) sizes.set(name, bytes);
  }
  const ggufs = [...sizes].filter(([name]) => name.endsWith(".gguf"));
  const rows = ggufs.map(([name, bytes]) => ({ name: `${repo}:${name}`, commit, path: join(path, name), bytes }));
  const weights = [...sizes].filter(([name]) => /^model.*\.safetensors$/.test(name));
  if (weights.length === 0 || !sizes.has("config.json")) return rows;
  return [...rows, { name: repo, commit, path, bytes: weights.reduce((sum, [, bytes]) => sum + bytes, 0) }];
}

async function names(folder: string): Promise<string[]> {
  return await readdir(folder).catch(() => []);
}

/** Of the file behind a link; undefined where there is none. */
async function sizeOf(path: string): Promise<number | undefined> {
  const s = await stat(path).catch(() => undefined);
  return s?.isFile() ? s.size : undefined;
}
