/**
 * One member of a zip archive (a Python wheel), streamed into a file. Knows the zip format as far as wheels use it: stored
 * or deflated, no encryption, no zip64. Format: PKWARE APPNOTE 4.3.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { FormatError } from "../../tensor/errors.ts";

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;
const ENCRYPTED = 1;
/** The end record and the longest comment. */
const MAX_TAIL_BYTES = 65_557;

interface Member {
  readonly flags: number;
  readonly method: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly headerOffset: number;
}

/**
 * Writes member `name`, which must have `bytes` bytes, to the file `target`.
 * @throws FormatError for a damaged archive, or a member that is absent or of another size.
 */
export async function extractMember(
  archive: string,
  name: string,
  bytes: number,
  target: string,
  onPiece: (piece: Buffer) => void,
  signal?: AbortSignal,
): Promise<void> {
  const { member, start } = await locate(archive, name);
  if (member.bytes !== bytes) throw new FormatError(`${archive}: ${name} has ${member.bytes} bytes, expected ${bytes}`);
  let written = 0;
  const source = createReadStream(archive, {
    start,
    end: start + Math.max(member.compressedBytes, 1) - 1,
    highWaterMark: 1 << 20,
  });
  const plain = async function* (pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      // A bomb inflates to more than its directory says.
      if ((written += piece.length) > bytes) throw new FormatError(`${archive}: ${name} has more than ${bytes} bytes`);
      onPiece(piece);
      yield piece;
    }
  };
  const sink = createWriteStream(target, { flush: true });
  try {
    if (member.method === STORED) await pipeline(source, plain, sink, { signal });
    else await pipeline(source, createInflateRaw(), plain, sink, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    if (!/^Z_/.test((error as NodeJS.ErrnoException).code ?? "")) throw error;
    throw new FormatError(`${archive}: ${name} cannot be inflated`, "the download is damaged; try again", {
      cause: error,
    });
  }
  if (written < bytes) throw new FormatError(`${archive}: ${name} ends after ${written} of ${bytes} bytes`);
}

type Read = (at: number, bytes: number) => Promise<Buffer>;

/** The member's directory entry, and where its data start. */
async function locate(archive: string, name: string): Promise<{ member: Member; start: number }> {
  const handle = await open(archive, "r");
  try {
    const { size } = await handle.stat();
    const read: Read = (at, bytes) => readExactly(handle, at, bytes, archive);
    const member = findMember(await readDirectory(read, size, archive), name, archive);
    if (member.flags & ENCRYPTED || (member.method !== STORED && member.method !== DEFLATED))
      throw new FormatError(
        `${archive}: ${name} is encrypted, or compressed by method ${member.method}`,
        "only stored and deflated members are read",
      );
    const header = await read(member.headerOffset, 30);
    if (header.readUInt32LE(0) !== LOCAL_HEADER) throw new FormatError(`${archive}: ${name} is not where it should be`);
    const start = member.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
    if (start + member.compressedBytes > size) throw new FormatError(`${archive}: the archive is truncated`);
    return { member, start };
  } finally {
    await handle.close();
  }
}

async function readExactly(handle: FileHandle, at: number, bytes: number, archive: string): Promise<Buffer> {
  const out = Buffer.alloc(bytes);
  const { bytesRead } = await handle.read(out, 0, bytes, at);
  if (bytesRead < bytes) throw new FormatError(`${archive}: the archive is truncated`);
  return out;
}

async function readDirectory(read: Read, size: number, archive: string): Promise<Buffer> {
  const tailBytes = Math.min(size, MAX_TAIL_BYTES);
  const tail = await read(size - tailBytes, tailBytes);
  for (let at = tailBytes - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== END_OF_DIRECTORY) continue;
    const [bytes, offset] = [tail.readUInt32LE(at + 12), tail.readUInt32LE(at + 16)];
    if (offset + bytes > size) break;
    return read(offset, bytes);
  }
  throw new FormatError(`${archive}: no zip directory was found`, "the download is damaged; try again");
}

function findMember(directory: Buffer, name: string, archive: string): Member {
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === DIRECTORY_ENTRY; ) {
    const nameBytes = directory.readUInt16LE(at + 28);
    if (directory.toString("utf8", at + 46, at + 46 + nameBytes) === name) {
      return {
        flags: directory.readUInt16LE(at + 8),
        method: directory.readUInt16LE(at + 10),
        compressedBytes: directory.readUInt32LE(at + 20),
        bytes: directory.readUInt32LE(at + 24),
        headerOffset: directory.readUInt32LE(at + 42),
      };
    }
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  throw new FormatError(`${archive} does not hold ${name}`);
}
