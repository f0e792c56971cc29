/** HTTP Range sources against a server on loopback that behaves, and against ones that do not. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { httpSource, openSafetensors, writeSafetensors } from "../../src/formats/index.ts";
import { TrimtabError } from "../../src/tensor/errors.ts";
import { refused } from "./build.ts";

const values = Float32Array.from({ length: 50_000 }, (_, i) => i / 7);
const file = writeSafetensors([
  { name: "a", dtype: "u8", shape: [3], bytes: Uint8Array.of(1, 2, 3) },
  { name: "b", dtype: "f32", shape: [values.length], bytes: new Uint8Array(values.buffer) },
]);

interface Request {
  readonly method: string | undefined;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly encoding: string | undefined;
}
const seen: Request[] = [];

/** Answers a range as it should, with `change`d headers or body. */
function answer(
  request: IncomingMessage,
  response: ServerResponse,
  change: { headers?: Record<string, string>; body?: Uint8Array; status?: number } = {},
): void {
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "") ?? [];
  const body = change.body ?? file.subarray(Number(from), Number(to) + 1);
  const range = `bytes ${from}-${to}/${file.length}`;
  response.writeHead(change.status ?? 206, { "content-range": range, etag: '"1"', ...change.headers });
  response.end(body);
}

let count = 0;
/** By path; the second and later requests of a source are reads. */
const BEHAVIOURS: Record<string, (request: IncomingMessage, response: ServerResponse, first: boolean) => void> = {
  "/good": (q, r) => answer(q, r),
  "/moved": (_, r) => r.writeHead(302, { location: "/good" }).end(),
  "/ignores-range": (_, r) => r.writeHead(200).end(file),
  "/no-size": (q, r) =>
    answer(q, r, { headers: { "content-range": "bytes 0-0/*" }, status: q.method === "HEAD" ? 405 : 206 }),
  "/hidden-range": (q, r) =>
    q.method === "HEAD"
      ? r.writeHead(200, { "content-length": String(file.length) }).end()
      : answer(q, r, { headers: { "content-range": "" } }),
  "/short": (q, r, first) => answer(q, r, first ? {} : { body: new Uint8Array(3) }),
  "/long": (q, r, first) => answer(q, r, first ? {} : { body: new Uint8Array(1 << 20) }),
  "/shifted": (q, r, first) => answer(q, r, first ? {} : { headers: { "content-range": `bytes 1-8/${file.length}` } }),
  "/changes": (q, r) => answer(q, r, { headers: { etag: `"${count++}"` } }),
  "/grows": (q, r, first) => answer(q, r, first ? {} : { headers: { "content-range": "bytes 0-7/99" } }),
  "/lies-about-size": (q, r, first) =>
    answer(q, r, first ? { headers: { "content-range": "bytes 0-0/999999999" } } : { status: 416 }),
  "/dies": (q, r, first) => {
    if (first) return answer(q, r);
    r.writeHead(206, {
      "content-range": `${q.headers.range!.replace("=", " ")}/${file.length}`,
      etag: '"1"',
      "content-length": "8",
    });
    r.write("abc", () => r.destroy());
  },
  "/stalls": (q, r, first) => {
    if (first) return answer(q, r);
    r.writeHead(206, { "content-range": `${q.headers.range!.replace("=", " ")}/${file.length}`, etag: '"1"' });
    r.write("abc");
  },
  "/hangs": (q, r, first) => (first ? answer(q, r) : undefined),
};

