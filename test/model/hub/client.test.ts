/** The hub client against a hub that misbehaves: the cache must hold whole, right files or none. */
import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { hostname, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { downloadFile, type HubOptions } from "../../../src/model/hub/index.ts";
import { COMMIT, type MockHub, mockHub } from "./mockHub.ts";

const REPO = "org/name";
const FILE = "sub/weights.bin";
const body = randomBytes(300_000);
const sha256 = createHash("sha256").update(body).digest("hex");

let home: string;
let hub: MockHub;
let waits: number[];

const options = (o: Partial<HubOptions> & { url?: string } = {}): HubOptions => ({
  env: { HF_HOME: home, HF_ENDPOINT: o.url ?? hub.url },
  delay: async (ms) => {
    waits.push(ms);
    await new Promise(setImmediate);
  },
  ...o,
});
const get = (o: Parameters<typeof options>[0] = {}, request = {}): Promise<string> =>
  downloadFile({ repo: REPO, file: FILE, ...request }, options(o));
const folder = (): string => join(home, "hub", "models--org--name");

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "trimtab-hub-"));
  hub = await mockHub();
  hub.files.set(`${REPO}/${FILE}`, { body });
  waits = [];
});
afterEach(async () => {
  await hub.close();
  rmSync(home, { recursive: true, force: true });
});

