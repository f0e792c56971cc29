/**
 * Who works on which unit: one file a unit, made by whoever comes first, so that the folder is the queue of workers on one
 * machine or on several with a shared disk. Claims save work and guard nothing: two processes on one unit write the same files.
 */
import { createHash } from "node:crypto";
import { link, mkdir, readdir, readFile, stat, unlink, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { isAlive, temporaryName } from "./durable.ts";

/** A claim is renewed this often while its unit runs. */
const RENEW_MS = 20_000;
/** Not renewed for this long, a claim is void, whoever holds it. */
const STALE_MS = 10 * 60_000;

interface Holder {
  readonly unit: string;
  readonly pid: number;
  readonly host: string;
  readonly since: string;
}

export interface Claim {
  release(): Promise<void>;
}

const own = new Set<string>();

/** The claim, or undefined where another living process holds it. */
export async function claimUnit(root: string, unit: string): Promise<Claim | undefined> {
  const path = await claimPath(root, unit);
  const holder: Holder = { unit, pid: process.pid, host: hostname(), since: new Date().toISOString() };
  for (let attempt = 0; ; attempt++) {
    if (await createWhole(path, JSON.stringify(holder))) break;
    if (attempt > 0 || (await isHeld(path))) return undefined;
    await unlink(path).catch(() => {});
  }
  own.add(path);
  const renewal = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => {}), RENEW_MS);
  renewal.unref();
  return {
    release: async () => {
      clearInterval(renewal);
      own.delete(path);
      await unlink(path).catch(() => {});
    },
  };
}

/** A new file with all of its content at once; false where there is one. */
async function createWhole(path: string, content: string): Promise<boolean> {
  const temporary = temporaryName(path);
  await writeFile(temporary, content);
  try {
    await link(temporary, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code === "EEXIST") throw error;
      // a file system without hard links: a crash within the write leaves a file that says nothing, which `isHeld` calls void
      await writeFile(path, content, { flag: "wx" });
    });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    await unlink(temporary).catch(() => {});
  }
}

/** Removes the claims of dead processes: one that was killed behind its unit's last write leaves a claim that nobody takes up. */
export async function sweepClaims(root: string): Promise<void> {
  const folder = join(root, "claims");
  for (const name of await readdir(folder).catch(() => [])) {
    const path = join(folder, name);
    if (name.endsWith(".json") && !name.startsWith(".") && !(await isHeld(path))) await unlink(path).catch(() => {});
  }
}

/** Whether a living process works on the unit. */
export async function isClaimed(root: string, unit: string): Promise<boolean> {
  return isHeld(await claimPath(root, unit));
}

async function claimPath(root: string, unit: string): Promise<string> {
  const folder = join(root, "claims");
  await mkdir(folder, { recursive: true });
  return join(folder, `${createHash("sha256").update(unit).digest("hex").slice(0, 24)}.json`);
}

async function isHeld(path: string): Promise<boolean> {
  const there = await stat(path).catch(() => undefined);
  if (!there || Date.now() - there.mtimeMs > STALE_MS) return false;
  try {
    const { pid, host } = JSON.parse(await readFile(path, "utf8")) as Holder;
    if (host !== hostname()) return true;
    return pid === process.pid ? own.has(path) : isAlive(pid);
  } catch {
    return false;
  }
}
