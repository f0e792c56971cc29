/**
 * The Hugging Face cache on disk: where it is, and its layout (blobs, refs, snapshots), so that Python and Trimtab share
 * files. Environment variables as in Python's huggingface_hub constants. Knows no network.
 */
import { constants } from "node:fs";
import {
  access,
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, relative } from "node:path";

export type Env = Readonly<Record<string, string | undefined>>;

const isOn = (value: string | undefined): boolean => /^(1|true|yes|on)$/i.test(value ?? "");

function hfHome(env: Env): string {
  return env.HF_HOME ?? join(env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface");
}

/** Folder that holds `models--org--name`. */
export function cacheFolder(env: Env = process.env): string {
  return env.HF_HUB_CACHE ?? env.HUGGINGFACE_HUB_CACHE ?? join(hfHome(env), "hub");
}

export function endpoint(env: Env): string {
  return (env.HF_ENDPOINT ?? "https://huggingface.co").replace(/\/+$/, "");
}

export function isOffline(env: Env): boolean {
  return isOn(env.HF_HUB_OFFLINE) || isOn(env.TRANSFORMERS_OFFLINE);
}

/** The access token, from HF_TOKEN or the file that `hf auth login` writes. */
export async function accessToken(env: Env): Promise<string | undefined> {
  const direct = env.HF_TOKEN ?? env.HUGGING_FACE_HUB_TOKEN;
  if (direct) return direct.trim();
  try {
    return (await readFile(env.HF_TOKEN_PATH ?? join(hfHome(env), "token"), "utf8")).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** Paths of one repository in the cache. */
export class RepoCache {
  readonly folder: string;

  constructor(repo: string, env: Env) {
    this.folder = join(cacheFolder(env), `models--${repo.replaceAll("/", "--")}`);
  }

  blob(etag: string): string {
    return join(this.folder, "blobs", etag);
  }

  snapshot(commit: string): string {
    return join(this.folder, "snapshots", commit);
  }

  /** The commit that a branch or tag stood for when it was last fetched; a commit stands for itself. */
  async commitOf(revision: string): Promise<string | undefined> {
    try {
      return (await readFile(join(this.folder, "refs", revision), "utf8")).trim();
    } catch {
      return (await exists(this.snapshot(revision))) ? revision : undefined;
    }
  }

  /** The path of a file of a revision, if it was fetched whole. */
  async find(file: string, revision: string): Promise<string | undefined> {
    const commit = await this.commitOf(revision);
    const path = commit && join(this.snapshot(commit), file);
    return path && (await exists(path)) ? path : undefined;
  }

  /** Makes a finished blob visible as `file` of `revision`. The ref is written last: it says that the rest is there. */
  async publish(blob: string, file: string, revision: string, commit: string): Promise<string> {
    const path = join(this.snapshot(commit), file);
    await mkdir(dirname(path), { recursive: true });
    await rm(path, { force: true });
    try {
      await symlink(relative(dirname(path), blob), path);
    } catch {
      // Windows without the right to make symbolic links
      await link(blob, path).catch(() => copyFile(blob, path));
    }
    if (revision !== commit) {
      const ref = join(this.folder, "refs", revision);
      await mkdir(dirname(ref), { recursive: true });
      const draft = `${ref}.${process.pid}.tmp`;
      await writeFile(draft, commit);
      await rename(draft, ref);
    }
    return path;
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

export interface CachedFile {
  readonly repo: string;
  readonly file: string;
  readonly path: string;
  readonly bytes: number;
}

/** Every file of every model in the cache, one entry a snapshot. */
export async function listCached(env: Env = process.env): Promise<CachedFile[]> {
  const folder = cacheFolder(env);
  const found: CachedFile[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith("models--")) continue;
    const repo = name.slice("models--".length).replaceAll("--", "/");
    const snapshots = join(folder, name, "snapshots");
    for (const commit of await readdir(snapshots).catch(() => [])) {
      for (const file of await readdir(join(snapshots, commit), { recursive: true }).catch(() => [])) {
        const path = join(snapshots, commit, file);
        const facts = await stat(path).catch(() => undefined);
        if (facts?.isFile()) found.push({ repo, file, path, bytes: facts.size });
      }
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