describe("a download", () => {
  it("lies in the cache as Python's huggingface_hub lays it", async () => {
    const path = await get();
    expect(path).toBe(join(folder(), "snapshots", COMMIT, FILE));
    expect(readFileSync(path).equals(body)).toBe(true);
    expect(readlinkSync(path)).toBe(join("..", "..", "..", "blobs", sha256));
    expect(readFileSync(join(folder(), "refs", "main"), "utf8")).toBe(COMMIT);
    expect(readdirSync(join(folder(), "blobs"))).toEqual([sha256]);
  });

  it("is made once: later the cache answers, also offline and with the hub gone", async () => {
    const path = await get();
    const requests = hub.seen.length;
    expect(await get()).toBe(path);
    expect(await get({ offline: true })).toBe(path);
    expect(hub.seen.length).toBe(requests);
  });

  it("reports progress up to the whole", async () => {
    const events: number[] = [];
    await get({ onProgress: (e) => events.push(e.loadedBytes / e.totalBytes) });
    expect(events.at(-1)).toBe(1);
    expect([...events].sort((a, b) => a - b)).toEqual(events);
  });

  it("goes on where it broke off, again and again", async () => {
    hub.files.get(`${REPO}/${FILE}`)!.dieAfter = [100_000, 50_000, 1];
    expect(readFileSync(await get()).equals(body)).toBe(true);
    const ranges = hub.seen.filter((s) => s.method === "GET").map((s) => s.range);
    expect(ranges[0]).toBeUndefined();
    expect(ranges.slice(1).every((r) => /^bytes=[1-9]\d*-$/.test(r!))).toBe(true);
    expect(ranges.length).toBe(4);
  });

  it("goes on in a later process from what an earlier one left", async () => {
    hub.files.get(`${REPO}/${FILE}`)!.dieAfter = [70_000, 0, 0, 0, 0];
    await expect(get()).rejects.toThrow(/broke off 5 times.*it goes on where it stopped/);
    expect(existsSync(join(folder(), "snapshots"))).toBe(false);
    expect(readFileSync(await get()).equals(body)).toBe(true);
    expect(hub.seen.at(-1)!.range).toMatch(/^bytes=70000-$/);
  });

  it("stops at a signal, keeps the part, and takes nothing partial for whole", async () => {
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(new Error("enough"));
    await expect(get({ signal: controller.signal, onProgress })).rejects.toThrow("enough");
    await expect(get({ offline: true })).rejects.toThrow(/not in the cache/);
    expect(readFileSync(await get()).equals(body)).toBe(true);
  });

  it("waits for a lock, and breaks one that a dead process left", async () => {
    const lock = join(folder(), "blobs", `${sha256}.lock`);
    mkdirSync(dirname(lock), { recursive: true });
    writeFileSync(lock, "1");
    utimesSync(lock, new Date(0), new Date(0));
    expect(readFileSync(await get()).equals(body)).toBe(true);
    expect(existsSync(lock)).toBe(false);
  });

  it("breaks the lock of a dead process of this machine at once, and waits for a live one", async () => {
    const lock = join(folder(), "blobs", `${sha256}.lock`);
    mkdirSync(dirname(lock), { recursive: true });
    const { pid } = spawnSync(process.execPath, ["-e", ""]);
    writeFileSync(lock, `${pid} ${hostname()} x`);
    expect(readFileSync(await get()).equals(body)).toBe(true);
    expect(waits).toEqual([]);

    rmSync(folder(), { recursive: true });
    mkdirSync(dirname(lock), { recursive: true });
    writeFileSync(lock, `${process.ppid} ${hostname()} x`);
    const delay = async (): Promise<void> => {
      writeFileSync(join(dirname(lock), sha256), body);
      rmSync(lock);
    };
    const before = hub.seen.length;
    expect(readFileSync(await get({ delay })).equals(body)).toBe(true);
    // The other process had fetched it: only the facts were asked for.
    expect(hub.seen.slice(before).map((s) => s.method)).toEqual(["HEAD"]);
    expect(existsSync(lock)).toBe(false);
  });

  it("by several callers at once is made once", async () => {
    const paths = await Promise.all([get(), get(), get()]);
    expect(new Set(paths).size).toBe(1);
    expect(hub.seen.filter((s) => s.method === "GET")).toHaveLength(1);
    expect(readdirSync(join(folder(), "blobs"))).toEqual([sha256]);
  });

  it("of small and of empty files goes as the hub redirects within itself", async () => {
    await hub.close();
    hub = await mockHub({ inner: true, token: "secret" });
    hub.files.set(`${REPO}/config.json`, { body: Buffer.from("{}"), etag: "a".repeat(40), small: true });
    hub.files.set(`${REPO}/empty.txt`, { body: Buffer.alloc(0), etag: "b".repeat(40), small: true });
    const env = { HF_HOME: home, HF_ENDPOINT: `${hub.url}/`, HF_TOKEN: " secret\n" };
    expect(readFileSync(await get({ env }, { file: "config.json" }), "utf8")).toBe("{}");
    expect(readFileSync(await get({ env }, { file: "empty.txt" }), "utf8")).toBe("");
    expect(readdirSync(join(folder(), "blobs")).sort()).toEqual(["a".repeat(40), "b".repeat(40)]);
  });

  it("starts over where the server ignores Range, or sends another range, or the part is damaged", async () => {
    const file = hub.files.get(`${REPO}/${FILE}`)!;
    for (const ranges of ["ignore", "shift"] as const) {
      Object.assign(file, { dieAfter: [100_000], ranges });
      expect(readFileSync(await get()).equals(body), ranges).toBe(true);
      rmSync(folder(), { recursive: true });
    }
    file.ranges = undefined;
    mkdirSync(join(folder(), "blobs"), { recursive: true });
    writeFileSync(join(folder(), "blobs", `${sha256}.incomplete`), randomBytes(1000));
    expect(readFileSync(await get()).equals(body)).toBe(true);
  });

  it("that stalls is taken up again", async () => {
    hub.files.get(`${REPO}/${FILE}`)!.stallAfter = [100_000];
    const env = { HF_HOME: home, HF_ENDPOINT: hub.url, HF_HUB_DOWNLOAD_TIMEOUT: "0.3" };
    expect(readFileSync(await get({ env })).equals(body)).toBe(true);
    expect(hub.seen.at(-1)!.range).toBe("bytes=100000-");
  });

  it("that stalls, and a long wait, stop at once at a signal", async () => {
    hub.files.get(`${REPO}/${FILE}`)!.stallAfter = [100_000];
    const started = performance.now();
    await expect(get({ signal: AbortSignal.timeout(200) })).rejects.toThrow(/timeout/);
    hub.files.get(`${REPO}/${FILE}`)!.answers = [{ status: 429, retryAfter: "15" }];
    await expect(get({ signal: AbortSignal.timeout(200), delay: undefined })).rejects.toThrow(/timeout/);
    expect(performance.now() - started).toBeLessThan(3000);
  });

  it("is of one commit, also where the branch moves meanwhile", async () => {
    hub.files.get(`${REPO}/${FILE}`)!.dieAfter = [100_000];
    hub.before = (seen) => void (seen.method === "GET" && (hub.commit = "f".repeat(40)));
    expect(await get()).toContain(COMMIT);
    const asked = hub.seen.filter((s) => s.method === "GET").map((s) => s.path);
    expect(asked).toEqual(Array(2).fill(`/${REPO}/resolve/${COMMIT}/${FILE}`));
  });

  it("that cannot be written says where and what to do", async () => {
    writeFileSync(join(home, "hub"), "a file where the cache should be");
    await expect(get()).rejects.toThrow(/cannot be written: .*set HF_HOME/);
    await expect(get()).rejects.toMatchObject({ code: "E_DATA" });
  });

  it.each([
    ["../escape", "main", FILE],
    ["org/..", "main", FILE],
    [REPO, "../../x", FILE],
    [REPO, "", FILE],
    [REPO, "main", "../../../x"],
    [REPO, "main", "/etc/passwd"],
    [REPO, "main", "a\\b"],
  ])("of %s %s %s is refused", async (repo, revision, file) => {
    await expect(downloadFile({ repo, revision, file }, options())).rejects.toMatchObject({ code: "E_OPTION" });
    expect(hub.seen).toEqual([]);
  });
});

