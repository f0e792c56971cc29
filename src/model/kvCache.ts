/**
 * Keys and values of past positions. A KvStore owns two tensors a layer, [rows, Hkv·Dh], shared by any number of sequences;
 * a KvCache is one sequence: a range of rows of its own behind a shared prefix. `fork` shares, `truncate` forgets, ranges
 * grow by doubling. Knows the sizes of a model, not its forward pass.
 */
import type { Backend, OpCall } from "../tensor/backend.ts";
import { SEQ } from "../tensor/backend.ts";
import { InputError, TrimtabError } from "../tensor/errors.ts";
import { Scope } from "../tensor/scope.ts";
import type { Tensor } from "../tensor/tensor.ts";

export interface KvSizes {
  readonly L: number;
  readonly Hkv: number;
  readonly Dh: number;
}

/** Rows [start, start + capacity) of a store, counted by the caches that read them. */
interface Range {
  start: number;
  capacity: number;
  users: number;
}

/** Frees device memory of stores that were dropped without `dispose`. */
const forgotten = new FinalizationRegistry<Scope>((scope) => scope.dispose());

export class KvStore {
  /** Per layer, [rows, Hkv·Dh]. Replaced when the store grows: see `generation`. */
  k: readonly Tensor[] = [];
  v: readonly Tensor[] = [];
  /** Counts growths; a call list that was recorded under another generation must not run. */
  generation = 0;
  #scope: Scope;
  #rows = 0;
  #used = 0;
  readonly #free: Range[] = [];

