/**
 * LinearMemory: the one WebAssembly.Memory in which everything lives, and an allocator over it (first fit by address,
 * neighbours merged on free, 64-byte aligned). Works the same on shared memory. Knows no tensors and no kernels.
 */
import { DeviceError } from "../../tensor/errors.ts";

const PAGE_BYTES = 65536;
/** One page short of 4 GiB, so that every length and address fits an unsigned 32-bit word. */
const MAX_PAGES = 65535;
/** Kernels may read (never write) up to this many bytes past an allocation. */
const SLACK_BYTES = 256;
const GROW_PAGES = 64;
export const ALIGN_BYTES = 64;

export interface MemoryOptions {
  readonly shared?: boolean;
  /** Most 64 KiB pages; for tests of E_OOM. */
  readonly maximumPages?: number;
}

interface FreeRange {
  address: number;
  bytes: number;
}

export class LinearMemory {
  readonly memory: WebAssembly.Memory;
  /** Views of the whole memory; replaced when it grows, so never keep one. */
  u8!: Uint8Array;
  i32!: Int32Array;
  u32!: Uint32Array;
  f32!: Float32Array;
  /** Rises with every growth: a cached view is stale when it was made under another epoch. */
  epoch = 0;
  /** Sorted by address, never adjacent. */
  readonly #free: FreeRange[] = [];
  readonly #maximumPages: number;
  #end: number;

  constructor(o: MemoryOptions = {}) {
    this.#maximumPages = Math.min(o.maximumPages ?? MAX_PAGES, MAX_PAGES);
    const initial = Math.min(16, this.#maximumPages);
    this.memory = new WebAssembly.Memory({ initial, maximum: this.#maximumPages, shared: o.shared ?? false });
    this.#end = initial * PAGE_BYTES;
    this.#refresh();
    // address 0 stays unused, so that it can mean "absent" in kernel arguments
    this.#free.push({ address: ALIGN_BYTES, bytes: this.#end - SLACK_BYTES - ALIGN_BYTES });
  }

  get bytes(): number {
    return this.#end;
  }

  /** Address of `bytes` undefined bytes. @throws DeviceError E_OOM. */
  alloc(bytes: number, label: string): number {
    const size = roundUp(bytes);
    const index = this.#firstFit(size) ?? this.#grow(size, label);
    const range = this.#free[index]!;
    const address = range.address;
    range.address += size;
    range.bytes -= size;
    if (range.bytes === 0) this.#free.splice(index, 1);
    return address;
  }

  /** Gives back what `alloc(bytes)` returned. */
  free(address: number, bytes: number): void {
    const size = roundUp(bytes);
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#free[middle]!.address < address) low = middle + 1;
      else high = middle;
    }
    this.#insert(low, address, size);
  }

  #insert(index: number, address: number, bytes: number): void {
    const before = this.#free[index - 1];
    const after = this.#free[index];
    const joinsBefore = before !== undefined && before.address + before.bytes === address;
    const joinsAfter = after !== undefined && address + bytes === after.address;
    if (joinsBefore) {
      before.bytes += bytes;
      if (joinsAfter) {
        before.bytes += after.bytes;
        this.#free.splice(index, 1);
      }
    } else if (joinsAfter) {
      after.address = address;
      after.bytes += bytes;
    } else {
      this.#free.splice(index, 0, { address, bytes });
    }
  }

  #firstFit(size: number): number | undefined {
    const index = this.#free.findIndex((r) => r.bytes >= size);
    return index < 0 ? undefined : index;
  }

  /** Grows until the last free range holds `size` bytes and returns that range's index. */
  #grow(size: number, label: string): number {
    const usable = this.#end - SLACK_BYTES;
    const last = this.#free.at(-1);
    const tail = last && last.address + last.bytes === usable ? last.bytes : 0;
    const needed = Math.ceil((size - tail) / PAGE_BYTES);
    const have = this.#end / PAGE_BYTES;
    // by a quarter at least: every growth replaces the views and may move the memory
    const pages = Math.min(Math.max(needed, GROW_PAGES, have >> 2), this.#maximumPages - have);
    try {
      if (pages < needed) throw new RangeError(`the limit is ${this.#maximumPages} pages of 64 KiB`);
      this.memory.grow(pages);
    } catch (cause) {
      throw new DeviceError(
        `cpu: no room for ${size} bytes (${label}): ${this.#end} bytes are in use or fragmented; ${(cause as Error).message}`,
        "use a smaller context, a smaller batch, or a more strongly quantised model",
        "E_OOM",
      );
    }
    this.#end += pages * PAGE_BYTES;
    this.#refresh();
    this.#insert(this.#free.length, usable, pages * PAGE_BYTES);
    return this.#free.length - 1;
  }

  #refresh(): void {
    const { buffer } = this.memory;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.f32 = new Float32Array(buffer);
    this.epoch++;
  }
}

function roundUp(bytes: number): number {
  return Math.max(ALIGN_BYTES, Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES);
}
