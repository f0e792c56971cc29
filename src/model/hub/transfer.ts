/**
 * One file from a URL to the disk: resumed by Range, hashed as it comes, renamed into place only when size and SHA-256 are
 * right. No partial file is ever taken for whole. Knows HTTP bodies and files, not the hub's addresses.
 */
import { createHash, type Hash } from "node:crypto";
import { constants, createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { TrimtabError } from "../../tensor/errors.ts";
import { exists, onDisk } from "./cacheDir.ts";
import { lock } from "./lock.ts";
import { type Patience, pieces } from "./patience.ts";

/** Gets a response for bytes from `offset` on; status and headers were checked for errors already. */
export type OpenRange = (offsetBytes: number) => Promise<Response>;

export interface TransferOptions {
  /** Named in messages. */
  readonly file: string;
  /** Undefined where the server does not say; then nothing is resumed. */
  readonly sizeBytes: number | undefined;
  readonly sha256: string | undefined;
  readonly patience: Patience;
  readonly silenceMs: number;
  readonly onProgress?: (loadedBytes: number, totalBytes: number) => void;
}

/** Attempts in a row that bring less than a step: with bytes before them, and without any. */
const BARREN_ATTEMPTS = 5;
const BARREN_AT_ONCE = 2;
const STEP_BYTES = 256 << 10;
const FIRST_PAUSE_MS = 400;

/**
 * Fills `target`, unless another process does it first.
 * @throws TrimtabError E_HUB when the bytes are not the promised ones, or the connection keeps dying; E_DATA for the disk.
 */
export async function transfer(target: string, openRange: OpenRange, o: TransferOptions): Promise<void> {
  await onDisk(target, () => mkdir(dirname(target), { recursive: true }));
  const unlock = await lock(`${target}.lock`, o.patience);
  try {
    if (await exists(target)) return;
    const path = `${target}.incomplete`;
    let { fromBytes, wrong } = await fetchPartial(path, openRange, o);
    if (wrong && fromBytes > 0) {
      // What an earlier run left may be damaged: once more from the start.
      await rm(path, { force: true });
      ({ wrong } = await fetchPartial(path, openRange, o));
    }
    if (wrong) {
      await rm(path, { force: true });
      throw new TrimtabError(
        "E_HUB",
        `${o.file} ${wrong}; the download was thrown away`,
        "try again; if it stays so, the source is damaged",
      );
    }
    await onDisk(target, () => rename(path, target));
  } finally {
    await unlock();
  }
}

/** Where it went on from, and what is wrong with the result, in words. */
async function fetchPartial(
  path: string,
  openRange: OpenRange,
  o: TransferOptions,
): Promise<{ fromBytes: number; wrong: string | undefined }> {
  const handle = await onDisk(path, () => open(path, constants.O_RDWR | constants.O_CREAT));
  try {
    const part = new Partial(path, handle);
    await part.adopt(o);
    const fromBytes = part.bytes;
    await fill(part, openRange, o);
    // On the disk before it gets its name: after a power cut the name must not stand over holes.
    await onDisk(path, () => handle.datasync());
    return { fromBytes, wrong: part.wrong(o) };
  } finally {
    await handle.close();
  }
}

/** The bytes that are there, and their hash. */
class Partial {
  bytes = 0;
  #hash: Hash = createHash("sha256");

  constructor(
    readonly path: string,
    readonly handle: FileHandle,
  ) {}

  /** Takes over what an earlier run left. */
  async adopt(o: TransferOptions): Promise<void> {
    const { size } = await this.handle.stat();
    if (o.sizeBytes === undefined || size > o.sizeBytes) return this.reset();
    if (size > 0 && o.sha256 !== undefined) {
      for await (const piece of createReadStream(this.path, { highWaterMark: 1 << 20 })) {
        o.patience.signal?.throwIfAborted();
        this.#hash.update(piece);
      }
    }
    this.bytes = size;
  }

  async reset(): Promise<void> {
    await onDisk(this.path, () => this.handle.truncate(0));
    this.bytes = 0;
    this.#hash = createHash("sha256");
  }

  async append(piece: Uint8Array): Promise<void> {
    for (let done = 0; done < piece.length; ) {
      const at = this.bytes + done;
      const { bytesWritten } = await onDisk(this.path, () => this.handle.write(piece, done, piece.length - done, at));
      done += bytesWritten;
    }
    this.#hash.update(piece);
    this.bytes += piece.length;
  }

  wrong(o: TransferOptions): string | undefined {
    if (o.sizeBytes !== undefined && this.bytes !== o.sizeBytes)
      return `has ${this.bytes} bytes, expected ${o.sizeBytes}`;
    const got = o.sha256 === undefined ? undefined : this.#hash.digest("hex");
    return got === o.sha256 ? undefined : `has the SHA-256 ${got}, expected ${o.sha256}`;
  }
}

/** Appends until the end of the file, through connections that die. */
async function fill(part: Partial, openRange: OpenRange, o: TransferOptions): Promise<void> {
  let anyBytes = false;
  for (let barren = 0; ; ) {
    o.patience.signal?.throwIfAborted();
    const before = part.bytes;
    try {
      return await append(part, openRange, o);
    } catch (error) {
      o.patience.signal?.throwIfAborted();
      if (error instanceof TrimtabError) throw error;
      barren = part.bytes - before >= STEP_BYTES ? 0 : barren + 1;
      anyBytes ||= part.bytes > before;
      if (barren >= (anyBytes ? BARREN_ATTEMPTS : BARREN_AT_ONCE)) throw brokenOff(error, barren, o);
      await o.patience.wait(FIRST_PAUSE_MS * 2 ** barren);
    }
  }
}

function brokenOff(error: unknown, times: number, o: TransferOptions): TrimtabError {
  const { cause, message } = error as Error;
  return new TrimtabError(
    "E_HUB",
    `${o.file}: the transfer broke off ${times} times: ${cause instanceof Error ? cause.message || message : message}`,
    "run it again: it goes on where it stopped",
    { cause: error },
  );
}

async function append(part: Partial, openRange: OpenRange, o: TransferOptions): Promise<void> {
  if (part.bytes > 0 && part.bytes === o.sizeBytes) return;
  const response = await openRange(part.bytes);
  if (part.bytes > 0 && !continues(response, part.bytes)) {
    await part.reset();
    if (response.status === 206) {
      await response.body?.cancel();
      throw new Error("the server sent other bytes than those that were asked for");
    }
  }
  const announced = Number(response.headers.get("content-length") ?? Number.NaN);
  const total = o.sizeBytes ?? (Number.isNaN(announced) ? undefined : part.bytes + announced);
  for await (const piece of pieces(response, o.silenceMs)) {
    if (o.sizeBytes !== undefined && part.bytes + piece.length > o.sizeBytes) {
      throw new TrimtabError(
        "E_HUB",
        `${o.file}: the server sent more than the ${o.sizeBytes} bytes that it announced`,
        "try again later",
      );
    }
    await part.append(piece);
    o.onProgress?.(part.bytes, total ?? part.bytes);
  }
  if (total !== undefined && part.bytes < total) throw new Error(`${part.bytes} of ${total} bytes came`);
}

/** A server may answer a Range with the whole file (200), or with another part. */
function continues(response: Response, offset: number): boolean {
  return response.status === 206 && (response.headers.get("content-range") ?? "").startsWith(`bytes ${offset}-`);
}
