/** Steering vectors as values, their files, contrast pairs. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bufferSource, openSafetensors, writeSafetensors } from "../../src/formats/index.ts";
import {
  DEMO_PAIRS,
  loadVectors,
  parsePairs,
  SteeringVector,
  saveVectors,
  type VectorMeta,
  VectorSet,
  vectorsFromBytes,
  vectorsToBytes,
} from "../../src/steering/index.ts";

const meta: VectorMeta = {
  model: "m",
  modelSha256: "ab",
  method: "meanDiff",
  read: "auto",
  pairs: 3,
  createdBy: "trimtab",
};
const make = (layer: number, numbers: number[]): SteeringVector =>
  new SteeringVector(`blocks.${layer}.hook_resid_post`, Float32Array.from(numbers), meta, 10);

describe("SteeringVector", () => {
  it("is a value with the algebra of vectors", () => {
    const v = make(2, [3, 4, 0]);
    expect(v.norm).toBe(5);
    expect(v.relativeNorm).toBe(0.5);
    expect([...v.times(2).vector]).toEqual([6, 8, 0]);
    expect([...v.plus(make(2, [1, 1, 1])).vector]).toEqual([4, 5, 1]);
    expect([...v.minus(v).vector]).toEqual([0, 0, 0]);
    expect(v.normalize().norm).toBeCloseTo(1, 6);
    expect(v.cosine(make(5, [4, 3, 0]))).toBeCloseTo(24 / 25, 12);
    expect([...v.vector]).toEqual([3, 4, 0]);
  });

  it("refuses what has no meaning", () => {
    const v = make(2, [3, 4, 0]);
    expect(() => v.plus(make(3, [1, 1, 1]))).toThrow(/blocks\.2\..*blocks\.3\./);
    expect(() => v.plus(make(2, [1, 1]))).toThrow(/\[3\].*\[2\]/);
    expect(() => v.times(Number.NaN)).toThrow(/finite/);
    expect(() => make(0, [0, 0]).normalize()).toThrow(/zero/);
    expect(() => new VectorSet([v]).at(7)).toThrow(/no vector for layer 7.*layers here: 2/);
  });
});

describe("vector files", () => {
  it("hold every number and fact, under hook names", async () => {
    const set = new VectorSet([make(7, [1.5, -2, 0.1]), make(2, [3, 4, 5])]);
    const bytes = vectorsToBytes(set);
    const file = await openSafetensors(bufferSource(bytes, "v"));
    expect([...file.tensors.keys()].sort()).toEqual([
      "blocks.2.hook_resid_post/direction",
      "blocks.7.hook_resid_post/direction",
    ]);
    expect(Object.fromEntries(file.metadata)).toMatchObject({
      format: "trimtab-vectors",
      method: "meanDiff",
      n_pairs: "3",
      model_sha256: "ab",
      read_position: "auto",
      d_model: "3",
    });
    const back = await vectorsFromBytes(bytes, "v");
    expect(back).toEqual(set);
    expect(back.layers).toEqual([2, 7]);
  });

  it("round-trip through the disk", async () => {
    const folder = mkdtempSync(join(tmpdir(), "trimtab-"));
    try {
      const set = new VectorSet([make(1, [1, 2])]);
      await saveVectors(join(folder, "v.safetensors"), set);
      expect(await loadVectors(join(folder, "v.safetensors"))).toEqual(set);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("are refused when they hold no vectors, or vectors of different sizes", async () => {
    const tensor = (name: string, n: number) => ({
      name,
      dtype: "f32" as const,
      shape: [n],
      bytes: new Uint8Array(4 * n),
    });
    await expect(vectorsFromBytes(writeSafetensors([tensor("w", 2)]), "x")).rejects.toThrow(
      /holds no steering vectors/,
    );
    const mixed = writeSafetensors([
      tensor("blocks.0.hook_resid_post/direction", 2),
      tensor("blocks.1.hook_resid_post/direction", 3),
    ]);
    await expect(vectorsFromBytes(mixed, "x")).rejects.toThrow(/3 elements, an earlier vector 2/);
  });
});

describe("contrast pairs", () => {
  it("are read from JSONL", () => {
    const text = '{"positive": "a", "negative": "b"}\r\n\n{"prompt": "q", "positive": " a", "negative": " b"}\n';
    expect(parsePairs(text, "f")).toEqual([
      { positive: "a", negative: "b" },
      { prompt: "q", positive: " a", negative: " b" },
    ]);
  });

  it.each([
    ["not json", /pairs\.jsonl:2: not valid JSON/],
    ['{"positive": "a"}', /pairs\.jsonl:2: "negative" is undefined/],
    ['{"positive": 3, "negative": "b"}', /pairs\.jsonl:2: "positive" is 3/],
    ['{"positive": "a", "negative": "a"}', /same text/],
    ['{"prompt": 1, "positive": "a", "negative": "b"}', /"prompt" is 1/],
    ["[]", /"positive" is undefined/],
  ])("name file and line: %s", (line, message) => {
    expect(() => parsePairs(`{"positive": "a", "negative": "b"}\n${line}`, "pairs.jsonl")).toThrow(message);
  });

  it("refuse an empty file", () => expect(() => parsePairs("\n", "e.jsonl")).toThrow(/no pairs/));

  it("of the demo are at least 16, each with two different answers", () => {
    expect(DEMO_PAIRS.length).toBeGreaterThanOrEqual(16);
    expect(new Set(DEMO_PAIRS.flatMap((p) => [p.positive, p.negative])).size).toBe(2 * DEMO_PAIRS.length);
  });
});
