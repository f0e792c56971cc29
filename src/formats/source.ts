/**
 * ByteSource: random access to the bytes of a file, a Blob, memory, or a URL. A read gives exactly the bytes asked for or
 * an error, never fewer. Knows no format. Node's file system is imported when a path is really opened.
 */
import { FormatError, TrimtabError } from "../tensor/errors.ts";

export interface ByteSource {
  readonly name: string;
  readonly sizeBytes: number;
  /** @throws FormatError past the end. */
  read(offsetBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Uint8Array>;
  close(): Promise<void>;
}

function checkRange(name: string, sizeBytes: number, offsetBytes: number, lengthBytes: number): void {
  const ok =
    Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes) && offsetBytes >= 0 && lengthBytes >= 0;
  if (ok && offsetBytes + lengthBytes <= sizeBytes) return;
  throw new FormatError(
    `${name}: ${lengthBytes} bytes at offset ${offsetBytes} are past the end of its ${sizeBytes} bytes`,
    "the file is truncated or damaged; fetch it again",
  );
}

/** A file on disk (Node), of any size. */
export async function fileSource(path: string): Promise<ByteSource> {
  const { open } = await import("node:fs/promises");
  const handle = await open(path, "r");
  const sizeBytes = (await handle.stat()).size;
  return {
    name: path,
    sizeBytes,
    async read(offsetBytes, lengthBytes, signal) {
      checkRange(path, sizeBytes, offsetBytes, lengthBytes);
      const out = new Uint8Array(lengthBytes);
      let at = 0;
      while (at < lengthBytes) {
        signal?.throwIfAborted();
        // one read moves at most 2 GiB on Linux
        const { bytesRead } = await handle.read(out, at, Math.min(lengthBytes - at, 1 << 30), offsetBytes + at);
        if (bytesRead === 0) throw new FormatError(`${path}: the file became shorter while it was read`);
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
      return new Uint8Array(await blob.slice(offsetBytes, offsetBytes + lengthBytes).arrayBuffer());
    },
    close: async () => {},
  };
}

/** Bytes in memory. Reads are views, not copies. */
export function bufferSource(bytes: Uint8Array, name: string): ByteSource {
  return {
    name,
    sizeBytes: bytes.byteLength,
    async read(offsetBytes, lengthBytes) {
      checkRange(name, bytes.byteLength, offsetBytes, lengthBytes);
      return bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
    },
    close: async () => {},
  };
}

export interface HttpSourceOptions {
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly fetch?: typeof fetch;
}

/** A URL whose server answers Range requests. @throws TrimtabError E_HUB where it does not answer or ignores Range. */
export async function httpSource(url: string, o: HttpSourceOptions = {}): Promise<ByteSource> {
  const get = o.fetch ?? fetch;
  const range = async (from: number, to: number, signal?: AbortSignal): Promise<Response> => {
    const response = await get(url, {
      headers: { ...o.headers, Range: `bytes=${from}-${to}` },
      signal: signal ?? o.signal,
    });
    if (response.status === 206) return response;
    await response.body?.cancel();
    const why =
      response.status === 200
        ? "the server ignores Range requests"
        : `the server answered ${response.status} ${response.statusText}`;
    throw new TrimtabError("E_HUB", `${url}: ${why}`, "download the file and open it from disk");
  };
  const first = await range(0, 0);
  await first.body?.cancel();
  const total = /^bytes \d+-\d+\/(\d+)$/.exec(first.headers.get("content-range") ?? "")?.[1];
  if (total === undefined)
    throw new TrimtabError(
      "E_HUB",
      `${url}: the server does not say how large the file is`,
      "download the file and open it from disk",
    );
  const sizeBytes = Number(total);
  return {
    name: url,
    sizeBytes,
    async read(offsetBytes, lengthBytes, signal) {
      checkRange(url, sizeBytes, offsetBytes, lengthBytes);
      if (lengthBytes === 0) return new Uint8Array(0);
      const bytes = new Uint8Array(
        await (await range(offsetBytes, offsetBytes + lengthBytes - 1, signal)).arrayBuffer(),
      );
      if (bytes.length !== lengthBytes)
        throw new FormatError(
          `${url}: asked for ${lengthBytes} bytes at ${offsetBytes}, got ${bytes.length}`,
          "try again",
        );
      return bytes;
    },
    close: async () => {},
  };
}
