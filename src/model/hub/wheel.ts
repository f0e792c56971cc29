/**
 * One member of a zip archive (a Python wheel), streamed. Knows the zip format as far as wheels use it: stored or deflated,
 * no encryption, no zip64 directory. Format: PKWARE APPNOTE 4.3.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createInflateRaw } from "node:zlib";
import { FormatError } from "../../tensor/errors.ts";

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const STORED = 0;
const DEFLATED = 8;

interface Member {
  readonly method: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly headerOffset: number;
}

/** Writes member `name` to `sink`. @throws FormatError for a damaged archive or an absent member. */
export async function extractMember(
  archive: string,
  name: string,
  sink: NodeJS.WritableStream,
  signal?: AbortSignal,
): Promise<void> {
  const handle = await open(archive, "r");
  let start: number;
  let member: Member;
  try {
    const { size } = await handle.stat();
    const read = async (at: number, bytes: number): Promise<Buffer> => {
      const out = Buffer.alloc(bytes);
      const { bytesRead } = await handle.read(out, 0, bytes, at);
      if (bytesRead < bytes) throw new FormatError(`${archive}: the archive is truncated`);
      return out;
    };
    member = findMember(await readDirectory(read, size, archive), name, archive);
    const header = await read(member.headerOffset, 30);
    start = member.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await handle.close();
  }
  const compressed = createReadStream(archive, {
    start,
    end: start + member.compressedBytes - 1,
    highWaterMark: 1 << 20,
  });
  if (member.method === STORED) await pipeline(compressed, sink, { signal });
  else if (member.method === DEFLATED) await pipeline(compressed, createInflateRaw(), sink, { signal });
  else
    throw new FormatError(
      `${archive}: ${name} is compressed by method ${member.method}`,
      "only stored and deflated members are read",
    );
}

async function readDirectory(
  read: (at: number, bytes: number) => Promise<Buffer>,
  size: number,
  archive: string,
): Promise<Buffer> {
  const tailBytes = Math.min(size, 65_557); // the end record and the longest comment
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
