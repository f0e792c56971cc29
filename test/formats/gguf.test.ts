/** GGUF: a file that Python wrote, the default model, and every kind of damage. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bufferSource, dequantize, fileSource, type GgufValue, openGguf } from "../../src/formats/index.ts";
import { defaultModelPath, describeNeeding, fixtures, needModel } from "../support/needs.ts";
import {
  concat,
  counted,
  type GgufParts,
  type GgufTensor,
  gguf,
  ggufKey,
  ggufString,
  refused,
  u32,
  u64,
} from "./build.ts";

const folder = join(fixtures, "formats");
const openBytes = (bytes: Uint8Array) => openGguf(bufferSource(bytes, "x.gguf"));
const python = () => new Uint8Array(readFileSync(join(folder, "python.gguf")));

interface Described {
  readonly metadata: Record<string, unknown>;
  readonly tensors: Record<string, { type: string; shape: number[]; hex: string }>;
}

/** As the fixture's JSON has it: integers past 2^53 are strings, arrays plain. */
function plain(value: GgufValue | undefined): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value !== "object") return value;
  return Array.from(value as ArrayLike<GgufValue>, (v) =>
    typeof v === "bigint" && v <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(v) : plain(v),
  );
}

describe("reading GGUF", () => {
  it.each([3, 2])("reads what Python's GGUFWriter wrote, as version %i", async (version) => {
    const bytes = python();
    bytes[4] = version;
    const file = await openBytes(bytes);
    const described = JSON.parse(readFileSync(join(folder, "python.gguf.json"), "utf8")) as Described;
    expect(file.version).toBe(version);
    expect(Object.fromEntries([...file.metadata].map(([k, v]) => [k, plain(v)]))).toEqual(described.metadata);
    expect(file.metadata.get("test.uint64")).toBe(2n ** 63n + 5n);
    expect(file.metadata.get("test.array.u64")).toEqual(new BigUint64Array([1n, 2n ** 64n - 1n]));
    expect(file.metadata.get("test.array.i32")).toEqual(new Int32Array([-1, 70000]));
    expect([...file.tensors.keys()]).toEqual(Object.keys(described.tensors));
    for (const [name, { type, shape, hex }] of Object.entries(described.tensors)) {
      const info = file.tensors.get(name)!;
      expect([name, info.dtype.toUpperCase(), info.shape, info.offsetBytes % 64]).toEqual([name, type, shape, 0]);
      expect(Buffer.from(await file.read(name)).toString("hex")).toBe(hex);
    }
    await refused(file.read("nothing"), /no tensor "nothing"/);
  });

  it("gives the header for hashing, reading it once", async () => {
    const bytes = python();
    const source = counted(bufferSource(bytes, "x"));
    const file = await openGguf(source);
    const end = Math.min(...[...file.tensors.values()].map((t) => t.offsetBytes));
    expect(Buffer.from(file.headerBytes)).toEqual(Buffer.from(bytes.subarray(0, file.headerBytes.length)));
    expect(end - file.headerBytes.length).toBeLessThan(64);
    expect(source.counts.reads).toBe(2); // the window, and the padding at the end
    await file.close();
    expect(source.counts.closed).toBe(1);
  });

  it("reads arrays that are longer than a window, and headers of many windows", async () => {
    const words = Array.from({ length: 200_000 }, (_, i) => (i % 3 ? `w${i}` : `Ġ🐢é${i}`));
    const numbers = Float32Array.from({ length: 700_001 }, (_, i) => i / 3);
    const long = "x".repeat(3_000_000);
    const packed = Array.from({ length: 20 }, (_, i) =>
      concat(...words.slice(i * 10_000, (i + 1) * 10_000).map(ggufString)),
    );
    const bytes = gguf({
      keys: [
        ggufKey("words", 9, concat(u32(8), u64(words.length), ...packed)),
        ggufKey("numbers", 9, concat(u32(6), u64(numbers.length), new Uint8Array(numbers.buffer))),
        ggufKey("long", 9, concat(u32(8), u64(3), ggufString("a"), ggufString(long), ggufString("b"))),
        ggufKey(
          "nested",
          9,
          concat(u32(9), u64(2), u32(4), u64(1), u32(7), u32(8), u64(2), ggufString("p"), ggufString("")),
        ),
      ],
    });
    const file = await openBytes(bytes);
    expect((file.metadata.get("words") as string[]).join("\n")).toBe(words.join("\n"));
    const got = file.metadata.get("numbers") as Float32Array;
    expect(got.length === numbers.length && got.every((v, i) => v === numbers[i])).toBe(true);
    expect(file.metadata.get("long")).toEqual(["a", long, "b"]);
    expect(file.metadata.get("nested")).toEqual([new Uint32Array([7]), ["p", ""]]);
    expect(Buffer.from(file.headerBytes).equals(Buffer.from(bytes))).toBe(true);
  });

  it("reads a last value that begins where the window of 1 MiB ends", async () => {
    const n = (1 << 20) - 62;
    const bytes = gguf({
      keys: [ggufKey("a", 9, concat(u32(0), u64(n), new Uint8Array(n).fill(7))), ggufKey("b", 4, u32(4000000000))],
    });
    expect(bytes.length).toBe((1 << 20) + 4);
    const file = await openBytes(bytes);
    expect(file.metadata.get("b")).toBe(4000000000);
    expect((file.metadata.get("a") as Uint8Array).every((v) => v === 7)).toBe(true);
    expect(Buffer.from(file.headerBytes).equals(Buffer.from(bytes))).toBe(true);
  });

  it.each([8, 65536])("takes an alignment of %i", async (alignment) => {
    const tensors = ["a", "b"].map((name, i) => ({ name, dims: [1], type: 0, offset: i * alignment }));
    const keys = [ggufKey("general.alignment", 4, u32(alignment))];
    const file = await openBytes(gguf({ keys, tensors, alignment, data: new Uint8Array(alignment + 4).fill(3) }));
    expect(file.tensors.get("b")!.offsetBytes % alignment).toBe(0);
    expect([...(await file.read("b"))]).toEqual([3, 3, 3, 3]);
  });

  it("takes arrays nested four deep", async () => {
    const value = concat(...Array.from({ length: 3 }, () => concat(u32(9), u64(1))), u32(4), u64(1), u32(5));
    expect((await openBytes(gguf({ keys: [ggufKey("k", 9, value)] }))).metadata.get("k")).toEqual([
      [[new Uint32Array([5])]],
    ]);
  });

  it("takes zeros at the end up to one alignment, and none", async () => {
    const tensors = [{ name: "a", dims: [5], type: 0, offset: 0 }];
    for (const bytes of [20, 21, 32, 52]) {
      const file = await openBytes(gguf({ tensors, data: new Uint8Array(bytes) }));
      expect(file.tensors.get("a")).toMatchObject({ dtype: "f32", shape: [5], bytes: 20 });
    }
    await refused(openBytes(gguf({ tensors, data: new Uint8Array(53) })), /last 33 bytes belong to no tensor/);
  });

  it("opens a file without tensors, with its padding or without", async () => {
    expect((await openBytes(gguf({}))).tensors.size).toBe(0);
    expect((await openBytes(gguf({ data: new Uint8Array(32) }))).tensors.size).toBe(0);
    await refused(openBytes(gguf({ data: new Uint8Array(33) })), /last 33 bytes/);
  });

  it("takes scalars, empty tensors and tensors in any order", async () => {
    const tensors = [
      { name: "b", dims: [3], type: 0, offset: 32 },
      { name: "scalar", dims: [], type: 0, offset: 0 },
      { name: "none", dims: [0, 4], type: 1, offset: 32 },
    ];
    const file = await openBytes(gguf({ tensors, data: Uint8Array.from({ length: 44 }, (_, i) => i) }));
    expect([...(await file.read("scalar"))]).toEqual([0, 1, 2, 3]);
    expect([...(await file.read("b"))]).toEqual([32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43]);
    expect(file.tensors.get("none")).toMatchObject({ shape: [4, 0], bytes: 0 });
  });
});