  constructor(
    readonly backend: Backend,
    readonly sizes: KvSizes,
    /** All layers share one pair of tensors: enough where nothing is run after this forward. */
    readonly transient = false,
  ) {
    this.#scope = new Scope(backend);
    forgotten.register(this, this.#scope, this);
  }

  /** A new empty sequence with room for `rows` positions. */
  sequence(rows: number): KvCache {
    return new KvCache(this, this.allocate(rows));
  }

  /** @internal */
  allocate(rows: number): Range {
    const at = this.#free.findIndex((r) => r.capacity >= rows && r.capacity <= 2 * rows);
    if (at >= 0) return Object.assign(this.#free.splice(at, 1)[0]!, { users: 1 });
    const range = { start: this.#used, capacity: rows, users: 1 };
    this.#used += rows;
    this.ensureRows(this.#used);
    return range;
  }

  /** @internal Makes `range` larger in place where it is the last one; says whether it could. */
  extend(range: Range, capacity: number): boolean {
    if (range.start + range.capacity !== this.#used) return false;
    this.#used = range.start + capacity;
    range.capacity = capacity;
    this.ensureRows(this.#used);
    return true;
  }

  /** @internal */
  release(range: Range): void {
    if (--range.users > 0) return;
    if (range.start + range.capacity === this.#used) this.#used = range.start;
    else this.#free.push(range);
  }

  /** @internal Copies `rows` rows of every layer. */
  copyRows(from: number, to: number, rows: number): void {
    if (rows > 0) this.#copy(this.k, this.v, from, to, rows);
  }

  #copy(ks: readonly Tensor[], vs: readonly Tensor[], from: number, to: number, rows: number): void {
    const columns = this.sizes.Hkv * this.sizes.Dh;
    const copy = (src: Tensor, dst: Tensor): OpCall => ({
      op: "copy",
      src: src.rows(from, from + rows),
      srcColumn: 0,
      dst: dst.rows(to, to + rows),
      dstColumn: 0,
      columns,
    });
    const calls = this.k.flatMap((k, l) => [copy(ks[l]!, k), copy(vs[l]!, this.v[l]!)]);
    this.backend.run(calls);
    this.backend.release(calls);
  }

  /** Makes the tensors hold at least `rows` rows (doubling). */
  ensureRows(rows: number): void {
    if (rows <= this.#rows) return;
    const next = Math.max(rows, 2 * this.#rows);
    const old = { scope: this.#scope, k: this.k, v: this.v, rows: this.#rows };
    const scope = new Scope(this.backend);
    const tensor = (kind: string): Tensor => scope.tensor([next, this.sizes.Hkv * this.sizes.Dh], `kv.${kind}`);
    const make = (kind: string): Tensor[] => {
      const { L } = this.sizes;
      return this.transient ? new Array<Tensor>(L).fill(tensor(kind)) : Array.from({ length: L }, () => tensor(kind));
    };
    this.k = make("k");
    this.v = make("v");
    if (old.rows > 0) this.#copy(old.k, old.v, 0, 0, old.rows);
    this.#rows = next;
    this.#scope = scope;
    this.generation++;
    forgotten.unregister(this);
    forgotten.register(this, scope, this);
    old.scope.dispose();
  }

  dispose(): void {
    forgotten.unregister(this);
    this.#scope.dispose();
  }
}

/** One sequence's past. Created by `model.run`, or by `fork`. */
export class KvCache {
  #own: Range | undefined;
  #ownLength = 0;
  #prefix: Range | undefined;
  #prefixLength = 0;
  #open = true;

  /** @internal */
  constructor(
    readonly store: KvStore,
    own: Range | undefined,
  ) {
    this.#own = own;
  }

  /** Positions stored. */
  get length(): number {
    return this.#prefixLength + this.#ownLength;
  }

  /** Positions that fit before the cache must grow. */
  get capacity(): number {
    return this.#prefixLength + (this.#own?.capacity ?? 0);
  }

  /** A second sequence with the same past; the past is shared, not copied. */
  fork(): KvCache {
    this.#assertOpen();
    const child = new KvCache(this.store, undefined);
    if (this.#prefix && this.#ownLength > 0) {
      // Attention knows one shared prefix: with one already there, the rows behind it are copied.
      child.#share(this.#prefix, this.#prefixLength);
      child.reserve(this.#ownLength);
      this.store.copyRows(this.#own!.start, child.#own!.start, this.#ownLength);
      child.#ownLength = this.#ownLength;
    } else if (this.#prefix) {
      child.#share(this.#prefix, this.#prefixLength);
    } else if (this.#own) {
      child.#share(this.#own, this.#ownLength);
    }
    return child;
  }

  #share(range: Range, length: number): void {
    range.users++;
    this.#prefix = range;
    this.#prefixLength = length;
  }

  /** Forgets positions from `length` on. @throws InputError where it is not within the cache. */
  truncate(length: number): void {
    this.#assertOpen();
    if (!(Number.isInteger(length) && length >= 0 && length <= this.length)) {
      throw new InputError("E_CONTEXT", `truncate to ${length} positions: the cache holds ${this.length}`);
    }
    if (length < this.#prefixLength) {
      this.#prefixLength = length;
      this.#ownLength = 0;
      return;
    }
    const kept = length - this.#prefixLength;
    if (this.#own && this.#own.users > 1 && kept < this.#ownLength) {
      // Forks read these rows: writing over them must happen elsewhere.
      const shared = this.#own;
      this.#own = this.store.allocate(Math.max(1, shared.capacity));
      this.store.copyRows(shared.start, this.#own.start, kept);
      this.store.release(shared);
    }
    this.#ownLength = kept;
  }

  /** @internal Makes room for `rows` more positions (doubling). */
  reserve(rows: number): void {
    this.#assertOpen();
    const needed = this.#ownLength + rows;
    if (this.#own && needed <= this.#own.capacity) return;
    const capacity = Math.max(needed, 2 * (this.#own?.capacity ?? 0));
    if (this.#own?.users === 1 && this.store.extend(this.#own, capacity)) return;
    const old = this.#own;
    this.#own = this.store.allocate(capacity);
    if (!old) return;
    this.store.copyRows(old.start, this.#own.start, this.#ownLength);
    this.store.release(old);
  }

  /** @internal Writes this sequence's row of the table that attention reads, as if `rows` positions were already there. */
  describe(table: Int32Array, s: number, rowStart: number, rows: number): void {
    const at = s * SEQ.width;
    table[at + SEQ.rowStart] = rowStart;
    table[at + SEQ.rows] = rows;
    table[at + SEQ.ownStart] = this.#own?.start ?? 0;
    table[at + SEQ.ownLength] = this.#ownLength + rows;
    table[at + SEQ.prefixStart] = this.#prefix?.start ?? 0;
    table[at + SEQ.prefixLength] = this.#prefixLength;
  }

  /** @internal Cache row of the next position. */
  get nextSlot(): number {
    return (this.#own?.start ?? 0) + this.#ownLength;
  }

  /** @internal Cache rows of all positions, in order. */
  rows(): Int32Array {
    const at = (i: number): number =>
      i < this.#prefixLength ? this.#prefix!.start + i : this.#own!.start + i - this.#prefixLength;
    return Int32Array.from({ length: this.length }, (_, i) => at(i));
  }

  /** @internal */
  advance(rows: number): void {
    this.#ownLength += rows;
  }

  /** Gives the rows back. The cache must not be used afterwards. */
  dispose(): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#own) this.store.release(this.#own);
    if (this.#prefix) this.store.release(this.#prefix);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #assertOpen(): void {
    if (!this.#open)
      throw new TrimtabError(
        "E_DISPOSED",
        "this KV cache was disposed",
        "fork it before disposing, or run the prompt again",
      );
  }
}
