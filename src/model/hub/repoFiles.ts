/**
 * Which files of a hub repository make a model: a folder of safetensors with its configuration, or one .gguf file. Knows
 * file names; asks the cache first and the hub where the cache cannot answer.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FormatError, InputError, TrimtabError } from "../../tensor/errors.ts";
import { isPlainPath, RepoCache } from "./cacheDir.ts";
import { downloadFile, downloadFiles, type RepoInfo, repoInfo } from "./client.ts";
import type { HubOptions } from "./connection.ts";

export interface ResolvedFiles {
  readonly kind: "gguf" | "folder";
  readonly path: string;
}

/** Files that loading reads, beside the weights. */
const SMALL_FILES = [
  "config.json",
  "generation_config.json",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
];
const WEIGHTS = "model.safetensors";
const INDEX = "model.safetensors.index.json";

const isGguf = (file: string): boolean => /\.gguf$/i.test(file);

/**
 * The model of a repository; `pick` is a file, or a part of one's name such as Q4_K_M.
 * @throws InputError E_OPTION where several fit; TrimtabError E_HUB_NOT_FOUND with what is there, and the hub's errors.
 */
export async function fromRepo(
  repo: string,
  pick: string | undefined,
  revision: string,
  o: HubOptions,
): Promise<ResolvedFiles> {
  if (pick !== undefined && isGguf(pick))
    return { kind: "gguf", path: await downloadFile({ repo, file: pick, revision }, o) };
  const cache = new RepoCache(repo, o.env ?? process.env);
  const local = await fromCache(cache, pick, revision);
  if (local?.certain) return local.model;
  let info: RepoInfo;
  try {
    info = await repoInfo(repo, revision, o);
  } catch (error) {
    const code = error instanceof TrimtabError ? error.code : undefined;
    if (code !== "E_HUB" && code !== "E_HUB_OFFLINE") throw error;
    if (local) return local.model;
    const ggufs = (await cache.files(revision)).filter(isGguf);
    if (ggufs.length > 0) chooseGguf(repo, ggufs, pick, "the cache has");
    throw error;
  }
  if (pick === undefined && info.files.includes("config.json") && hasWeights(info.files))
    return { kind: "folder", path: await downloadFolder(repo, revision, info, o) };
  const file = chooseGguf(repo, info.files.filter(isGguf), pick, "it has");
  return { kind: "gguf", path: join(await downloadFiles(repo, revision, info.commit, [file], o), file) };
}

function hasWeights(files: readonly string[]): boolean {
  return files.includes(WEIGHTS) || files.includes(INDEX);
}

/** Weights last: where they are, the rest is. */
async function downloadFolder(repo: string, revision: string, info: RepoInfo, o: HubOptions): Promise<string> {
  const fetch = (files: readonly string[]): Promise<string> => downloadFiles(repo, revision, info.commit, files, o);
  const small = SMALL_FILES.filter((file) => info.files.includes(file));
  if (!info.files.includes(INDEX)) return fetch([...small, WEIGHTS]);
  const folder = await fetch([...small, INDEX]);
  return fetch(await shardsOf(folder));
}

/** @throws FormatError */
async function shardsOf(folder: string): Promise<string[]> {
  const path = join(folder, INDEX);
  let map: unknown;
  try {
    map = (JSON.parse(await readFile(path, "utf8")) as { weight_map?: unknown } | null)?.weight_map;
  } catch (cause) {
    throw new FormatError(`${path} is not JSON`, "delete it and pull the model again", { cause });
  }
  const shards = [...new Set(Object.values(map ?? {}))];
  if (shards.length > 0 && shards.every(isPlainPath)) return shards.sort();
  throw new FormatError(`${path} names no files beside it`, "expected a weight_map of file names");
}

/** One that fits; of several, the one in whose name `pick` stands as a word of its own. */
function chooseGguf(repo: string, ggufs: readonly string[], pick: string | undefined, where: string): string {
  const fitting = ggufs.filter((file) => pick === undefined || file.toLowerCase().includes(pick.toLowerCase()));
  const exact = fitting.filter((file) => holdsWord(file, pick));
  const chosen = exact.length === 1 ? exact : fitting;
  if (chosen.length === 1) return chosen[0]!;
  if (chosen.length > 1)
    throw new InputError(
      "E_OPTION",
      `${repo}${pick ? `:${pick}` : ""} could be ${chosen.length} files: ${chosen.join(", ")}`,
      `name one, as in ${repo}:${chosen[0]}`,
    );
  throw new TrimtabError(
    "E_HUB_NOT_FOUND",
    `${repo} has no ${pick ? `"${pick}" ` : ""}model file`,
    ggufs.length > 0
      ? `${where}: ${ggufs.join(", ")}`
      : `${where} neither config.json with ${WEIGHTS} or its index, nor a .gguf file`,
  );
}

/** Q4_K is a word of m-Q4_K.gguf, and not of m-Q4_K_M.gguf. */
function holdsWord(file: string, pick: string | undefined): boolean {
  if (pick === undefined) return false;
  const literal = pick.replace(/[.\\]/g, "\\$&");
  return new RegExp(`(^|[^A-Za-z0-9_])${literal}([^A-Za-z0-9_]|$)`, "i").test(file);
}

/**
 * What the cache alone says. Certain, so that the hub is not asked: a folder with its weights and tokenizer, and the one
 * .gguf file that was fetched and whose name has the asked-for word.
 */
async function fromCache(
  cache: RepoCache,
  pick: string | undefined,
  revision: string,
): Promise<{ model: ResolvedFiles; certain: boolean } | undefined> {
  const commit = await cache.commitOf(revision);
  if (commit === undefined) return undefined;
  const folder = cache.snapshot(commit);
  const files = await cache.files(revision);
  if (pick === undefined && files.includes("config.json") && (await hasAllWeights(folder, files)))
    return { model: { kind: "folder", path: folder }, certain: files.includes("tokenizer.json") };
  const ggufs = files.filter(isGguf).filter((f) => pick === undefined || f.toLowerCase().includes(pick.toLowerCase()));
  const words = ggufs.filter((file) => holdsWord(file, pick));
  const [file, ...others] = words.length === 1 ? words : ggufs;
  if (file === undefined || others.length > 0) return undefined;
  return { model: { kind: "gguf", path: join(folder, file) }, certain: pick === undefined || words.length === 1 };
}

async function hasAllWeights(folder: string, files: readonly string[]): Promise<boolean> {
  if (!files.includes(INDEX)) return files.includes(WEIGHTS);
  const shards = await shardsOf(folder).catch(() => undefined);
  return shards?.every((shard) => files.includes(shard)) ?? false;
}
