/** Which folder is the cache, and which of its files are models. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { cachedModels, cacheFolder } from "../../src/cli/cachedModels.ts";

const folder = mkdtempSync(join(tmpdir(), "trimtab-cache-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("the cache folder", () => {
  it("is where Python's huggingface_hub has it", () => {
    const XDG_CACHE_HOME = "/x";
    const HF_HOME = "/h";
    expect(cacheFolder({})).toBe(join(homedir(), ".cache", "huggingface", "hub"));
    expect(cacheFolder({ XDG_CACHE_HOME })).toBe(join("/x", "huggingface", "hub"));
    expect(cacheFolder({ XDG_CACHE_HOME, HF_HOME })).toBe(join("/h", "hub"));
    expect(cacheFolder({ HF_HOME, HUGGINGFACE_HUB_CACHE: "/old" })).toBe("/old");
    expect(cacheFolder({ HF_HOME, HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/new" })).toBe("/new");
    expect(cacheFolder({ HF_HUB_CACHE: "", HF_HOME })).toBe(join("/h", "hub"));
  });
});

describe("cached models", () => {
  it("are .gguf files and whole folders; half of a download is none", async () => {
    const snapshot = (repo: string, commit: string): string => {
      const path = join(folder, repo, "snapshots", commit);
      mkdirSync(path, { recursive: true });
      mkdirSync(join(folder, repo, "blobs"), { recursive: true });
      return path;
    };
    const one = snapshot("models--org--my--name", "c1");
    writeFileSync(join(folder, "models--org--my--name", "blobs", "b1"), "12345");
    symlinkSync(join("..", "..", "blobs", "b1"), join(one, "q4.gguf"));
    symlinkSync(join("..", "..", "blobs", "gone"), join(one, "half.gguf"));
    const two = snapshot("models--a--hf", "c2");
    writeFileSync(join(two, "config.json"), "{}");
    writeFileSync(join(two, "model-00001-of-00002.safetensors"), "1234567");
    writeFileSync(join(two, "model-00002-of-00002.safetensors"), "123");
    writeFileSync(join(snapshot("models--a--no-weights", "c3"), "config.json"), "{}");
    mkdirSync(join(folder, "datasets--a--b"));
    writeFileSync(join(folder, "version.txt"), "1");
    expect(await cachedModels(folder)).toEqual([
      { name: "a/hf", commit: "c2", path: two, bytes: 10 },
      { name: "org/my--name:q4.gguf", commit: "c1", path: join(one, "q4.gguf"), bytes: 5 },
    ]);
    expect(await cachedModels(join(folder, "nowhere"))).toEqual([]);
  });
});