describeNeeding(needModel, "the default model's GGUF", () => {
  it("has the tensors, types and tokens that it is known to have", async () => {
    const source = counted(await fileSource(defaultModelPath()!));
    const file = await openGguf(source);
    expect(source.counts.bytes).toBeLessThan(4 << 20);
    const types: Record<string, number> = {};
    for (const t of file.tensors.values()) types[t.dtype] = (types[t.dtype] ?? 0) + 1;
    expect(types).toEqual({ q4_1: 210, f32: 61, q8_0: 1 });
    expect(file.tensors.get("token_embd.weight")).toMatchObject({ dtype: "q8_0", shape: [49152, 576] });
    expect(file.metadata.get("general.architecture")).toBe("llama");
    const tokens = file.metadata.get("tokenizer.ggml.tokens") as string[];
    expect(tokens.length).toBe(49152);
    expect(tokens.slice(0, 3)).toEqual(["<|endoftext|>", "<|im_start|>", "<|im_end|>"]);
    expect((file.metadata.get("tokenizer.ggml.merges") as string[])[0]).toBe("Ġ t");
    expect(file.metadata.get("tokenizer.ggml.token_type")).toBeInstanceOf(Int32Array);
    for (const [name, t] of [...file.tensors].slice(0, 12)) {
      const values = dequantize(t.dtype, await file.read(name));
      expect([name, values.length]).toEqual([name, t.shape.reduce((a, b) => a * b, 1)]);
      expect(values.every((v) => Number.isFinite(v) && Math.abs(v) < 100)).toBe(true);
    }
    await file.close();
  });
});

