/**
 * The key/value section of a GGUF header. Knows the value types, not what any key means.
 * Format: ggml docs/gguf.md, gguf_metadata_value_type.
 */
import { type Cursor, metadataKey, type NumberBytes, type NumberKind } from "./ggufCursor.ts";
import { quoted } from "./quoted.ts";

export type GgufNumbers =
  | Uint8Array
  | Int8Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | Float32Array
  | Float64Array
  | BigUint64Array
  | BigInt64Array;

/** 64-bit integers are numbers where these are exact, else bigint; arrays of numbers are typed arrays. */
export type GgufValue = number | bigint | boolean | string | readonly GgufValue[] | GgufNumbers;

interface NumericType {
  readonly bytes: NumberBytes;
  readonly kind: NumberKind;
  /** Little-endian machines only, as is all of this engine. */
  readonly array: (buffer: ArrayBuffer) => GgufNumbers;
}

const NUMERIC_TYPES: ReadonlyMap<number, NumericType> = new Map<number, NumericType>([
  [0, { bytes: 1, kind: "u", array: (b) => new Uint8Array(b) }],
  [1, { bytes: 1, kind: "i", array: (b) => new Int8Array(b) }],
  [2, { bytes: 2, kind: "u", array: (b) => new Uint16Array(b) }],
  [3, { bytes: 2, kind: "i", array: (b) => new Int16Array(b) }],
  [4, { bytes: 4, kind: "u", array: (b) => new Uint32Array(b) }],
  [5, { bytes: 4, kind: "i", array: (b) => new Int32Array(b) }],
  [6, { bytes: 4, kind: "f", array: (b) => new Float32Array(b) }],
  [10, { bytes: 8, kind: "u", array: (b) => new BigUint64Array(b) }],
  [11, { bytes: 8, kind: "i", array: (b) => new BigInt64Array(b) }],
  [12, { bytes: 8, kind: "f", array: (b) => new Float64Array(b) }],
]);
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;

const MAX_ARRAY_DEPTH = 4;
/** The largest vocabularies have 256k tokens and 600k merges. */
const MAX_ARRAY_ELEMS = 1 << 21;
/** Strings, booleans and arrays within arrays, over the whole header: they take more memory than their bytes in the file. */
const MAX_OBJECTS = 1 << 21;
/** An empty typed array weighs as much as this many short strings. */
const ARRAY_WEIGHT = 16;

/** Counts down while the header is read. */
interface Budget {
  objects: number;
}

/** Reads `count` keys with their values. @throws FormatError, also for a key that is there twice. */
export async function readMetadata(c: Cursor, count: number): Promise<Map<string, GgufValue>> {
  const metadata = new Map<string, GgufValue>();
  const budget: Budget = { objects: MAX_OBJECTS };
  for (let i = 0; i < count; i++) {
    const key = await c.string("a metadata key");
    if (metadata.has(key)) c.fail(`metadata key ${quoted(key)} is there twice`);
    metadata.set(key, await readValue(c, key, budget));
  }
  return metadata;
}

async function readValue(c: Cursor, key: string, budget: Budget): Promise<GgufValue> {
  const type = await c.u32();
  const numeric = NUMERIC_TYPES.get(type);
  if (numeric) {
    await c.need(numeric.bytes);
    return c.number(numeric.bytes, numeric.kind);
  }
  if (type === BOOL) return (await readBooleans(c, 1, key))[0]!;
  if (type === STRING) return c.string(metadataKey(key));
  if (type === ARRAY) return readArray(c, key, 1, budget);
  return unknownType(c, key, type);
}

async function readArray(c: Cursor, key: string, depth: number, budget: Budget): Promise<GgufValue> {
  if (depth > MAX_ARRAY_DEPTH) c.fail(`${metadataKey(key)} nests arrays deeper than ${MAX_ARRAY_DEPTH}`);
  const type = await c.u32();
  const numeric = NUMERIC_TYPES.get(type);
  // the least that an element can take: a string its length, an array its type and length
  const unitBytes = numeric?.bytes ?? (type === STRING ? 8 : type === ARRAY ? 12 : 1);
  const n = await c.count(`elements of ${metadataKey(key)}`, unitBytes, MAX_ARRAY_ELEMS);
  if (numeric) return numeric.array((await c.bytes(n * numeric.bytes)).buffer);
  budget.objects -= type === ARRAY ? n * ARRAY_WEIGHT : n;
  if (budget.objects < 0) c.fail(`the metadata holds more than ${MAX_OBJECTS} strings, up to ${metadataKey(key)}`);
  if (type === BOOL) return readBooleans(c, n, key);
  if (type === STRING) return c.strings(n, metadataKey(key));
  if (type !== ARRAY) return unknownType(c, key, type);
  const arrays: GgufValue[] = [];
  for (let i = 0; i < n; i++) arrays.push(await readArray(c, key, depth + 1, budget));
  return arrays;
}

async function readBooleans(c: Cursor, n: number, key: string): Promise<boolean[]> {
  const bytes = await c.bytes(n);
  const bad = bytes.find((b) => b > 1);
  if (bad !== undefined) c.fail(`${metadataKey(key)} has the boolean ${bad}, expected 0 or 1`);
  return Array.from(bytes, (b) => b === 1);
}

function unknownType(c: Cursor, key: string, type: number): never {
  return c.fail(`${metadataKey(key)} has the value type ${type}, expected 0 to 12`);
}
