/**
 * ByteSource: random access to the bytes of a file, a Blob or memory (a URL: httpSource.ts). A read gives exactly the bytes
 * asked for or an error, never fewer. Knows no format. Node's file system is imported when a path is really opened.
 */
import { FormatError } from "../tensor/errors.ts";

export interface ByteSource {
  readonly name: string;
  readonly sizeBytes: number;
  /**
   * The bytes, perhaps as a view of memory that others hold too. A source that must copy them puts them into `scratch` where
   * that is large enough, so that reading a whole model makes no garbage. @throws FormatError past the end.
   */
  read(offsetBytes: number, lengthBytes: number, signal?: AbortSignal, scratch?: Uint8Array): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Between two looks at the AbortSignal; one read moves at most 2 GiB on Linux anyway. */
const FILE_PIECE_BYTES = 1 << 26;

/** @throws FormatError unless the range lies within the source. */
export function checkRange(name: string, sizeBytes: number, offsetBytes: number, lengthBytes: number): void {
  const ok =
    Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes) && offsetBytes >= 0 && lengthBytes >= 0;
  if (ok && offsetBytes + lengthBytes <= sizeBytes) return;
  throw new FormatError(
    `${name}: ${lengthBytes} bytes at offset ${offsetBytes} are past the end of its ${sizeBytes} bytes`,
    "the file is truncated or damaged; fetch it again",
  );
}

/** A file on disk (Node), of any size. @throws FormatError for what is no file; Node's error where there is nothing. */
export async function fileSource(path: string): Promise<ByteSource> {
  const { open, stat } = await import("node:fs/promises");
  // asked before opening: to open a named pipe would wait for its writer
  if (!(await stat(path)).isFile()) throw new FormatError(`${path} is not a file`, "give the path of a file");
  const handle = await open(path, "r");
  const sizeBytes = (await handle.stat()).size;
  return {
    name: path,
    sizeBytes,
    async read(offsetBytes, lengthBytes, signal, scratch) {
      checkRange(path, sizeBytes, offsetBytes, lengthBytes);
      const fits = scratch !== undefined && scratch.length >= lengthBytes;
      const out = fits ? scratch.subarray(0, lengthBytes) : new Uint8Array(lengthBytes);
      let at = 0;
      while (at < lengthBytes) {
        signal?.throwIfAborted();
        const piece = Math.min(lengthBytes - at, FILE_PIECE_BYTES);
        const { bytesRead } = await handle.read(out, at, piece, offsetBytes + at);
        if (bytesRead === 0)
          throw new FormatError(`${path}: the file became shorter than ${sizeBytes} bytes while it was read`);
        at += bytesRead;
      }
      return out;
    },
    close: () => handle.close(),
  };
}

/** A Blob or File (browser, Node). */
export function blobSource(blob: Blob, name = "blob"): ByteSource {
  return {
    name,
    sizeBytes: blob.size,
    async read(offsetBytes, lengthBytes, signal) {
      checkRange(name, blob.size, offsetBytes, lengthBytes);
      signal?.throwIfAborted();
      try {
        return new Uint8Array(await blob.slice(offsetBytes, offsetBytes + lengthBytes).arrayBuffer());
      } catch (cause) {
        throw new FormatError(`${name}: cannot be read any more`, "the file changed or went away; choose it again", {
          cause,
        });
      }
    },
    close: async () => {},
  };
}

/** Bytes in memory. Reads are views, not copies. */
export function bufferSource(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    sizeBytes: bytes.byteLength,
    async read(offsetBytes, lengthBytes, signal) {
      checkRange(name, bytes.byteLength, offsetBytes, lengthBytes);
      signal?.throwIfAborted();
      return bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
    },
    close: async () => {},
  };
}
