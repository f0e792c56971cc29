/** Requests as the hub client makes them: they stop when they are told to, and leave nothing behind. */
import { createServer as createHttpServer, type Server } from "node:http";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { expect, it } from "vitest";
import { sendRequest } from "../../../src/model/hub/httpRequest.ts";

const listen = async (server: { listen(port: number, host: string, done: () => void): unknown }): Promise<void> =>
  new Promise((resolve) => void server.listen(0, "127.0.0.1", resolve));
const urlOf = (server: { address(): unknown }): URL =>
  new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/x`);

async function withServer(
  answer: Parameters<typeof createHttpServer>[1],
  test: (url: URL) => Promise<void>,
): Promise<void> {
  const server: Server = createHttpServer(answer!);
  await listen(server);
  try {
    await test(urlOf(server));
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

it("that get no answer stop at their signal and leave no connection", async () => {
  const sockets = new Set<Socket>();
  const hole = createServer((socket) => {
    sockets.add(socket);
    socket
      .resume()
      .on("error", () => {})
      .on("close", () => sockets.delete(socket));
  });
  await listen(hole);
  try {
    const started = performance.now();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const stop = new AbortController();
        setTimeout(() => stop.abort(new Error("too late")), 300);
        const lost = new Promise((resolve) => setTimeout(() => resolve("hangs"), 8000).unref());
        const sent = sendRequest(urlOf(hole), { method: "GET", headers: {}, signal: stop.signal });
        return Promise.race([sent.catch((error: Error) => error.message), lost]);
      }),
    );
    expect(new Set(outcomes)).toEqual(new Set(["too late"]));
    expect(performance.now() - started).toBeLessThan(4000);
    await expect.poll(() => sockets.size).toBe(0);
  } finally {
    for (const socket of sockets) socket.destroy();
    hole.close();
  }
});

it("stop their body at the signal", () =>
  withServer(
    (_, response) => void response.writeHead(200, { "content-length": 1000 }).write("begun"),
    async (url) => {
      const stop = new AbortController();
      const response = await sendRequest(url, { method: "GET", headers: {}, signal: stop.signal });
      const reader = response.body!.getReader();
      expect(new TextDecoder().decode((await reader.read()).value)).toBe("begun");
      setTimeout(() => stop.abort(new Error("enough")), 50);
      await expect(reader.read()).rejects.toThrow("enough");
    },
  ));

it("fail where the body ends early, and do not follow or decode", () =>
  withServer(
    (request, response) => {
      if (request.url === "/x")
        return void response.writeHead(302, { location: "/y", "content-encoding": "gzip" }).end("plain");
      response.writeHead(200, { "content-length": 1000 }).write("begun", () => response.destroy());
    },
    async (url) => {
      const { signal } = new AbortController();
      const first = await sendRequest(url, { method: "GET", headers: {}, signal });
      expect([first.status, first.headers.get("location"), await first.text()]).toEqual([302, "/y", "plain"]);
      const second = await sendRequest(new URL("/y", url), { method: "GET", headers: {}, signal });
      await expect(second.text()).rejects.toThrow();
      const head = await sendRequest(new URL("/x", url), { method: "HEAD", headers: {}, signal });
      expect([head.status, head.body]).toEqual([302, null]);
    },
  ));

it("refuse a signal that was aborted before", async () => {
  const signal = AbortSignal.abort(new Error("never began"));
  await expect(sendRequest(new URL("http://127.0.0.1:1/"), { method: "GET", headers: {}, signal })).rejects.toThrow(
    "never began",
  );
});
