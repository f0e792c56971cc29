/** A hub on loopback that misbehaves on request: dies, lies, is busy, redirects. Knows the hub's HTTP interface. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const COMMIT = "0123456789abcdef0123456789abcdef01234567";

export interface MockFile {
  body: Buffer;
  /** Announced instead of the real size. */
  size?: number;
  /** Announced instead of the real hash. */
  etag?: string;
  /** The next transfers end after this many bytes, one entry a transfer. */
  dieAfter?: number[];
  /** Statuses of the next answers. */
  answers?: { status: number; retryAfter?: number }[];
}

export interface Seen {
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly host: "hub" | "cdn";
}

export interface MockHub {
  readonly url: string;
  readonly files: Map<string, MockFile>;
  readonly seen: Seen[];
  close(): Promise<void>;
}

const listen = (server: Server): Promise<string> =>
  new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
  );

/** Files by "org/name/file". With `cdn`, bytes come from a second server, as the real hub's do. */
export async function mockHub(o: { cdn?: boolean; token?: string } = {}): Promise<MockHub> {
  const files = new Map<string, MockFile>();
  const seen: Seen[] = [];
  const note = (request: IncomingMessage, host: Seen["host"]): void => {
    seen.push({ path: request.url!, range: request.headers.range, authorization: request.headers.authorization, host });
  };
  const cdn = createServer((request, response) => {
    note(request, "cdn");
    sendBytes(files.get(decodeURIComponent(request.url!.slice(1)))!, request, response, {});
  });
  const cdnUrl = await listen(cdn);
  const hub = createServer((request, response) => {
    note(request, "hub");
    if (o.token && request.headers.authorization !== `Bearer ${o.token}`) return void response.writeHead(401).end();
    const list = /^\/api\/models\/([^/]+\/[^/]+)\/revision\//.exec(request.url!)?.[1];
    if (list) return sendList(list, files, response);
    const [, repo, file] = /^\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(decodeURIComponent(request.url!)) ?? [];
    const key = `${repo}/${file}`;
    const found = files.get(key);
    if (!found) return void response.writeHead(404).end("Entry not found");
    const answer = found.answers?.shift();
    if (answer)
      return void response
        .writeHead(answer.status, answer.retryAfter ? { "retry-after": String(answer.retryAfter) } : undefined)
        .end();
    const etag = found.etag ?? createHash("sha256").update(found.body).digest("hex");
    const headers = {
      "x-repo-commit": COMMIT,
      "x-linked-etag": `"${etag}"`,
      "x-linked-size": String(found.size ?? found.body.length),
    };
    if (o.cdn)
      return void response.writeHead(302, { ...headers, location: `${cdnUrl}/${encodeURIComponent(key)}` }).end();
    sendBytes(found, request, response, headers);
  });
  const url = await listen(hub);
  const close = async (): Promise<void> => {
    for (const server of [hub, cdn]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
  return { url, files, seen, close };
}

function sendList(repo: string, files: ReadonlyMap<string, MockFile>, response: ServerResponse): void {
  const names = [...files.keys()]
    .filter((k) => k.startsWith(`${repo}/`))
    .map((k) => ({ rfilename: k.slice(repo.length + 1) }));
  if (names.length === 0) return void response.writeHead(404).end();
  response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ siblings: names }));
}

function sendBytes(
  file: MockFile,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string>,
): void {
  const match = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const [from, to] = match
    ? [Number(match[1]), match[2] ? Number(match[2]) : file.body.length - 1]
    : [0, file.body.length - 1];
  const body = file.body.subarray(from, to + 1);
  const range = match ? { "content-range": `bytes ${from}-${to}/${file.size ?? file.body.length}` } : {};
  const probe = match !== null && to === 0;
  const die = probe ? undefined : file.dieAfter?.shift();
  response.writeHead(match ? 206 : 200, { ...headers, ...range, "content-length": body.length });
  if (die === undefined) response.end(body);
  else response.write(body.subarray(0, die), () => setTimeout(() => response.destroy(), 20));
}
