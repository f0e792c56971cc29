/**
 * One file from a URL to the disk: resumed by Range, checked by size and SHA-256, renamed into place only when both are
 * right. No partial file is ever taken for whole. Knows HTTP and files, not the hub's addresses.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, open, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { TrimtabError } from "../../tensor/errors.ts";

/** Gets a response for bytes from `offset` on; status and headers were checked for errors already. */
export type OpenRange = (offsetBytes: number) => Promise<Response>;

export interface TransferOptions {
  /** Named in messages. */
  readonly file: string;
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress?: (loadedBytes: number, totalBytes: number) => void;
  /** Waits between attempts. */
  readonly delay: (ms: number) => Promise<void>;
}

const ATTEMPTS = 5;
/** A lock older than this belongs to a process that died. */
const STALE_LOCK_MS = 10 * 60_000;

/** Fills `target`. @throws TrimtabError E_HUB when the bytes are not the promised ones, or the connection keeps dying. */
export async function transfer(target: string, openRange: OpenRange, o: TransferOptions): Promise<void> {
  const partial = `${target}.incomplete`;
  await mkdir(dirname(target), { recursive: true });
  const unlock = await lock(`${target}.lock`, o);
  try {
    for (let attempt = 1; ; attempt++) {
      o.signal?.throwIfAborted();
      try {
        await append(partial, openRange, o);
        break;
      } catch (error) {
        if (o.signal?.aborted || error instanceof TrimtabError || attempt === ATTEMPTS) throw interrupted(error, o);
        await o.delay(200 * 2 ** attempt);
      }
    }
    await verify(partial, o);
    await rename(partial, target);
  } finally {
    await unlock();
  }
}

function interrupted(error: unknown, o: TransferOptions): unknown {
  if (o.signal?.aborted || error instanceof TrimtabError) return error;
  const why = (error as Error).cause ?? error;
  return new TrimtabError(
    "E_HUB",
    `${o.file}: the transfer broke off ${ATTEMPTS} times: ${(why as Error).message}`,
    "run it again: it goes on where it stopped",
    { cause: error },
  );
}

/** Appends what is missing. */
async function append(partial: string, openRange: OpenRange, o: TransferOptions): Promise<void> {
  let have = (await stat(partial).catch(() => undefined))?.size ?? 0;
  if (o.sizeBytes !== undefined && have > o.sizeBytes) have = 0;
  if (o.sizeBytes !== undefined && have === o.sizeBytes && have > 0) return;
  const response = await openRange(have);
  if (have > 0 && response.status !== 206) have = 0; // the server sends it from the start
  const total = o.sizeBytes ?? have + Number(response.headers.get("content-length") ?? Number.NaN);
  const handle = await open(partial, have > 0 ? "a" : "w");
  try {
    if (!response.body) throw new Error("the server sent no body");
    for await (const piece of response.body as AsyncIterable<Uint8Array>) {
      o.signal?.throwIfAborted();
      await handle.write(piece);
      have += piece.length;
      o.onProgress?.(have, total);
      if (o.sizeBytes !== undefined && have > o.sizeBytes) {
        throw new TrimtabError(
          "E_HUB",
          `${o.file}: the server sent more than the ${o.sizeBytes} bytes that it announced`,
          "try again later",
        );
      }
    }
  } finally {
    await handle.close();
  }
  if (!Number.isNaN(total) && have < total) throw new Error(`${have} of ${total} bytes came`);
}

/** @throws TrimtabError E_HUB, after removing the file, where size or hash is wrong. */
async function verify(partial: string, o: TransferOptions): Promise<void> {
  const { size } = await stat(partial);
  let wrong =
    o.sizeBytes !== undefined && size !== o.sizeBytes ? `has ${size} bytes, expected ${o.sizeBytes}` : undefined;
  if (!wrong && o.sha256) {
    const got = await sha256File(partial, o.signal);
    if (got !== o.sha256) wrong = `has the SHA-256 ${got}, expected ${o.sha256}`;
  }
  if (!wrong) return;
  await rm(partial, { force: true });
  throw new TrimtabError(
    "E_HUB",
    `${o.file} ${wrong}; the download was thrown away`,
    "try again; if it stays so, the source is damaged",
  );
}

export async function sha256File(path: string, signal?: AbortSignal): Promise<string> {
  const hash = createHash("sha256");
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 20, signal })) hash.update(piece as Buffer);
  return hash.digest("hex");
}

/** Waits for another process that fetches the same file. Returns the release. */
async function lock(path: string, o: TransferOptions): Promise<() => Promise<void>> {
  for (;;) {
    o.signal?.throwIfAborted();
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      const beat = setInterval(() => void writeFile(path, String(process.pid)).catch(() => {}), STALE_LOCK_MS / 10);
      beat.unref();
      return async () => {
        clearInterval(beat);
        await rm(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (await isStale(path)) await rm(path, { force: true });
      else await o.delay(500);
    }
  }
}

async function isStale(path: string): Promise<boolean> {
  const facts = await stat(path).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs > STALE_LOCK_MS;
}
