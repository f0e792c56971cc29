/**
 * A forward-only reader over a ByteSource for GGUF headers: little-endian numbers, strings and arrays through one window of
 * bounded size, with every length checked against what is left of the header before memory is taken. Knows no GGUF
 * structure. A failure names the byte.
 */
import { FormatError } from "../tensor/errors.ts";
import { quoted } from "./quoted.ts";
import type { ByteSource } from "./source.ts";

const WINDOW_BYTES = 1 << 20;
/** Headers of models with 256k tokens have less than 20 MB. */
const MAX_HEADER_BYTES = 48 << 20;
/** The longest known are chat templates (100 kB) and embedded tokenizer.json files. */
const MAX_STRING_BYTES = 16 << 20;

export type NumberKind = "u" | "i" | "f";
export type NumberBytes = 1 | 2 | 4 | 8;

export class Cursor {
  /** Bytes from the start of the file. */
  position = 0;
  readonly #limitBytes: number;
  #window: Uint8Array = new Uint8Array(0);
  #windowStart = 0;
  #view = new DataView(this.#window.buffer);
  /** What was passed of earlier windows. */
  readonly #passed: Uint8Array[] = [];
  /** Room for `#stringsOfWindow`, kept because a hostile header may hold many short arrays. */
  #packed: Uint8Array = new Uint8Array(0);
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(
    readonly source: ByteSource,
    readonly signal?: AbortSignal,
  ) {
    this.#limitBytes = Math.min(source.sizeBytes, MAX_HEADER_BYTES);
  }

  /** Bytes that may still belong to the header. */
  get left(): number {
    return this.#limitBytes - this.position;
  }

  fail(what: string): never {
    throw new FormatError(
      `${this.source.name}: ${what}, at byte ${this.position}`,
      "the file is truncated or damaged; fetch it again",
    );
  }

  /** Makes the next `bytes` bytes lie in the window. */
  async need(bytes: number): Promise<void> {
    const at = this.position - this.#windowStart;
    if (at + bytes <= this.#window.length) return;
    if (bytes > this.left) {
      const limit = this.#limitBytes < this.source.sizeBytes ? "the largest header that is read" : "the file";
      this.fail(`${bytes} bytes are needed, ${this.left} are left of ${limit}`);
    }
    this.#passed.push(this.#window.subarray(0, at));
    const length = Math.min(Math.max(bytes, WINDOW_BYTES), this.left);
    this.#window = await this.source.read(this.position, length, this.signal);
    this.#windowStart = this.position;
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
  }

  /** A number, safe as a number or else a bigint; `need(bytes)` first. */
  number(bytes: NumberBytes, kind: NumberKind): number | bigint {
    const at = this.position - this.#windowStart;
    this.position += bytes;
    const v = this.#view;
    if (kind === "f") return bytes === 4 ? v.getFloat32(at, true) : v.getFloat64(at, true);
    if (bytes === 8) return safe(kind === "u" ? v.getBigUint64(at, true) : v.getBigInt64(at, true));
    if (bytes === 4) return kind === "u" ? v.getUint32(at, true) : v.getInt32(at, true);
    if (bytes === 2) return kind === "u" ? v.getUint16(at, true) : v.getInt16(at, true);
    return kind === "u" ? v.getUint8(at) : v.getInt8(at);
  }

  async u32(): Promise<number> {
    await this.need(4);
    return this.number(4, "u") as number;
  }

  /** A u64 that counts things of at least `unitBytes` each: no more than fit in what is left. `what` as in "17 `what`". */
  async count(what: string, unitBytes: number, most: number): Promise<number> {
    await this.need(8);
    const n = this.number(8, "u");
    if (typeof n === "bigint" || n * unitBytes > this.left)
      this.fail(`${n} ${what} are announced, which do not fit in the ${this.left} bytes that are left`);
    if (n > most) this.fail(`${n} ${what} are announced, at most ${most} are read`);
    return n;
  }

  async string(what: string): Promise<string> {
    const bytes = await this.count(`bytes of ${what}`, 1, MAX_STRING_BYTES);
    await this.need(bytes);
    const at = this.position - this.#windowStart;
    this.position += bytes;
    return this.#decode(this.#window.subarray(at, at + bytes), what);
  }

  /** A copy of the next `n` bytes, read window by window. The caller has checked `n`. */
  async bytes(n: number): Promise<Uint8Array<ArrayBuffer>> {
    const out = new Uint8Array(n);
    for (let done = 0; done < n; ) {
      await this.need(1);
      const at = this.position - this.#windowStart;
      const piece = Math.min(n - done, this.#window.length - at);
      out.set(this.#window.subarray(at, at + piece), done);
      this.position += piece;
      done += piece;
    }
    return out;
  }

  /** `n` strings. The caller has checked `n`. */
  async strings(n: number, what: string): Promise<string[]> {
    const out: string[] = [];
    while (out.length < n) {
      await this.need(8);
      if (!this.#stringsOfWindow(n, out, what)) out.push(await this.string(what));
    }
    return out;
  }

  /**
   * All strings that lie whole in the window, by one call of the decoder: their bytes are packed, decoded together, and cut
   * at the UTF-16 lengths counted on the way. One call a string takes six times as long on SmolLM2's 98 000 strings.
   * A character split between two strings would decode; it shows by a string that begins with a continuation byte.
   */
  #stringsOfWindow(n: number, out: string[], what: string): boolean {
    const w = this.#window;
    let at = this.position - this.#windowStart;
    if (this.#packed.length < w.length) this.#packed = new Uint8Array(w.length);
    const packed = this.#packed;
    const ends: number[] = [];
    let used = 0;
    let units = 0;
    while (out.length + ends.length < n && at + 8 <= w.length) {
      const bytes = this.#view.getUint32(at, true);
      const end = at + 8 + bytes;
      if (this.#view.getUint32(at + 4, true) !== 0 || end > w.length) break;
      at += 8;
      if (bytes > 0 && (w[at]! & 0xc0) === 0x80) this.fail(`${what} is not UTF-8`);
      for (; at < end; at++) {
        const b = w[at]!;
        packed[used++] = b;
        if ((b & 0xc0) !== 0x80) units += b >= 0xf0 ? 2 : 1;
      }
      ends.push(units);
    }
    const text = this.#decode(packed.subarray(0, used), what);
    this.position = this.#windowStart + at;
    let from = 0;
    for (const to of ends) {
      out.push(text.slice(from, to));
      from = to;
    }
    return ends.length > 0;
  }

  /** Everything passed so far, without reading it again. */
  header(): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(this.position);
    let at = 0;
    for (const part of [...this.#passed, this.#window.subarray(0, this.position - this.#windowStart)]) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }

  #decode(bytes: Uint8Array, what: string): string {
    try {
      return this.#utf8.decode(bytes);
    } catch {
      return this.fail(`${what} is not UTF-8`);
    }
  }
}

/** `metadata "key"`, for messages. */
export function metadataKey(key: string): string {
  return `metadata ${quoted(key)}`;
}

function safe(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
