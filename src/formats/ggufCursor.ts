/**
 * A forward-only reader over a ByteSource for GGUF headers: little-endian numbers and strings through one window of bounded
 * size, with every length checked against what is left of the file before memory is taken. Knows no GGUF structure.
 */
import { FormatError } from "../tensor/errors.ts";
import type { ByteSource } from "./source.ts";

const WINDOW_BYTES = 1 << 20;
/** A single string longer than this is not a token, a merge, or a chat template. */
const MAX_STRING_BYTES = 16 << 20;

export class Cursor {
  /** Bytes from the start of the file. */
  position = 0;
  #window: Uint8Array = new Uint8Array(0);
  #windowStart = 0;
  #view = new DataView(this.#window.buffer);
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

  constructor(
    readonly source: ByteSource,
    readonly signal?: AbortSignal,
  ) {}

  get left(): number {
    return this.source.sizeBytes - this.position;
  }

  fail(what: string): never {
    throw new FormatError(
      `${this.source.name}: ${what}, at byte ${this.position}`,
      "the file is truncated or damaged; fetch it again",
    );
  }

  /** Makes the next `bytes` bytes lie in the window. */
  async need(bytes: number): Promise<void> {
    if (this.position + bytes <= this.#windowStart + this.#window.length && this.position >= this.#windowStart) return;
    if (bytes > this.left) this.fail(`${bytes} bytes are needed, ${this.left} are left`);
    this.#window = await this.source.read(
      this.position,
      Math.min(Math.max(bytes, WINDOW_BYTES), this.left),
      this.signal,
    );
    this.#windowStart = this.position;
    this.#view = new DataView(this.#window.buffer, this.#window.byteOffset, this.#window.byteLength);
  }

  /** Bytes that can be taken without another read. */
  get inWindow(): number {
    return this.#windowStart + this.#window.length - this.position;
  }

  /** @internal The next `bytes` bytes, which `need` has made available. */
  take(bytes: number): Uint8Array {
    const at = this.position - this.#windowStart;
    this.position += bytes;
    return this.#window.subarray(at, at + bytes);
  }

  /** A number by DataView method; `need(bytes)` first. */
  number(bytes: 1 | 2 | 4 | 8, kind: "u" | "i" | "f"): number | bigint {
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

  /** A u64 that counts something: at most what `unitBytes` each would fit in the rest of the file. */
  async count(what: string, unitBytes: number): Promise<number> {
    await this.need(8);
    const n = this.number(8, "u");
    if (typeof n === "bigint" || n * unitBytes > this.left)
      this.fail(`${what} ${n} does not fit in the remaining ${this.left} bytes`);
    return n;
  }

  async string(what: string): Promise<string> {
    const bytes = await this.count(`${what} of length`, 1);
    if (bytes > MAX_STRING_BYTES) this.fail(`${what} of ${bytes} bytes is longer than ${MAX_STRING_BYTES}`);
    await this.need(bytes);
    return this.decode(this.take(bytes), what);
  }

  /** A string whose length and bytes all lie in the window, or undefined: the quick path of long arrays. */
  stringInWindow(what: string): string | undefined {
    if (this.inWindow < 8) return undefined;
    const at = this.position - this.#windowStart;
    const bytes = this.#view.getUint32(at, true);
    if (this.#view.getUint32(at + 4, true) !== 0 || bytes > this.inWindow - 8) return undefined;
    this.position += 8;
    return this.decode(this.take(bytes), what);
  }

  decode(bytes: Uint8Array, what: string): string {
    // Tokens are short and mostly ASCII, where String.fromCharCode beats TextDecoder's call by far.
    if (bytes.length <= 24) {
      let text = "";
      for (let i = 0; i < bytes.length; i++) {
        if (bytes[i]! > 0x7f) break;
        text += String.fromCharCode(bytes[i]!);
      }
      if (text.length === bytes.length) return text;
    }
    try {
      return this.#utf8.decode(bytes);
    } catch {
      return this.fail(`${what} is not UTF-8`);
    }
  }
}

function safe(value: bigint): number | bigint {
  return value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
}
