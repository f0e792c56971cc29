/**
 * Thousands of mutants of real headers. Each must open, with all of its tensors readable, or throw a FormatError: nothing
 * else, not for long, not with much memory. Every second mutant lies in a file that claims 5 GB, so that hostile lengths fit.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  type ByteSource,
  bufferSource,
  fileSource,
  openGguf,
  openSafetensors,
  openSafetensorsShards,
  type TensorFile,
} from "../../src/formats/index.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import { uniform } from "../../src/tensor/random.ts";
import { defaultModelPath, describeNeeding, fixtures, needModel } from "../support/needs.ts";
import { concat, counted, u64 } from "./build.ts";

const SEED = 20240229;
const LIMIT_BYTES = 64 << 20;
const LIMIT_MS = 2000;
const CLAIMED_BYTES = 5e9;

/** Whole numbers below n, the same in every run. */
let drawn = 0;
const below = (n: number): number => Math.floor(uniform(SEED, drawn++) * n);
const pick = <T>(from: readonly T[]): T => from[below(from.length)]!;

const EDGES = [
  0n,
  1n,
  2n,
  31n,
  32n,
  255n,
  65535n,
  2n ** 24n,
  2n ** 31n - 1n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** One change of bytes: bits, numbers, pieces gone, doubled or moved. */
function mutateBytes(b: Uint8Array): Uint8Array {
  const at = below(b.length);
  const piece = 1 + below(pick([4, 16, 300]));
  const out = b.slice();
  switch (below(8)) {
    case 0:
      out[at]! ^= 1 << below(8);
      return out;
    case 1:
      out[at] = below(256);
      return out;
    case 2:
    case 3: {
      const value = below(2) ? pick(EDGES) : BigInt(below(200_000_000));
      new DataView(out.buffer).setBigUint64(Math.max(0, Math.min(at, out.length - 8)), value, true);
      return out;
    }
    case 4:
      return concat(b.subarray(0, at), b.subarray(at + piece));
    case 5:
      return concat(b.subarray(0, at + piece), b.subarray(at));
    case 6:
      return b.slice(0, at);
    default:
      out.copyWithin(at, below(b.length), below(b.length));
      return out;
  }
}

const TEXTS = [
  "-1",
  "0",
  "1.5",
  "1e9",
  "9007199254740993",
  "1e400",
  "null",
  "[]",
  "{}",
  '"',
  "\\",
  '"\\ud800"',
  ",",
  '"a":1,',
  "..",
  "/",
  "%2e",
  "[[[[[[[[",
];

/** One change of JSON text: a number, a string or a piece replaced. */
function mutateText(text: string): string {
  const tokens = [...text.matchAll(pick([/\d+/g, /"[^"]*"/g, /[[\]{},:]/g, /[A-Za-z_.]+/g]))];
  if (tokens.length === 0) return text;
  const token = pick(tokens);
  const other = below(3) ? pick(TEXTS) : pick(tokens)[0];
  return text.slice(0, token.index) + (below(6) ? other : token[0] + other) + text.slice(token.index + token[0].length);
}

const utf8 = new TextEncoder();

function mutateSafetensors(header: string, data: Uint8Array): Uint8Array {
  const whole = (json: Uint8Array) => concat(u64(json.length), json, data);
  if (below(3) === 0) return mutateBytes(whole(utf8.encode(header)));
  let text = header;
  for (let n = 1 + below(3); n > 0; n--) text = mutateText(text);
  return whole(below(4) ? utf8.encode(text) : mutateBytes(utf8.encode(text)));
}

interface Tally {
  opened: number;
  refused: number;
  worstMs: number;
  worstBytes: number;
}

/** Opens mutants and keeps to the three limits. */
async function fuzz(
  times: number,
  open: (i: number) => { file: Promise<TensorFile>; read: () => number },
): Promise<Tally> {
  const tally: Tally = { opened: 0, refused: 0, worstMs: 0, worstBytes: 0 };
  for (let i = 0; i < times; i++) {
    const from = drawn;
    const before = process.memoryUsage();
    const started = performance.now();
    const { file, read } = open(i);
    let error: unknown;
    try {
      const opened = await file;
      tally.opened++;
      for (const [name, info] of opened.tensors) {
        if (info.bytes < 1 << 16) expect((await opened.read(name)).length).toBe(info.bytes);
      }
    } catch (e) {
      error = e;
      tally.refused++;
    }
    const after = process.memoryUsage();
    // a collection in between makes this too small now and then, and never too large; what was read is counted exactly
    const grown = after.heapUsed + after.external - before.heapUsed - before.external;
    const facts = { mutant: i, from, error: error instanceof Error ? error.stack : error };
    if (error !== undefined && !(error instanceof FormatError)) expect.fail(JSON.stringify(facts));
    tally.worstMs = Math.max(tally.worstMs, performance.now() - started);
    tally.worstBytes = Math.max(tally.worstBytes, grown, read());
  }
  return tally;
}

function expectBounded(tally: Tally): void {
  expect(tally.worstMs).toBeLessThan(LIMIT_MS);
  expect(tally.worstBytes).toBeLessThan(LIMIT_BYTES);
  // a fuzz test that never opens, or never fails to, tests little
  expect(tally.refused).toBeGreaterThan(100);
  expect(tally.opened).toBeGreaterThan(0);
}

/** As it is, or at the start of a file of 5 GB. */
function place(bytes: Uint8Array, i: number, name: string): ReturnType<typeof counted> {
  return counted(bufferSource(bytes, name), i % 2 ? CLAIMED_BYTES : bytes.length);
}

const python = (name: string) => new Uint8Array(readFileSync(join(fixtures, "formats", name)));

describe("mutated headers", () => {
  it.each([
    ["python.safetensors", () => python("python.safetensors")],
    [
      "the tiny Llama's first shard",
      () => new Uint8Array(readFileSync(join(fixtures, "tiny", "llama", "model-00001-of-00006.safetensors"))),
    ],
  ])("safetensors: %s", async (_, load) => {
    const bytes = load();
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
    const tally = await fuzz(2500, (i) => {
      const source = place(mutateSafetensors(header, bytes.subarray(8 + length)), i, "x.safetensors");
      return { file: openSafetensors(source), read: () => source.counts.bytes };
    });
    expectBounded(tally);
  });

  it("the index of a sharded model", async () => {
    const folder = join(fixtures, "tiny", "llama");
    const index = readFileSync(join(folder, "model.safetensors.index.json"), "utf8");
    const asked = new Set<string>();
    const tally = await fuzz(1500, () => {
      let text = index;
      for (let n = below(3); n >= 0; n--) text = mutateText(text);
      const bytes = below(4) ? utf8.encode(text) : mutateBytes(utf8.encode(text));
      const source = counted(bufferSource(bytes, "index.json"));
      const openShard = async (name: string): Promise<ByteSource> => {
        asked.add(name);
        const found = /^model-0000[1-6]-of-00006\.safetensors$/.test(name);
        if (!found) throw new FormatError(`there is no ${name}`);
        return bufferSource(new Uint8Array(readFileSync(join(folder, name))), name);
      };
      return { file: openSafetensorsShards(source, openShard), read: () => source.counts.bytes };
    });
    expectBounded(tally);
    for (const name of asked) expect(name).toMatch(/^[\w-]+(\.[\w-]+)*$/);
  });

  it("GGUF: python.gguf", async () => {
    const bytes = python("python.gguf");
    const tally = await fuzz(4000, (i) => {
      let mutant = mutateBytes(bytes);
      while (below(3) === 0) mutant = mutant.length > 8 ? mutateBytes(mutant) : bytes;
      const source = place(mutant, i, "x.gguf");
      return { file: openGguf(source), read: () => source.counts.bytes };
    });
    expectBounded(tally);
  });
});

describeNeeding(needModel, "mutated headers of the default model", () => {
  let header: Uint8Array;
  let path: string;
  beforeAll(async () => {
    path = defaultModelPath()!;
    const file = await openGguf(await fileSource(path));
    header = file.headerBytes;
    await file.close();
  });

  /** The mutated header over the real file's data. */
  function overlaid(mutant: Uint8Array, file: ByteSource): ByteSource {
    const sizeBytes = file.sizeBytes - header.length + mutant.length;
    return {
      name: "x.gguf",
      sizeBytes,
      async read(offsetBytes, lengthBytes, signal) {
        const fromHeader = mutant.subarray(offsetBytes, offsetBytes + lengthBytes);
        if (fromHeader.length === lengthBytes && offsetBytes + lengthBytes <= sizeBytes) return fromHeader;
        const at = Math.max(offsetBytes, mutant.length) - mutant.length + header.length;
        return concat(fromHeader, await file.read(at, lengthBytes - fromHeader.length, signal));
      },
      close: async () => {},
    };
  }

  it("GGUF: SmolLM2", async () => {
    const file = await fileSource(path);
    // the last bytes are the tensor table: one change in four hits it, or all would hit the vocabulary
    const table = header.length - 20_000;
    const tally = await fuzz(400, (i) => {
      const mutant = below(4)
        ? mutateBytes(header)
        : concat(header.subarray(0, table), mutateBytes(header.subarray(table)));
      const source = counted(overlaid(mutant, file), i % 2 ? CLAIMED_BYTES : undefined);
      return { file: openGguf(source), read: () => source.counts.bytes };
    });
    await file.close();
    expectBounded(tally);
  });
});