describe("a hub that lies", () => {
  it.each([
    ["a wrong hash", { etag: "ab".repeat(32) }, /has the SHA-256 .* expected abab/],
    ["too large a size", { size: 300_001 }, /broke off|expected 300001/],
    ["too small a size", { size: 299_999 }, /more than the 299999 bytes that it announced/],
  ])("about %s leaves nothing behind that looks whole", async (_what, lie, message) => {
    Object.assign(hub.files.get(`${REPO}/${FILE}`)!, lie);
    await expect(get()).rejects.toThrow(message);
    expect(existsSync(join(folder(), "snapshots"))).toBe(false);
    expect(readdirSync(join(folder(), "blobs")).filter((f) => !f.endsWith(".incomplete"))).toEqual([]);
  });

  it("is caught by the hash that was expected", async () => {
    hub.files.get(`${REPO}/${FILE}`)!.etag = "plain-etag";
    await expect(get({}, { expectedSha256: "cd".repeat(32) })).rejects.toThrow(/expected cdcd/);
    hub.files.get(`${REPO}/${FILE}`)!.etag = undefined;
    const asked = hub.seen.length;
    await expect(get({}, { expectedSha256: "cd".repeat(32) })).rejects.toThrow(/on the hub, expected cdcd/);
    expect(hub.seen.slice(asked).map((s) => s.method)).toEqual(["HEAD"]);
  });

  it("or changes the file during the download, is found out", async () => {
    const file = hub.files.get(`${REPO}/${FILE}`)!;
    file.dieAfter = [1000];
    hub.before = ({ range }) => void (range && Object.assign(file, { body: randomBytes(300_000) }));
    await expect(get()).rejects.toThrow(/changed on the hub during the download/);
    expect(existsSync(join(folder(), "snapshots"))).toBe(false);
    // What came of the old file is not spliced with the new one.
    hub.before = () => {};
    expect(readFileSync(await get()).equals(file.body)).toBe(true);
  });

  it.each([
    ["a path for an ETag", { etag: "../../x" }],
    ["no ETag", { etag: "", small: true }],
  ])("with %s is refused", async (_what, lie) => {
    Object.assign(hub.files.get(`${REPO}/${FILE}`)!, lie);
    await expect(get()).rejects.toThrow(/no usable ETag/);
  });
});

