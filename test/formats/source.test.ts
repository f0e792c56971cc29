/** Files, Blobs and memory as sources; files beyond 4 GB. */
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ByteSource, blobSource, bufferSource, fileSource, openSafetensors } from "../../src/formats/index.ts";
import { concat, refused, u64 } from "./build.ts";

const content = Uint8Array.from({ length: 1001 }, (_, i) => (i * 31) & 255);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "trimtab-formats-"));
  await writeFile(join(folder, "a.bin"), content);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const SOURCES: Record<string, () => Promise<ByteSource>> = {
  fileSource: () => fileSource(join(folder, "a.bin")),
  blobSource: async () => blobSource(new Blob([content.subarray(0, 500), content.subarray(500)]), "a.bin"),
  bufferSource: async () => bufferSource(concat(new Uint8Array(3), content).subarray(3), "a.bin"),
};

describe.each(Object.keys(SOURCES))("%s", (kind) => {
  it("reads exactly what is asked for", async () => {
    const source = await SOURCES[kind]!();
    expect(source.sizeBytes).toBe(1001);
    expect(source.name).toMatch(/a\.bin$/);
    for (const [from, length] of [
      [0, 1001],
      [1, 7],
      [499, 3],
      [1000, 1],
      [1001, 0],
      [0, 0],
    ] as const)
      expect(Buffer.from(await source.read(from, length))).toEqual(Buffer.from(content.subarray(from, from + length)));
    const both = await Promise.all([source.read(10, 5), source.read(900, 5)]);
    expect(both.map((b) => b[0])).toEqual([content[10], content[900]]);
    await source.close();
  });

  it("refuses reads past the end and senseless ranges", async () => {
    const source = await SOURCES[kind]!();
    for (const [from, length] of [
      [0, 1002],
      [1001, 1],
      [2000, 0],
      [-1, 2],
      [0, -1],
      [0.5, 1],
      [0, Number.NaN],
      [2 ** 53, 1],
    ] as const)
      await refused(source.read(from, length), /past the end of its 1001 bytes/);
    await source.close();
  });

  it("stops by its signal", async () => {
    const source = await SOURCES[kind]!();
    await expect(source.read(0, 10, AbortSignal.abort())).rejects.toThrow("aborted");
    await source.close();
  });
});

describe("fileSource", () => {
  it("refuses what is no file, and passes on the system's error where there is nothing", async () => {
    await refused(fileSource(folder), /is not a file/);
    await expect(fileSource(join(folder, "none"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("reads into scratch memory that is large enough, elsewhere if it is not", async () => {
    const source = await fileSource(join(folder, "a.bin"));
    const scratch = new Uint8Array(100);
    const inside = await source.read(7, 60, undefined, scratch);
    expect([inside.buffer === scratch.buffer, inside.length]).toEqual([true, 60]);
    expect(Buffer.from(scratch.subarray(0, 60))).toEqual(Buffer.from(content.subarray(7, 67)));
    const outside = await source.read(7, 101, undefined, scratch);
    expect(outside.buffer === scratch.buffer).toBe(false);
    expect(Buffer.from(outside)).toEqual(Buffer.from(content.subarray(7, 108)));
    await source.close();
  });

  it("notices a file that became shorter", async () => {
    const path = join(folder, "shrinks.bin");
    await writeFile(path, content);
    const source = await fileSource(path);
    await writeFile(path, content.subarray(0, 10));
    await refused(source.read(0, 1001), /became shorter/);
    await source.close();
    await source.close();
  });

  it("reads safetensors beyond 4 GB", async ({ skip }) => {
    const dataBytes = 5 * 2 ** 30 + 8;
    const header = JSON.stringify({
      large: { dtype: "U8", shape: [5, 2 ** 30], data_offsets: [0, dataBytes - 8] },
      last: { dtype: "F32", shape: [2], data_offsets: [dataBytes - 8, dataBytes] },
    });
    const start = concat(u64(header.length), new TextEncoder().encode(header));
    const path = join(folder, "sparse.safetensors");
    const handle = await open(path, "w");
    try {
      await handle.write(start);
      await handle.truncate(start.length + dataBytes); // sparse: takes no room where the file system can do it
      await handle.write(new Uint8Array(new Float32Array([1.5, -2]).buffer), 0, 8, start.length + dataBytes - 8);
      if ((await handle.stat()).blocks * 512 > 1 << 30) throw new Error("the file system has no sparse files");
    } catch (error) {
      await rm(path, { force: true });
      if (process.env.CI) throw error;
      skip(`no sparse file of 5 GB in ${tmpdir()}: ${(error as Error).message}`);
    } finally {
      await handle.close();
    }
    const file = await openSafetensors(await fileSource(path));
    expect(file.tensors.get("last")!.offsetBytes).toBeGreaterThan(2 ** 32);
    expect([...new Float32Array((await file.read("last")).buffer)]).toEqual([1.5, -2]);
    await file.close();
    await rm(path);
  });
});

describe("blobSource", () => {
  it("says that a Blob went away", async () => {
    const blob = new Blob([content]);
    Object.defineProperty(blob, "slice", { value: () => ({ arrayBuffer: () => Promise.reject(new Error("gone")) }) });
    await refused(blobSource(blob, "b").read(0, 4), /b: cannot be read any more/);
  });
});
