/**
 * One HTTP request over node:http, answered as fetch answers. Not fetch itself: it decodes bodies, which would not have the
 * announced size and hash, and on Node 20 leaves an aborted connection open (20 of 20 were, a second later). Knows no hub;
 * follows no redirects, decodes nothing.
 */
import { type IncomingMessage, request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";

interface RequestOptions {
  readonly method: "GET" | "HEAD";
  readonly headers: Record<string, string>;
  /** Stops the request and, later, its body. */
  readonly signal: AbortSignal;
}

/** @throws what the connection throws; the signal's reason. */
export function sendRequest(url: URL, { method, headers, signal }: RequestOptions): Promise<Response> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const call = (url.protocol === "https:" ? secureRequest : plainRequest)(url, { method, headers });
    let answer: IncomingMessage | undefined;
    const stop = (): void => {
      answer?.destroy(signal.reason);
      call.destroy(signal.reason);
    };
    signal.addEventListener("abort", stop, { once: true });
    call.on("close", () => signal.removeEventListener("abort", stop));
    call.on("error", reject);
    call.on("response", (message) => {
      answer = message;
      try {
        resolve(responseOf(message, method));
      } catch (error) {
        call.destroy();
        reject(error);
      }
    });
    call.end();
  });
}

function responseOf(message: IncomingMessage, method: string): Response {
  const { statusCode: status = 0, statusMessage: statusText, rawHeaders } = message;
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  if (method === "HEAD" || status === 204 || status === 205 || status === 304) {
    message.resume();
    return new Response(null, { status, statusText, headers });
  }
  const body = Readable.toWeb(message) as NodeReadableStream<Uint8Array>;
  return new Response(body as unknown as ReadableStream<Uint8Array>, { status, statusText, headers });
}