describe("damaged GGUF", () => {
  const tensor: GgufTensor = { name: "a", dims: [32, 2], type: 2, offset: 0 };
  const withTensor = (t: Partial<GgufTensor>, more: GgufTensor[] = []): GgufParts => ({
    tensors: [{ ...tensor, ...t }, ...more],
    data: new Uint8Array(64),
  });
  const key = (type: number, value: Uint8Array): GgufParts => ({ keys: [ggufKey("k", type, value)] });
  const array = (type: number, n: number | bigint, ...rest: Uint8Array[]): GgufParts =>
    key(9, concat(u32(type), u64(n), ...rest));
  const HUGE = 2n ** 63n;

  it.each<[string, GgufParts, RegExp]>([
    ["another magic", { magic: "GGML" }, /does not start with "GGUF"/],
    ["version 1", { version: 1 }, /version 1 — versions 2 and 3/],
    ["version 4", { version: 4 }, /version 4/],
    ["a big-endian file", { version: 0x03000000 }, /big-endian/],
    ["a tensor count past the end", { tensorCount: 100 }, /100 tensors are announced/],
    ["a tensor count of 2^63", { tensorCount: HUGE }, /9223372036854775808 tensors/],
    ["a key count past the end", { keyCount: 3 }, /3 metadata keys are announced/],
    ["a key count of 2^63", { keyCount: HUGE }, /metadata keys/],
    ["a key longer than the file", { keys: [concat(u64(1000), new Uint8Array(20))] }, /1000 bytes of a metadata key/],
    [
      "a key of 2^64 − 1 bytes",
      { keys: [concat(u64(2n ** 64n - 1n), new Uint8Array(20))] },
      /18446744073709551615 bytes/,
    ],
    ["a key that is not UTF-8", { keys: [ggufKey(Uint8Array.of(0xff, 0x41), 4, u32(1))] }, /metadata key is not UTF-8/],
    ["a key twice", { keys: [ggufKey("k", 4, u32(1)), ggufKey("k", 5, u32(1))] }, /"k" is there twice/],
    ["an unknown value type", key(13, u64(0)), /value type 13/],
    ["a string that is not UTF-8", key(8, ggufString(Uint8Array.of(0xc3, 0x28))), /metadata "k" is not UTF-8/],
    ["an encoded surrogate", key(8, ggufString(Uint8Array.of(0xed, 0xa0, 0x80))), /not UTF-8/],
    ["a string past the end", key(8, u64(9)), /9 bytes of metadata "k"/],
    ["a boolean of 2", key(7, Uint8Array.of(2)), /boolean 2/],
    ["a number that is cut off", key(10, u32(1)), /8 bytes are needed, 4 are left/],
    ["an array past the end", array(4, 3, u64(0)), /3 elements of metadata "k"/],
    ["an array of 2^63", array(4, HUGE, u64(0)), /9223372036854775808 elements/],
    ["an array of an unknown type", array(99, 1, u64(0)), /value type 99/],
    ["an array of a bad boolean", array(7, 2, Uint8Array.of(1, 3)), /boolean 3/],
    [
      "strings that share a character",
      array(8, 2, ggufString(Uint8Array.of(0xc3)), ggufString(Uint8Array.of(0xa9))),
      /not UTF-8/,
    ],
    ["an array of a bad string", array(8, 2, ggufString("a"), ggufString(Uint8Array.of(0x80))), /not UTF-8/],
    [
      "an array whose last string is cut",
      array(8, 2, ggufString("a"), ggufString(Uint8Array.of(0xe2, 0x82))),
      /not UTF-8/,
    ],
    ["an array whose string is too long", array(8, 2, ggufString("a"), u64(50)), /50 bytes of metadata "k"/],
    [
      "arrays nested five deep",
      key(9, concat(...Array.from({ length: 5 }, () => concat(u32(9), u64(1))), u64(0), u64(0))),
      /deeper than 4/,
    ],
    ["an alignment of 0", { keys: [ggufKey("general.alignment", 4, u32(0))] }, /alignment is 0/],
    [
      "an alignment of 48",
      { keys: [ggufKey("general.alignment", 4, u32(48))] },
      /alignment is 48 — expected a power of two/,
    ],
    ["an alignment of 2^31", { keys: [ggufKey("general.alignment", 4, u32(2 ** 31))] }, /alignment is 2147483648/],
    ["an alignment of text", { keys: [ggufKey("general.alignment", 8, ggufString("32"))] }, /alignment is "32"/],
    [
      "an alignment of 2^64 − 1",
      { keys: [ggufKey("general.alignment", 10, u64(2n ** 64n - 1n))] },
      /alignment is 1844/,
    ],
    [
      "a type that is not supported",
      withTensor({ type: 20 }),
      /tensor "a" has the type IQ4_NL — supported: F32, F16, Q4_0/,
    ],
    ["a type that does not exist", withTensor({ type: 1000 }), /type number 1000/],
    ["five dimensions", withTensor({ dims: [32, 1, 1, 1, 1] }), /5 dimensions, at most 4/],
    [
      "2^32 − 1 dimensions",
      { tensorCount: 1, keyCount: 0, keys: [concat(ggufString("a"), u32(2 ** 32 - 1), u64(1), u64(1))] },
      /4294967295 dimensions/,
    ],
    ["a row that splits a block", withTensor({ dims: [33, 2] }), /33 elements in a row .* blocks of 32/],
    ["a dimension of 2^64 − 32", withTensor({ dims: [2n ** 64n - 32n] }), /dimension 18446744073709552000/],
    [
      "dimensions whose product wraps at 2^64",
      withTensor({ dims: [2n ** 32n, 2n ** 32n] }),
      /more than 2\^53 elements/,
    ],
    ["a tensor larger than the file", withTensor({ dims: [32, 1000] }), /takes 18000 bytes/],
    ["an offset of 2^64 − 32", withTensor({ offset: 2n ** 64n - 32n }), /at offset 18446744073709551584/],
    ["an offset past the end", withTensor({ offset: 320 }), /tensor "a"/],
    ["an offset off the alignment", withTensor({ offset: 8 }), /offset 8 is off the alignment of 32/],
    ["a name twice", withTensor({}, [{ ...tensor, offset: 64 }]), /tensor "a" is there twice/],
    ["an overlap", withTensor({}, [{ ...tensor, name: "b", offset: 32 }]), /tensor "b" .* overlaps tensor "a"/],
    ["a hole before the first", withTensor({ offset: 32, dims: [32] }), /32 bytes before tensor "a"/],
    [
      "a hole in the middle",
      withTensor({ dims: [32] }, [{ ...tensor, name: "b", dims: [32], offset: 64 }]),
      /belong to no tensor/,
    ],
    [
      "bytes behind the last tensor",
      { ...withTensor({}), data: new Uint8Array(64).fill(1) },
      /last 28 bytes .* not zero/,
    ],
    [
      "data that is cut off",
      { ...withTensor({}), data: new Uint8Array(35) },
      /tensor "a" ends at byte \d+, the file at/,
    ],
  ])("refuses %s", async (_, parts, message) => {
    const source = counted(bufferSource(gguf(parts), "x.gguf"));
    await refused(openGguf(source), message);
    expect(source.counts.closed).toBe(1);
  });

  it("refuses lengths that would fit a large file, before memory is taken", async () => {
    const cases: [Uint8Array, RegExp][] = [
      [gguf(array(4, 3_000_000)), /3000000 elements of metadata "k" are announced, at most 2097152/],
      [gguf(array(8, 3_000_000)), /at most 2097152/],
      [gguf(array(9, 150_000)), /more than 2097152 strings/],
      [gguf(array(10, 8_000_000)), /8000000 elements .* do not fit/], // more than the largest header
      [gguf(key(8, u64(17 << 20))), /bytes of metadata "k" are announced, at most/],
      [gguf({ tensorCount: 1_000_000 }), /1000000 tensors are announced, at most 131072/],
      [gguf({ keyCount: 1_000_000 }), /1000000 metadata keys are announced, at most 65536/],
    ];
    for (const [bytes, message] of cases) {
      const source = counted(bufferSource(bytes, "x.gguf"), 5e9);
      await refused(openGguf(source), message);
      expect(source.counts.bytes).toBeLessThan(3 << 20);
    }
  });

  it("refuses every truncation, but of its padding", async () => {
    const whole = python();
    const file = await openBytes(whole);
    const end = Math.max(...[...file.tensors.values()].map((t) => t.offsetBytes + t.bytes));
    for (let length = 0; length < end; length += 5) await refused(openBytes(whole.subarray(0, length)), /./);
    expect((await openBytes(whole.subarray(0, end))).tensors.size).toBe(file.tensors.size);
  });

  it("stops by its signal", async () => {
    await expect(openGguf(bufferSource(python(), "x"), AbortSignal.abort())).rejects.toThrow("aborted");
  });
});
