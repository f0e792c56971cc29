/** safetensors: files that Python wrote, the writer against Python's bytes, and every kind of damage. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { bufferSource, openSafetensors, type TensorToWrite, writeSafetensors } from "../../src/formats/index.ts";
import { fixtures } from "../support/needs.ts";
import { concat, counted, refused, safetensors, u64 } from "./build.ts";

const folder = join(fixtures, "formats");
const openBytes = (bytes: Uint8Array) => openSafetensors(bufferSource(bytes, "x.safetensors"));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const f32 = (shape: unknown, from: unknown, to: unknown) => ({ dtype: "F32", shape, data_offsets: [from, to] });

interface Described {
  readonly metadata: Record<string, string>;
  readonly tensors: Record<string, { dtype: string; shape: number[]; hex: string }>;
}

describe("reading safetensors", () => {
  it("reads all types that Python's safetensors writes, unaligned ones too", async () => {
    const file = await openBytes(readFileSync(join(folder, "python.safetensors")));
    const described = JSON.parse(readFileSync(join(folder, "python.safetensors.json"), "utf8")) as Described;
    expect([...file.tensors.keys()].sort()).toEqual(Object.keys(described.tensors).sort());
    for (const [name, { dtype, shape, hex: content }] of Object.entries(described.tensors)) {
      const info = file.tensors.get(name)!;
      expect([name, info.dtype.toUpperCase(), info.shape]).toEqual([name, dtype, shape]);
      expect(hex(await file.read(name))).toBe(content);
    }
    expect(new Set([...file.tensors.values()].map((t) => t.dtype)).size).toBe(20);
    expect(Object.fromEntries(file.metadata)).toEqual(described.metadata);
    expect([...file.tensors.values()].some((t) => t.dtype === "u8" && t.offsetBytes % 2 === 1)).toBe(true);
  });

  it("reads f32 at an odd offset", async () => {
    const file = await openBytes(
      safetensors({ a: { dtype: "U8", shape: [1], data_offsets: [0, 1] }, b: f32([2], 1, 9) }, 9),
    );
    expect([...(await file.read("b"))]).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it("reads 6-bit floats, four elements in three bytes", async () => {
    const entry = { dtype: "F6_E2M3", shape: [2, 6], data_offsets: [0, 9] };
    const file = await openBytes(safetensors({ a: entry }, 9));
    expect(file.tensors.get("a")).toMatchObject({ dtype: "f6_e2m3", bytes: 9 });
    await refused(openBytes(safetensors({ a: { ...entry, shape: [2, 5] } }, 9)), /10 elements .* blocks of 4/);
  });

  it("keeps names that JavaScript treats as special", async () => {
    const text = `{"__proto__":${JSON.stringify(f32([1], 0, 4))},"7":${JSON.stringify(f32([1], 4, 8))}}`;
    const file = await openBytes(safetensors(text, 8));
    expect([...file.tensors.keys()].sort()).toEqual(["7", "__proto__"]);
    await refused(file.read("constructor"), /no tensor "constructor"/);
  });

  it("gives the header for hashing and reads tensors only when asked", async () => {
    const bytes = readFileSync(join(folder, "plain.safetensors"));
    const source = counted(bufferSource(bytes, "plain"));
    const file = await openSafetensors(source);
    expect(Buffer.from(file.headerBytes).toString()).toMatch(/^\{"__metadata__".*\} *$/);
    expect(source.counts.bytes).toBe(8 + file.headerBytes.length);
    await file.close();
    expect(source.counts.closed).toBe(1);
  });
});

describe("writing safetensors", () => {
  const ramp = [0, 1, 2, 3, 4, 5];
  const bytesOf = (a: ArrayBufferView) => new Uint8Array(a.buffer, a.byteOffset, a.byteLength);
  const plain: TensorToWrite[] = [
    {
      name: "half",
      dtype: "f16",
      shape: [2, 3],
      bytes: bytesOf(new Uint16Array([0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500])),
    },
    { name: "b", dtype: "f32", shape: [2, 3], bytes: bytesOf(new Float32Array(ramp)) },
    { name: "ids", dtype: "i64", shape: [3], bytes: bytesOf(new BigInt64Array([0n, 1n, 2n])) },
    { name: "a/direction", dtype: "f32", shape: [3], bytes: bytesOf(new Float32Array([0, 0.5, 1])) },
  ];

  it("writes the bytes that Python's safetensors writes, in any order of tensors", () => {
    const python = readFileSync(join(folder, "plain.safetensors"));
    expect(hex(writeSafetensors(plain, { format: "np" }))).toBe(hex(python));
    expect(hex(writeSafetensors([...plain].reverse(), { format: "np" }))).toBe(hex(python));
  });

  it("reads back what it wrote: every type, odd sizes, special names", async () => {
    const python = await openBytes(readFileSync(join(folder, "python.safetensors")));
    const tensors: TensorToWrite[] = [{ name: "__proto__", dtype: "u8", shape: [1], bytes: new Uint8Array([9]) }];
    for (const t of python.tensors.values()) tensors.push({ ...t, bytes: await python.read(t.name) });
    const file = await openBytes(writeSafetensors(tensors, { b: "2", a: "é\u0000" }));
    expect([...file.metadata]).toEqual([
      ["a", "é\u0000"],
      ["b", "2"],
    ]);
    expect(file.tensors.size).toBe(tensors.length);
    for (const t of tensors) expect(hex(await file.read(t.name))).toBe(hex(t.bytes));
    for (const t of file.tensors.values()) {
      const width = /64$/.test(t.dtype) ? 8 : /32$/.test(t.dtype) ? 4 : /16$/.test(t.dtype) ? 2 : 1;
      expect([t.name, t.offsetBytes % width]).toEqual([t.name, 0]);
    }
  });

  it("writes a file without tensors", async () => {
    expect((await openBytes(writeSafetensors([]))).tensors.size).toBe(0);
  });

  it.each<[string, TensorToWrite[], Record<string, string> | undefined, RegExp]>([
    ["a wrong size", [{ ...plain[1]!, shape: [7] }], undefined, /takes 28 bytes, got 24/],
    ["a name twice", [plain[1]!, plain[1]!, plain[0]!], undefined, /same name/],
    ["the name of the metadata", [{ ...plain[1]!, name: "__metadata__" }], { a: "b" }, /no tensor may have this name/],
    ["half a surrogate pair", [{ ...plain[1]!, name: "\ud83d" }], undefined, /no tensor may have this name/],
    [
      "a GGUF type",
      [{ name: "q", dtype: "q8_0", shape: [32], bytes: new Uint8Array(34) }],
      undefined,
      /no type for q8_0/,
    ],
    ["a negative dimension", [{ ...plain[1]!, shape: [-2, -3] }], undefined, /dimension -2/],
    ["metadata that is no text", [], { n: 1 as unknown as string }, /metadata "n" is not text/],
  ])("refuses %s", async (_, tensors, metadata, message) => {
    await refused((async () => writeSafetensors(tensors, metadata))(), message);
  });
});

describe("damaged safetensors", () => {
  const a = f32([2], 0, 8);
  const MAX = "9007199254740993";

  it.each<[string, Uint8Array, RegExp]>([
    ["an empty file", new Uint8Array(0), /0 bytes, too few/],
    ["seven bytes", new Uint8Array(7), /too few/],
    ["a header length past the end", concat(u64(100), new Uint8Array(50)), /header of 100 bytes/],
    ["a header length of 2^64 − 1", concat(u64(2n ** 64n - 1n), new Uint8Array(50)), /header of 18446744073709551615/],
    ["an empty header", safetensors(""), /not valid JSON/],
    ["a header that is an array", safetensors("[]"), /not a JSON object/],
    ["a header that begins with a space", safetensors(" {}"), /not a JSON object/],
    ["a byte order mark", safetensors("\ufeff{}"), /JSON/],
    ["a header that is cut off", safetensors('{"a":{"dtype":"F32"'), /not valid JSON/],
    ["bytes that are not UTF-8", safetensors(Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])), /not UTF-8/],
    ["half a surrogate pair", safetensors(`{"\\ud83d":${JSON.stringify(a)}}`, 8), /half a surrogate/],
    ["deep nesting", safetensors(`{"a":${"[".repeat(200_000)}`), /nests deeper/],
    ["a name twice", safetensors(`{"a":${JSON.stringify(a)},"a":${JSON.stringify(a)}}`, 8), /key "a" twice/],
    ["a name twice, once escaped", safetensors(`{"a":${JSON.stringify(a)},"\\u0061" :1}`, 8), /key "a" twice/],
    ["a name twice, far from its colon", safetensors(`{"a":1,"a"${" ".repeat(500)}:1}`), /key "a" twice/],
    [
      "dtype twice in one tensor",
      safetensors('{"a":{"dtype":"F32","dtype":"F32","shape":[],"data_offsets":[0,4]}}', 4),
      /"dtype" twice/,
    ],
    ["a tensor that is no object", safetensors({ a: 1 }), /not described by an object/],
    ["no dtype", safetensors({ a: { shape: [], data_offsets: [0, 4] } }, 4), /dtype undefined/],
    ["an unknown dtype", safetensors({ a: { ...a, dtype: "toString" } }, 8), /dtype "toString" — known: F64/],
    ["no shape", safetensors({ a: { ...a, shape: undefined } }, 8), /no shape/],
    ["a shape of strings", safetensors({ a: { ...a, shape: ["2"] } }, 8), /dimension "2"/],
    ["a negative dimension", safetensors({ a: { ...a, shape: [-2] } }, 8), /number -2/],
    ["two negative dimensions", safetensors({ a: { ...a, shape: [-1, -2] } }, 8), /number -1/],
    ["a fraction", safetensors({ a: { ...a, shape: [2.5] } }, 8), /number 2\.5/],
    [
      "a whole number with a fraction",
      safetensors('{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}', 8),
      /number 2\.0/,
    ],
    ["an exponent", safetensors('{"a":{"dtype":"F32","shape":[2e0],"data_offsets":[0,8]}}', 8), /number 2e0/],
    ["minus zero", safetensors('{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}'), /number -0/],
    [
      "a dimension past 2^53",
      safetensors(`{"a":{"dtype":"U8","shape":[${MAX}],"data_offsets":[0,8]}}`, 8),
      /dimension 9007/,
    ],
    [
      "an offset past 2^53",
      safetensors(`{"a":{"dtype":"U8","shape":[8],"data_offsets":[0,${MAX}]}}`, 8),
      /offsets below 2\^53/,
    ],
    ["elements past 2^53", safetensors({ a: { ...a, shape: [2 ** 30, 2 ** 30] } }, 8), /more than 2\^53 elements/],
    ["bytes past 2^53", safetensors({ a: { ...a, shape: [2 ** 52] } }, 8), /more than 2\^53 bytes/],
    ["many dimensions", safetensors({ a: { ...a, shape: Array(100_000).fill(1) } }, 8), /100000 dimensions/],
    ["three offsets", safetensors({ a: { ...a, data_offsets: [0, 8, 8] } }, 8), /data_offsets \[0,8,8\]/],
    ["offsets in the wrong order", safetensors({ a: { ...a, data_offsets: [8, 0] } }, 8), /span -8/],
    ["a wrong size", safetensors({ a: { ...a, dtype: "F16" } }, 8), /takes 4 bytes, its offsets span 8/],
    ["a tensor past the end", safetensors({ a }, 7), /of which the file has 7/],
    ["bytes behind the last tensor", safetensors({ a }, 9), /last 1 bytes belong to no tensor/],
    ["bytes before the first tensor", safetensors({ a: f32([2], 1, 9) }, 9), /1 bytes before tensor "a"/],
    ["a hole", safetensors({ a, b: f32([1], 12, 16) }, 16), /4 bytes before tensor "b"/],
    ["an overlap", safetensors({ a, b: f32([2], 4, 12) }, 12), /tensor "b" .* overlaps tensor "a"/],
    ["the same bytes twice", safetensors({ a, b: a }, 8), /overlaps/],
    ["an empty tensor within another", safetensors({ a, b: f32([0], 4, 4) }, 8), /overlaps/],
    ["metadata that is no object", safetensors({ __metadata__: [] }), /__metadata__ is not an object/],
    ["metadata that is no string", safetensors({ __metadata__: { a: 1 } }), /__metadata__ "a" is not a string/],
    ["a name that steers a terminal", safetensors({ "\u001b[2J": 1 }), /tensor "\\u001b\[2J"/],
  ])("refuses %s", async (_, bytes, message) => {
    await refused(openBytes(bytes), message);
  });

  it("refuses a header above the reference's cap before reading it", async () => {
    const source = counted(bufferSource(u64(100_000_001), "huge"), 5e9);
    await refused(openSafetensors(source), /header of 100000001 bytes, at most/);
    expect(source.counts).toEqual({ reads: 1, bytes: 8, closed: 1 });
  });

  it("stops reading where a long header cannot be JSON any more", async () => {
    const cases: [string | Uint8Array, RegExp][] = [
      [safetensors({ a }, 8).subarray(8), /is not JSON, from byte 8 on/], // data and then zeros
      [`{"a":1}${" ".repeat(3 << 20)}`, /is not JSON, from byte 3145736 on/], // zeros behind three pieces of white space
      [`{"\\"":1}x${" ".repeat(3 << 20)}`, /is not JSON, from byte 8 on/],
    ];
    for (const [text, message] of cases) {
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      const source = counted(bufferSource(concat(u64(90_000_000), bytes), "long"), 5e9);
      await refused(openSafetensors(source), message);
      expect(source.counts.bytes).toBeLessThan(5 << 20);
    }
  });

  it("reads a header of many pieces", async () => {
    const note = `"}]${"é\\".repeat(1_500_000)}`;
    const file = await openBytes(safetensors({ __metadata__: { note }, a }, 8));
    expect(file.metadata.get("note") === note).toBe(true);
    expect([...(await file.read("a"))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it("refuses every truncation of a real file", async () => {
    const whole = readFileSync(join(folder, "python.safetensors"));
    for (let length = 0; length < whole.length; length += 7) await refused(openBytes(whole.subarray(0, length)), /./);
  });

  it("scans strings of many megabytes without exhausting the stack", async () => {
    const name = "n\\\\".repeat(4_000_000);
    await refused(openBytes(safetensors(`{"${name}":1}`)), /not described by an object/);
    await refused(openBytes(safetensors(`{"${name}`)), /not valid JSON/);
    await refused(openBytes(safetensors(`{"a":${"1".repeat(8_000_000)}}`)), /not described by an object/);
  });

  it("stops by its signal", async () => {
    const source = bufferSource(safetensors({ a }, 8), "x");
    await expect(openSafetensors(source, AbortSignal.abort())).rejects.toThrow("aborted");
  });
});
