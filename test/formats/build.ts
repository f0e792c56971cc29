/**
 * Makes small safetensors and GGUF files, sound or hostile, and sources that count what is read from them. Independent of
 * src/formats' own writer. Knows the layouts only.
 */
import { expect } from "vitest";
import type { ByteSource } from "../../src/formats/index.ts";
import { FormatError } from "../../src/tensor/errors.ts";

const utf8 = new TextEncoder();

export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

export function u32(value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setUint32(0, value, true);
  return out;
}

export function u64(value: number | bigint): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(value), true);
  return out;
}

/** A safetensors file of this header (text, or what JSON.stringify makes of it) and `dataBytes` bytes 1, 2, 3, … */
export function safetensors(header: unknown, dataBytes = 0): Uint8Array<ArrayBuffer> {
  const json =
    header instanceof Uint8Array ? header : utf8.encode(typeof header === "string" ? header : JSON.stringify(header));
  const data = Uint8Array.from({ length: dataBytes }, (_, i) => i + 1);
  return concat(u64(json.length), json, data);
}

export const ggufString = (text: string | Uint8Array): Uint8Array => {
  const bytes = typeof text === "string" ? utf8.encode(text) : text;
  return concat(u64(bytes.length), bytes);
};

/** A key with a value of `type` whose bytes are given. */
export const ggufKey = (key: string | Uint8Array, type: number, value: Uint8Array): Uint8Array =>
  concat(ggufString(key), u32(type), value);

export interface GgufTensor {
  readonly name: string;
  /** Innermost first, as in the file. */
  readonly dims: readonly (number | bigint)[];
  readonly type: number;
  readonly offset: number | bigint;
}

export interface GgufParts {
  readonly magic?: string;
  readonly version?: number;
  readonly keys?: readonly Uint8Array[];
  readonly tensors?: readonly GgufTensor[];
  readonly keyCount?: number | bigint;
  readonly tensorCount?: number | bigint;
  readonly alignment?: number;
  readonly data?: Uint8Array;
}

export function gguf(p: GgufParts): Uint8Array<ArrayBuffer> {
  const { keys = [], tensors = [] } = p;
  const table = tensors.map((t) =>
    concat(ggufString(t.name), u32(t.dims.length), ...t.dims.map(u64), u32(t.type), u64(t.offset)),
  );
  const header = concat(
    utf8.encode(p.magic ?? "GGUF"),
    u32(p.version ?? 3),
    u64(p.tensorCount ?? tensors.length),
    u64(p.keyCount ?? keys.length),
    ...keys,
    ...table,
  );
  if (!p.data) return header;
  const alignment = p.alignment ?? 32;
  return concat(header, new Uint8Array((alignment - (header.length % alignment)) % alignment), p.data);
}

export interface Counted extends ByteSource {
  readonly counts: { reads: number; bytes: number; closed: number };
}

/** Counts reads. Where `claimedBytes` is larger than `inner`, what lies beyond is zeros, made when they are read. */
export function counted(inner: ByteSource, claimedBytes = inner.sizeBytes): Counted {
  const counts = { reads: 0, bytes: 0, closed: 0 };
  return {
    name: inner.name,
    sizeBytes: claimedBytes,
    counts,
    async read(offsetBytes, lengthBytes, signal) {
      counts.reads++;
      counts.bytes += lengthBytes;
      if (offsetBytes + lengthBytes <= inner.sizeBytes || lengthBytes + offsetBytes > claimedBytes)
        return inner.read(offsetBytes, lengthBytes, signal);
      const out = new Uint8Array(lengthBytes);
      const there = Math.max(0, Math.min(lengthBytes, inner.sizeBytes - offsetBytes));
      if (there > 0) out.set(await inner.read(offsetBytes, there, signal));
      return out;
    },
    async close() {
      counts.closed++;
      await inner.close();
    },
  };
}

/** Fails unless `promise` is refused with a FormatError whose message matches. */
export async function refused(promise: Promise<unknown>, message: RegExp): Promise<void> {
  const error = await promise.then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error).toBeInstanceOf(FormatError);
  expect((error as FormatError).message).toMatch(message);
  expect((error as FormatError).message.length).toBeLessThan(1200);
}
