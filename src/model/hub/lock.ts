/**
 * A lock file, so that two processes do not fetch the same blob. A lock of a process that died is broken: at once where it
 * died on this machine, else when its heartbeat has stopped. Knows files and processes.
 */
import { randomUUID } from "node:crypto";
import { readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { onDisk } from "./cacheDir.ts";
import type { Patience } from "./patience.ts";

const HEARTBEAT_MS = 10_000;
/** No sign of life for this long: dead, or on another machine and dead. */
const SILENT_MS = 60_000;
/** A process of that number is alive, but it may be another one than wrote the lock. */
const SILENT_ALIVE_MS = 600_000;
const LOOK_AGAIN_MS = 500;

/** Locks of this process, which its own number cannot tell from those of a dead one with the same number. */
const held = new Set<string>();

/** Waits until the lock is free. Returns the release. @throws the signal's reason. */
export async function lock(path: string, patience: Patience): Promise<() => Promise<void>> {
  const token = `${process.pid} ${hostname()} ${randomUUID()}`;
  for (;;) {
    patience.signal?.throwIfAborted();
    if (!held.has(path) && (await take(path, token))) break;
    if (held.has(path) || !(await breakStale(path))) await patience.wait(LOOK_AGAIN_MS);
  }
  const beat = setInterval(() => void touch(path), HEARTBEAT_MS);
  beat.unref();
  return async () => {
    clearInterval(beat);
    held.delete(path);
    await rm(path, { force: true });
  };
}

async function take(path: string, token: string): Promise<boolean> {
  held.add(path);
  try {
    await onDisk(path, () => writeFile(path, token, { flag: "wx" }));
    return true;
  } catch (error) {
    held.delete(path);
    if (((error as Error).cause as NodeJS.ErrnoException | undefined)?.code === "EEXIST") return false;
    throw error;
  }
}

/** Moves a dead lock away. Only one of several that see the same dead lock can move it. */
async function breakStale(path: string): Promise<boolean> {
  const seen = await look(path);
  if (!seen || !isStale(seen)) return false;
  const aside = `${path}.${randomUUID().slice(0, 8)}`;
  await rename(path, aside).catch(() => {});
  const moved = await look(aside);
  // Between the look and the move someone else may have broken it and taken it anew: that one is put back.
  if (moved && moved.token !== seen.token) await rename(aside, path).catch(() => {});
  else await rm(aside, { force: true });
  return true;
}

interface Seen {
  readonly token: string;
  readonly silentMs: number;
}

async function look(path: string): Promise<Seen | undefined> {
  try {
    const [token, { mtimeMs }] = [await readFile(path, "utf8"), await stat(path)];
    return { token, silentMs: Date.now() - mtimeMs };
  } catch {
    return undefined;
  }
}

function isStale({ token, silentMs }: Seen): boolean {
  const [, pid, host] = /^([1-9]\d{0,9}) (\S+) /.exec(token) ?? [];
  if (pid === undefined || host !== hostname()) return silentMs > SILENT_MS;
  return Number(pid) === process.pid || !isAlive(Number(pid)) || silentMs > SILENT_ALIVE_MS;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Keeps the time of the lock fresh; unlike writing, this does not bring a released lock back. */
async function touch(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now).catch(() => {});
}