describe("answers", () => {
  it.each([
    [401, "E_HUB_AUTH", /access refused \(401\).*HF_TOKEN/],
    [403, "E_HUB_AUTH", /access refused \(403\)/],
    [418, "E_HUB", /answered 418/],
  ])("%i are explained", async (status, code, message) => {
    hub.files.get(`${REPO}/${FILE}`)!.answers = [{ status }];
    await expect(get()).rejects.toThrow(message);
    hub.files.get(`${REPO}/${FILE}`)!.answers = [{ status }];
    await expect(get()).rejects.toMatchObject({ code });
  });

  it("404 name what was looked for", async () => {
    await expect(downloadFile({ repo: REPO, file: "no.bin", revision: "v2" }, options())).rejects.toThrow(
      /org\/name\/no\.bin@v2: not found/,
    );
  });

  it("429 and 500 are waited out, as long as the hub asks", async () => {
    hub.files.get(`${REPO}/${FILE}`)!.answers = [
      { status: 429, retryAfter: "7" },
      { status: 500 },
      { status: 503, retryAfter: new Date(Date.now() + 3_600_000).toUTCString() },
    ];
    expect(readFileSync(await get()).equals(body)).toBe(true);
    expect(waits).toEqual([7000, 1000, 20_000]);
  });

  it("that do not come, as a kept connection was closed meanwhile, are asked for again", async () => {
    hub.files.get(`${REPO}/${FILE}`)!.answers = [{ status: 0 }];
    expect(readFileSync(await get()).equals(body)).toBe(true);
    expect(waits).toEqual([500]);
    rmSync(folder(), { recursive: true });
    hub.files.get(`${REPO}/${FILE}`)!.answers = Array.from({ length: 9 }, () => ({ status: 0 }));
    await expect(get()).rejects.toThrow(/cannot be reached/);
  });

  it("that stay busy are given up", async () => {
    hub.files.get(`${REPO}/${FILE}`)!.answers = Array.from({ length: 9 }, () => ({ status: 503 }));
    await expect(get()).rejects.toThrow(/answered 503 4 times/);
  });
});

describe("the token", () => {
  it("goes to the hub and never to where it redirects", async () => {
    await hub.close();
    hub = await mockHub({ cdn: true, token: "secret" });
    hub.files.set(`${REPO}/${FILE}`, { body });
    const env = { HF_HOME: home, HF_ENDPOINT: hub.url };
    await expect(downloadFile({ repo: REPO, file: FILE }, { env })).rejects.toThrow(/HF_TOKEN/);
    const path = await downloadFile({ repo: REPO, file: FILE }, { env: { ...env, HF_TOKEN: "secret" } });
    expect(readFileSync(path).equals(body)).toBe(true);
    expect(hub.seen.filter((s) => s.host === "cdn").length).toBeGreaterThan(0);
    expect(hub.seen.filter((s) => s.host === "cdn" && s.authorization)).toEqual([]);
    expect(readdirSync(join(folder(), "blobs"))).toEqual([sha256]);
  });

  it("is never shown, and a bad one is refused before it is sent", async () => {
    const env = { HF_HOME: home, HF_ENDPOINT: hub.url, HF_TOKEN: "sec\nret" };
    const error = (await get({ env }).catch((e: unknown) => e)) as Error;
    expect(error).toMatchObject({ code: "E_HUB_AUTH" });
    expect(error.message).toMatch(/HF_TOKEN/);
    expect(error.message).not.toMatch(/sec|ret/);
    expect(hub.seen).toEqual([]);
  });

  it("is read from the file that hf auth login writes", async () => {
    await hub.close();
    hub = await mockHub({ token: "from-file" });
    hub.files.set(`${REPO}/${FILE}`, { body });
    writeFileSync(join(home, "token"), "from-file\n");
    expect(readFileSync(await get()).equals(body)).toBe(true);
  });
});

describe("no hub", () => {
  it("at a closed port costs no time", async () => {
    const { url } = hub;
    await hub.close();
    const started = performance.now();
    await expect(get({ url })).rejects.toThrow(/cannot be reached/);
    expect(performance.now() - started).toBeLessThan(2000);
    hub = await mockHub();
  });

  it("that accepts and never answers costs a few seconds at most", async () => {
    const hole = createServer(() => {});
    await new Promise<void>((resolve) => hole.listen(0, "127.0.0.1", resolve));
    const { port } = hole.address() as { port: number };
    const started = performance.now();
    await expect(get({ url: `http://127.0.0.1:${port}` })).rejects.toThrow(/no answer within 3 s/);
    expect(performance.now() - started).toBeLessThan(6000);
    hole.close();
  });

  it.each(["nonsense", "file:///etc", "http://user:pass@localhost"])("is at %s", async (url) => {
    await expect(get({ url })).rejects.toThrow(/^HF_ENDPOINT is not the address of a hub — give/);
  });

  it("is asked in offline mode", async () => {
    await expect(get({ offline: true })).rejects.toMatchObject({ code: "E_HUB_OFFLINE" });
    const env = { HF_HOME: home, HF_ENDPOINT: hub.url, HF_HUB_OFFLINE: "1" };
    await expect(downloadFile({ repo: REPO, file: FILE }, { env })).rejects.toThrow(/offline mode is on/);
    expect(hub.seen).toEqual([]);
  });
});