let server: Server;
let base: string;
beforeAll(async () => {
  const visits = new Map<string, number>();
  server = createServer((request, response) => {
    const { method, headers, url = "/" } = request;
    seen.push({
      method,
      range: headers.range,
      authorization: headers.authorization,
      encoding: headers["accept-encoding"] as string,
    });
    const visit = (visits.get(url) ?? 0) + 1;
    visits.set(url, visit);
    const status = /^\/status\/(\d+)$/.exec(url)?.[1];
    if (status) response.writeHead(Number(status)).end("no");
    else BEHAVIOURS[url.split("?")[0]!]!(request, response, visit === 1);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

const code = async (promise: Promise<unknown>): Promise<[string, string]> => {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(TrimtabError);
  return [(error as TrimtabError).code, (error as TrimtabError).message];
};

describe("httpSource", () => {
  it.each(["/good", "/moved", "/hidden-range"])(
    "opens a model over %s and reads one tensor, not the others",
    async (path) => {
      seen.length = 0;
      const source = await httpSource(base + path, { headers: { authorization: "Bearer t" } });
      expect(source.sizeBytes).toBe(file.length);
      const model = await openSafetensors(source);
      expect([...(await model.read("a"))]).toEqual([1, 2, 3]);
      expect(Buffer.from(values.buffer).equals(await model.read("b"))).toBe(true);
      const gets = seen.filter((q) => q.method === "GET");
      expect(gets.every((q) => /^bytes=\d+-\d+$/.test(q.range ?? "") && q.encoding === "identity")).toBe(true);
      expect(seen.every((q) => q.authorization === "Bearer t")).toBe(true);
      expect((await source.read(5, 0)).length).toBe(0);
      await refused(source.read(file.length - 1, 2), /past the end/);
      await model.close();
    },
  );

  it("refuses a server that ignores Range, without taking the file", async () => {
    expect(await code(httpSource(`${base}/ignores-range`))).toEqual([
      "E_HUB",
      expect.stringMatching(/ignores Range requests .*download the file/),
    ]);
  });

  it.each([
    [404, "E_HUB_NOT_FOUND"],
    [401, "E_HUB_AUTH"],
    [403, "E_HUB_AUTH"],
    [429, "E_HUB"],
    [500, "E_HUB"],
  ])("names the status %i", async (status, expected) => {
    expect(await code(httpSource(`${base}/status/${status}`))).toEqual([
      expected,
      expect.stringContaining(`answered ${status}`),
    ]);
  });

  it("says that there is no server, or no size", async () => {
    expect(await code(httpSource("http://127.0.0.1:1/x"))).toEqual([
      "E_HUB",
      expect.stringContaining("no answer from the server"),
    ]);
    expect((await code(httpSource(`${base}/no-size`)))[0]).toBe("E_HUB");
  });

  it.each([
    ["/short", /sent only 3 of 8 bytes/],
    ["/long", /sent more than 8 bytes/],
    ["/shifted", /asked for bytes 0-7, got 1-8/],
    ["/changes", /changed while it was read/],
    ["/grows", /changed while it was read/],
  ])("refuses a wrong reply: %s", async (path, message) => {
    const source = await httpSource(base + path);
    await refused(source.read(0, 8), message);
  });

  it.each([
    ["/dies", /connection broke after 3 of 8 bytes/],
    ["/lies-about-size", /answered 416/],
  ])("reports a broken transfer: %s", async (path, message) => {
    const source = await httpSource(base + path);
    expect(await code(source.read(0, 8))).toEqual(["E_HUB", expect.stringMatching(message)]);
  });

  it("stops by the signal of the source in the middle of a body", async () => {
    const whole = new AbortController();
    const source = await httpSource(`${base}/stalls`, { signal: whole.signal });
    const read = source.read(0, 8);
    setTimeout(() => whole.abort(new Error("all over")), 50);
    await expect(read).rejects.toThrow("all over");
  });

  it("stops by the signal of a read or of the source", async () => {
    const own = new AbortController();
    const whole = new AbortController();
    const source = await httpSource(`${base}/hangs`, { signal: whole.signal });
    const first = source.read(0, 8, own.signal);
    setTimeout(() => own.abort(new Error("enough")), 20);
    await expect(first).rejects.toThrow("enough");
    const second = source.read(0, 8, new AbortController().signal);
    setTimeout(() => whole.abort(new Error("all over")), 20);
    await expect(second).rejects.toThrow("all over");
  });

  it("takes another fetch, and refuses options it does not know", async () => {
    let calls = 0;
    const counting: typeof fetch = (...args) => {
      calls++;
      return fetch(...args);
    };
    await (await httpSource(`${base}/good`, { fetch: counting })).read(0, 8);
    expect(calls).toBe(2);
    expect(await code(httpSource(`${base}/good`, { header: {} } as object))).toEqual([
      "E_OPTION",
      expect.stringContaining('did you mean "headers"'),
    ]);
  });
});
