/** Which files of the cache are models. */
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { modelsAmong } from "../../src/cli/cachedModels.ts";
import { listCached } from "../../src/model/hub/index.ts";

const folder = mkdtempSync(join(tmpdir(), "trimtab-cache-"));
afterAll(() => rmSync(folder, { recursive: true }));

function snapshot(repo: string, commit: string): string {
  const path = join(folder, repo, "snapshots", commit);
  mkdirSync(path, { recursive: true });
  mkdirSync(join(folder, repo, "blobs"), { recursive: true });
  return path;
}

it("lists .gguf files and whole folders; half of a download is no model", async () => {
  const one = snapshot("models--org--name", "c1");
  writeFileSync(join(folder, "models--org--name", "blobs", "b1"), "12345");
  symlinkSync(join("..", "..", "blobs", "b1"), join(one, "q4.gguf"));
  symlinkSync(join("..", "..", "blobs", "gone"), join(one, "half.gguf"));
  const two = snapshot("models--a--hf", "c2");
  writeFileSync(join(two, "config.json"), "{}");
  writeFileSync(join(two, "model-00001-of-00002.safetensors"), "1234567");
  writeFileSync(join(two, "model-00002-of-00002.safetensors"), "123");
  mkdirSync(join(two, "onnx"));
  writeFileSync(join(two, "onnx", "model.gguf"), "not at the top");
  writeFileSync(join(snapshot("models--a--no-weights", "c3"), "config.json"), "{}");
  mkdirSync(join(folder, "datasets--a--b"));
  expect(modelsAmong(await listCached({ HF_HUB_CACHE: folder }))).toEqual([
    { name: "a/hf", commit: "c2", path: two, bytes: 10 },
    { name: "org/name:q4.gguf", commit: "c1", path: join(one, "q4.gguf"), bytes: 5 },
  ]);
  expect(modelsAmong([])).toEqual([]);
});
