/**
 * ByteSource over HTTP Range requests (RFC 9110 §14). Every reply is checked to be the range that was asked for, of the file
 * that was opened, and is never read beyond that. Does not retry and does not cache; knows no hub.
 */
import { checkKeys, type ErrorCode, FormatError, TrimtabError } from "../tensor/errors.ts";
import { type ByteSource, checkRange } from "./source.ts";

export interface HttpSourceOptions {
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends every request of this source; `read` takes one of its own besides. */
  readonly signal?: AbortSignal;
  readonly fetch?: typeof fetch;
}

const DOWNLOAD = "download the file and open it from disk";

/**
 * A URL whose server answers Range requests.
 * @throws TrimtabError E_HUB_NOT_FOUND (404), E_HUB_AUTH (401, 403), E_HUB (no connection, Range ignored, other status);
 * FormatError where a reply is not what was asked for.
 */
export async function httpSource(url: string, o: HttpSourceOptions = {}): Promise<ByteSource> {
  checkKeys(o, ["headers", "signal", "fetch"], "httpSource");
  const first = await request(url, o, "GET", 0, 0);
  await first.body?.cancel();
  const sizeBytes = contentRange(first)?.total ?? (await sizeByHead(url, o));
  const etag = first.headers.get("etag");
  return {
    name: url,
    sizeBytes,
    async read(offsetBytes, lengthBytes, own) {
      checkRange(url, sizeBytes, offsetBytes, lengthBytes);
      if (lengthBytes === 0) return new Uint8Array(0);
      const signal = own && o.signal ? AbortSignal.any([own, o.signal]) : (own ?? o.signal);
      const last = offsetBytes + lengthBytes - 1;
      const response = await request(url, o, "GET", offsetBytes, last, signal);
      const got = contentRange(response);
      const newTag = response.headers.get("etag") ?? etag; // not every server of a network sends one
      const changed = newTag !== (etag ?? newTag) || (got !== undefined && got.total !== sizeBytes);
      if (changed || (got && (got.from !== offsetBytes || got.to !== last))) {
        await response.body?.cancel();
        if (changed) throw new FormatError(`${url}: the file on the server changed while it was read`, "open it again");
        throw new FormatError(`${url}: asked for bytes ${offsetBytes}-${last}, got ${got!.from}-${got!.to}`, DOWNLOAD);
      }
      return readBody(url, response, lengthBytes, signal);
    },
    close: async () => {},
  };
}

/** One request; the reply to a GET is a 206. */
async function request(
  url: string,
  o: HttpSourceOptions,
  method: "GET" | "HEAD",
  from: number,
  to: number,
  signal = o.signal,
): Promise<Response> {
  // a compressed reply would have another length; fetch itself asks for an uncompressed one where Range is set
  const headers: Record<string, string> = { ...o.headers };
  if (method === "GET") headers.Range = `bytes=${from}-${to}`;
  else headers["Accept-Encoding"] = "identity";
  let response: Response;
  try {
    response = await (o.fetch ?? fetch)(url, { method, headers, signal });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new TrimtabError("E_HUB", `${url}: no answer from the server`, "check the address and the network", {
      cause,
    });
  }
  if (response.status === (method === "GET" ? 206 : 200)) return response;
  await response.body?.cancel();
  throw statusError(url, response);
}

function statusError(url: string, { status, statusText }: Response): TrimtabError {
  if (status === 200)
    return new TrimtabError("E_HUB", `${url}: the server ignores Range requests (status 200, expected 206)`, DOWNLOAD);
  const codes: Readonly<Record<number, ErrorCode>> = { 401: "E_HUB_AUTH", 403: "E_HUB_AUTH", 404: "E_HUB_NOT_FOUND" };
  const hint = status === 401 || status === 403 ? "give a token that may read it" : "check the address, or try again";
  return new TrimtabError(codes[status] ?? "E_HUB", `${url}: the server answered ${status} ${statusText}`, hint);
}

/** Undefined where the server does not say, or a page may not see it (CORS does not expose Content-Range by itself). */
function contentRange(response: Response): { from: number; to: number; total: number } | undefined {
  const match = /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(response.headers.get("content-range") ?? "");
  return match ? { from: Number(match[1]), to: Number(match[2]), total: Number(match[3]) } : undefined;
}

async function sizeByHead(url: string, o: HttpSourceOptions): Promise<number> {
  const length = (await request(url, o, "HEAD", 0, 0)).headers.get("content-length");
  if (length !== null && /^\d{1,15}$/.test(length)) return Number(length);
  throw new TrimtabError("E_HUB", `${url}: the server does not say how large the file is`, DOWNLOAD);
}

/** Exactly `lengthBytes` bytes; a longer body is not read to its end. */
async function readBody(
  url: string,
  response: Response,
  lengthBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const out = new Uint8Array(lengthBytes);
  const reader = response.body?.getReader();
  let at = 0;
  try {
    for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
      const end = at + part.value.length;
      if (end > lengthBytes) {
        await reader?.cancel();
        throw new FormatError(`${url}: the server sent more than ${lengthBytes} bytes`, "try again");
      }
      out.set(part.value, at);
      at = end;
    }
  } catch (cause) {
    if (cause instanceof FormatError) throw cause;
    signal?.throwIfAborted();
    throw new TrimtabError("E_HUB", `${url}: the connection broke after ${at} of ${lengthBytes} bytes`, "try again", {
      cause,
    });
  }
  if (at < lengthBytes)
    throw new FormatError(`${url}: the server sent only ${at} of ${lengthBytes} bytes`, "try again");
  return out;
}
