/** Sharded safetensors: the tiny Llama as transformers wrote it, and indexes that lie. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  type ByteSource,
  bufferSource,
  fileSource,
  openSafetensorsShards,
  writeSafetensors,
} from "../../src/formats/index.ts";
import { fixtures } from "../support/needs.ts";
import { type Counted, counted, refused } from "./build.ts";

describe("sharded safetensors", () => {
  const folder = join(fixtures, "tiny", "llama");

  it("reads the tiny Llama in six shards", async () => {
    const index = await fileSource(join(folder, "model.safetensors.index.json"));
    const file = await openSafetensorsShards(index, (name) => fileSource(join(folder, name)));
    const { weight_map, metadata } = JSON.parse(readFileSync(join(folder, "model.safetensors.index.json"), "utf8")) as {
      weight_map: Record<string, string>;
      metadata: { total_size: number };
    };
    expect([...file.tensors.keys()].sort()).toEqual(Object.keys(weight_map).sort());
    expect([...file.tensors.values()].reduce((n, t) => n + t.bytes, 0)).toBe(metadata.total_size);
    for (const [name, shard] of Object.entries(weight_map)) {
      const { offsetBytes, bytes } = file.tensors.get(name)!;
      const expected = readFileSync(join(folder, shard)).subarray(offsetBytes, offsetBytes + bytes);
      expect(Buffer.from(await file.read(name)).equals(expected)).toBe(true);
    }
    expect(file.metadata.get("format")).toBe("pt");
    expect(Buffer.from(file.headerBytes).toString()).toContain(
      Object.keys(weight_map).find((n) => weight_map[n]!.includes("00001"))!,
    );
    await refused(file.read("toString"), /no tensor "toString"/);
    await file.close();
  });
});

describe("damaged indexes", () => {
  const part = (...names: string[]) =>
    writeSafetensors(
      names.map((name) => ({ name, dtype: "u8", shape: [1], bytes: Uint8Array.of(name.charCodeAt(0)) })),
    );
  const shards: Record<string, Uint8Array> = {
    "one.safetensors": part("a", "b"),
    "two.safetensors": part("c"),
    "broken.safetensors": part("d").subarray(0, 20),
  };

  /** Opens an index over `shards`; returns what was opened too. */
  function openIndex(index: unknown): { opened: Counted[]; result: ReturnType<typeof openSafetensorsShards> } {
    const opened: Counted[] = [];
    const track = (s: ByteSource): ByteSource => {
      const source = counted(s);
      opened.push(source);
      return source;
    };
    const bytes = new TextEncoder().encode(typeof index === "string" ? index : JSON.stringify(index));
    const result = openSafetensorsShards(track(bufferSource(bytes, "index.json")), async (name) => {
      const shard = shards[name];
      if (!shard) throw new Error(`asked for ${name}`);
      return track(bufferSource(shard, name));
    });
    return { opened, result };
  }

  const sound = { a: "one.safetensors", b: "one.safetensors", c: "two.safetensors" };

  it("opens a sound one, each shard once, and closes all", async () => {
    const { opened, result } = openIndex({ metadata: { total_size: 3.0 }, weight_map: sound });
    const file = await result;
    expect(opened.map((s) => s.name)).toEqual(["index.json", "one.safetensors", "two.safetensors"]);
    expect([...(await file.read("c"))]).toEqual([99]);
    await file.close();
    expect(opened.every((s) => s.counts.closed === 1)).toBe(true);
  });

  const at = (shard: unknown) => ({ weight_map: { ...sound, c: shard } });
  it.each<[string, unknown, RegExp]>([
    ["text that is no JSON", "{", /not valid JSON/],
    ["no weight_map", {}, /no weight_map/],
    ["an empty weight_map", { weight_map: {} }, /weight_map is empty/],
    ["a weight_map that is an array", { weight_map: ["a"] }, /no weight_map/],
    ["a tensor named twice", '{"weight_map":{"a":"one.safetensors","a":"two.safetensors"}}', /"a" twice/],
    ["a shard that is a number", at(1), /names the shard 1/],
    ["..", at(".."), /names the shard "\.\."/],
    ["a path upwards", at("../two.safetensors"), /a shard is a plain file name/],
    ["dots inside a name", at("a..safetensors"), /plain file name/],
    ["a folder", at("x/two.safetensors"), /plain file name/],
    ["an absolute path", at("/etc/passwd"), /names the shard "\/etc\/passwd"/],
    ["a Windows path", at("C:\\two.safetensors"), /plain file name/],
    ["a backslash", at("..\\two.safetensors"), /plain file name/],
    ["an encoded path", at("%2e%2e%2ftwo.safetensors"), /plain file name/],
    ["a URL", at("https://x.test/two.safetensors"), /plain file name/],
    ["a NUL", at("two.safetensors\u0000"), /plain file name/],
    ["a line break", at("two.safetensors\n"), /plain file name/],
    ["a hidden file", at(".two.safetensors"), /plain file name/],
    ["full-width dots", at("．．"), /plain file name/],
    ["an empty name", at(""), /names the shard ""/],
    ["a name of 300 characters", at("x".repeat(300)), /plain file name/],
    [
      "a tensor in a shard that has it not",
      at("one.safetensors"),
      /places tensor "c" in one\.safetensors, which does not have it/,
    ],
    [
      "a tensor that the index lacks",
      { weight_map: { a: "one.safetensors", c: "two.safetensors" } },
      /one\.safetensors holds tensor "b"/,
    ],
    ["a broken shard", { weight_map: { ...sound, d: "broken.safetensors" } }, /broken\.safetensors/],
  ])("refuses %s and leaves nothing open", async (_, index, message) => {
    const { opened, result } = openIndex(index);
    await refused(result, message);
    expect(opened.every((s) => s.counts.closed === 1)).toBe(true);
  });

  it("passes on the error of opening a shard, the others closed", async () => {
    const { opened, result } = openIndex({ weight_map: { ...sound, z: "zzz.safetensors" } });
    await expect(result).rejects.toThrow("asked for zzz.safetensors");
    expect(opened.length).toBe(3);
    expect(opened.every((s) => s.counts.closed === 1)).toBe(true);
  });
});
