/** A hub on loopback that misbehaves on request: dies, stalls, lies, is busy, redirects. Knows the hub's HTTP interface. */
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
  /** The next transfers say no more after this many bytes. */
  stallAfter?: number[];
  /** Statuses of the next answers; 0 closes the connection without one. */
  answers?: { status: number; retryAfter?: string }[];
  /** How Range is misread: "ignore" sends the whole file, "shift" begins one byte late. */
  ranges?: "ignore" | "shift";
  /** A small file, as git holds it: no x-linked headers. */
  small?: boolean;
}

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly host: "hub" | "cdn";
}

export interface MockHub {
  readonly url: string;
  readonly files: Map<string, MockFile>;
  readonly seen: Seen[];
  /** The commit that every branch stands for. */
  commit: string;
  /** Called before each answer. */
  before: (seen: Seen) => void;
  close(): Promise<void>;
}

export interface MockOptions {
  /** Bytes come from a second server, as the real hub's large files do. */
  readonly cdn?: boolean;
  /** Files are redirected within the hub first, as the real hub's small files are. */
  readonly inner?: boolean;
  readonly token?: string;
}

const listen = (server: Server): Promise<string> =>
  new Promise((resolve) =>
    server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)),
  );

/** Files by "org/name/file". */
export async function mockHub(o: MockOptions = {}): Promise<MockHub> {
  const files = new Map<string, MockFile>();
  const seen: Seen[] = [];
  const note = ({ method, url, headers }: IncomingMessage, host: Seen["host"]): void => {
    seen.push({ method: method!, path: url!, range: headers.range, authorization: headers.authorization, host });
    mock.before(seen.at(-1)!);
  };
  const cdn = createServer((request, response) => {
    note(request, "cdn");
    const file = files.get(decodeURIComponent(request.url!.slice(1)))!;
    sendBytes(file, request, response, { etag: '"the-cdn-has-its-own"' });
  });
  const cdnUrl = await listen(cdn);
  const hub = createServer((request, response) => {
    note(request, "hub");
    if (o.token && request.headers.authorization !== `Bearer ${o.token}`) return void response.writeHead(401).end();
    const list = /^\/api\/models\/([^/]+\/[^/]+)\/revision\//.exec(request.url!)?.[1];
    if (list) return sendList(list, mock, response);
    const [, inner, repo, file] =
      /^(\/inner)?\/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(decodeURIComponent(request.url!)) ?? [];
    const key = `${repo}/${file}`;
    const found = files.get(key);
    if (!found) return void response.writeHead(404).end("Entry not found");
    const answer = found.answers?.shift();
    if (answer?.status === 0) return void request.socket.destroy();
    if (answer)
      return void response
        .writeHead(answer.status, answer.retryAfter ? { "retry-after": answer.retryAfter } : undefined)
        .end();
    const facts = factsOf(found, mock.commit);
    if (o.inner && !inner) return void response.writeHead(307, { ...facts, location: `/inner${request.url}` }).end();
    if (o.cdn)
      return void response.writeHead(302, { ...facts, location: `${cdnUrl}/${encodeURIComponent(key)}` }).end();
    sendBytes(found, request, response, facts);
  });
  const url = await listen(hub);
  const close = async (): Promise<void> => {
    for (const server of [hub, cdn]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
  const mock: MockHub = { url, files, seen, commit: COMMIT, before: () => {}, close };
  return mock;
}

function factsOf(file: MockFile, commit: string): Record<string, string> {
  const etag = file.etag ?? createHash("sha256").update(file.body).digest("hex");
  if (file.small) return { "x-repo-commit": commit, etag: `W/"${etag}"` };
  return {
    "x-repo-commit": commit,
    "x-linked-etag": `"${etag}"`,
    "x-linked-size": String(file.size ?? file.body.length),
  };
}

function sendList(repo: string, { files, commit }: MockHub, response: ServerResponse): void {
  const names = [...files.keys()]
    .filter((k) => k.startsWith(`${repo}/`))
    .map((k) => ({ rfilename: k.slice(repo.length + 1) }));
  if (names.length === 0) return void response.writeHead(404).end();
  response
    .writeHead(200, { "content-type": "application/json" })
    .end(JSON.stringify({ sha: commit, siblings: [...names, { rfilename: "../../escape.gguf" }] }));
}

function sendBytes(
  file: MockFile,
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string>,
): void {
  const match = file.ranges === "ignore" ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? "");
  const from = match ? Number(match[1]) + (file.ranges === "shift" ? 1 : 0) : 0;
  const body = file.body.subarray(from);
  const total = file.size ?? file.body.length;
  const range = match ? { "content-range": `bytes ${from}-${total - 1}/${total}` } : {};
  response.writeHead(match ? 206 : 200, { ...headers, ...range, "content-length": body.length });
  if (request.method === "HEAD") return void response.end();
  const [die, stall] = [file.dieAfter?.shift(), file.stallAfter?.shift()];
  if (die !== undefined) response.write(body.subarray(0, die), () => setTimeout(() => response.destroy(), 20));
  else if (stall !== undefined) response.write(body.subarray(0, stall));
  else response.end(body);
}
