/**
 * The layout of the Hugging Face cache (blobs, refs, snapshots), so that Python and Trimtab share files. What stands under
 * its final name is whole. Knows no network.
 */
import { randomUUID } from "node:crypto";
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
import { dirname, join, relative } from "node:path";
import { InputError } from "../../tensor/errors.ts";
import { cacheFolder, type Env } from "./hubEnv.ts";

/** A relative path that stays in its folder. */
export function isPlainPath(path: unknown): path is string {
  return (
    typeof path === "string" &&
    !path.includes("\\") &&
    !path.includes("\0") &&
    path.split("/").every((part) => part !== "" && part !== "." && part !== "..") &&
    !/^[A-Za-z]:/.test(path)
  );
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
    const ref = await readFile(join(this.folder, "refs", revision), "utf8").catch(() => revision);
    const commit = ref.trim();
    return isPlainPath(commit) && (await exists(this.snapshot(commit))) ? commit : undefined;
  }

  /** The path of a file of a revision, if it was fetched whole. */
  async find(file: string, revision: string): Promise<string | undefined> {
    const commit = await this.commitOf(revision);
    const path = commit && join(this.snapshot(commit), file);
    return path && (await exists(path)) ? path : undefined;
  }

  /** Every file of a revision that is here, with `/` between folders. */
  async files(revision: string): Promise<string[]> {
    const commit = await this.commitOf(revision);
    return commit === undefined ? [] : filesUnder(this.snapshot(commit));
  }

  /** Makes a finished blob visible as `file` of a commit. */
  async place(blob: string, file: string, commit: string): Promise<string> {
    const path = join(this.snapshot(commit), file);
    await intoPlace(path, async (draft) => {
      try {
        await symlink(relative(dirname(path), blob), draft);
      } catch {
        // Windows without the right to make symbolic links
        await link(blob, draft).catch(() => copyFile(blob, draft));
      }
    });
    return path;
  }

  /** Says which commit a branch or tag stands for: written last, when the files are there. */
  async point(revision: string, commit: string): Promise<void> {
    if (revision === commit) return;
    await intoPlace(join(this.folder, "refs", revision), (draft) => writeFile(draft, commit));
  }
}

/** Makes a draft beside `path` and renames it: others see what was there or the whole new thing, never a half or none. */
async function intoPlace(path: string, make: (draft: string) => Promise<void>): Promise<void> {
  const draft = `${path}.${randomUUID().slice(0, 8)}.tmp`;
  await onDisk(path, async () => {
    await mkdir(dirname(path), { recursive: true });
    try {
      await make(draft);
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  });
}

export async function exists(path: string): Promise<boolean> {
  return access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/** Runs what writes to the cache. @throws InputError E_DATA where the disk is full or may not be written. */
export async function onDisk<T>(path: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (cause) {
    const { code, errno, message } = cause as NodeJS.ErrnoException;
    if (errno === undefined) throw cause;
    throw new InputError(
      "E_DATA",
      `${path} cannot be written: ${message}`,
      `${code === "ENOSPC" ? "free some space" : "check the folder's permissions"}, or set HF_HOME to another place`,
      { cause },
    );
  }
}

async function filesUnder(folder: string): Promise<string[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const files: string[] = [];
  for (const name of names) {
    const facts = await stat(join(folder, name)).catch(() => undefined);
    if (facts?.isFile() && !name.endsWith(".tmp")) files.push(name.replaceAll("\\", "/"));
  }
  return files;
}

export interface CachedFile {
  readonly repo: string;
  readonly file: string;
  readonly path: string;
  readonly bytes: number;
}

/** Every file of every model in the cache, one entry a snapshot. */
export async function listCached(env?: Env): Promise<CachedFile[]> {
  const folder = cacheFolder(env);
  const found: CachedFile[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith("models--")) continue;
    const repo = name.slice("models--".length).replaceAll("--", "/");
    const snapshots = join(folder, name, "snapshots");
    for (const commit of await readdir(snapshots).catch(() => [])) {
      for (const file of await filesUnder(join(snapshots, commit))) {
        const path = join(snapshots, commit, file);
        found.push({ repo, file, path, bytes: (await stat(path)).size });
      }
    }
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}
