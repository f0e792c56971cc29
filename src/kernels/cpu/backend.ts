/**
 * CpuBackend: buffers and weight matrices in one linear memory, kernels compiled once a key, call lists lowered once and
 * then run without allocating. Everything is synchronous. Knows no model.
 */
import type {
  Backend,
  BackendCounters,
  BufferRef,
  Capabilities,
  Matrix,
  MatrixPart,
  OpCall,
} from "../../tensor/backend.ts";
import { checkKeys, DeviceError, InputError, ShapeError, TrimtabError } from "../../tensor/errors.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { detectFeatures, type FeatureOptions, tierName } from "./features.ts";
import type { Command, Features, LowerContext, PackedMatrix } from "./kernel.ts";
import { LinearMemory } from "./memory.ts";
import { packMatrix } from "./packedMatrix.ts";
import { type CommandRange, canShareMemory, defaultThreads, ThreadPool } from "./pool.ts";
import { buildProgram, type Kernel, type KernelRun, type Program, writeCommands } from "./program.ts";

export interface CpuBackendOptions extends FeatureOptions {
  /**
   * Default: physical cores; 1 where memory cannot be shared between threads, and on a page's main thread, which would wait
   * for the others in a loop: work in a Worker there. Results do not depend on it.
   */
  readonly threads?: number;
  /** A run with fewer multiply-adds than this stays on the calling thread. Default 1,000,000 (some 25 µs). */
  readonly soloWork?: number;
  /** Most memory to use, in bytes; 4 GiB by default. */
  readonly maximumBytes?: number;
}

/** A range of linear memory. `address` is 0 once freed. */
interface CpuBuffer extends BufferRef {
  address: number;
  /** The last range read, kept so that reading it again makes no view. */
  view: Uint8Array | undefined;
  viewEpoch: number;
}

/** Counted as multiply-adds, so that a portion of panels is shared out in several chunks. */
const PACK_WORK = 64_000_000;

export class CpuBackend implements Backend {
  readonly name = "cpu";
  readonly counters: BackendCounters = { ops: {}, allocations: 0, liveBytes: 0, peakBytes: 0 };
  readonly features: Features;
  #memory: LinearMemory;
  readonly #kernels = new Map<string, Kernel>();
  readonly #threads: number;
  readonly #soloWork: number;
  #pool: ThreadPool | undefined;
  readonly #matrices = new Set<Matrix>();
  #programs = new WeakMap<readonly OpCall[], Program>();
  #scratch = { address: 0, bytes: 0 };
  #disposed = false;
  readonly #lowering: Omit<LowerContext, "shared">;

  constructor(o: CpuBackendOptions = {}) {
    checkKeys(o, CPU_KEYS, "createCpuBackend");
    this.#threads = checkThreads(o.threads);
    this.#soloWork = o.soloWork ?? SOLO_WORK;
    this.features = { ...detectFeatures(o), shared: this.#threads > 1 };
    this.#memory = new LinearMemory({
      shared: this.features.shared,
      maximumPages: o.maximumBytes === undefined ? undefined : Math.floor(o.maximumBytes / 65536),
    });
    this.#lowering = {
      features: this.features,
      address: (t) => addressOf(t),
      packed: (m) => this.#packed(m),
    };
  }

  get caps(): Capabilities {
    const threads = this.#pool?.broken ? 1 : this.#threads;
    return { tier: tierName(this.features), threads, synchronous: true };
  }

  alloc(bytes: number, label: string): BufferRef {
    this.#expectOpen(label);
    const address = this.#memory.alloc(bytes, label);
    this.counters.allocations++;
    this.#count(bytes);
    const buffer: CpuBuffer = { bytes, label, address, view: undefined, viewEpoch: 0 };
    return buffer;
  }

  /** Freeing twice, or after disposal, does nothing. */
  free(buffer: BufferRef): void {
    const b = buffer as CpuBuffer;
    if (b.address === 0 || this.#disposed) return;
    this.#memory.free(b.address, b.bytes);
    b.address = 0;
    b.view = undefined;
    this.#count(-b.bytes);
  }

  createMatrix(label: string, parts: readonly MatrixPart[]): Matrix {
    this.#expectOpen(label);
    const matrix = packMatrix(this.#memory, label, parts, (command) => this.#runPack(command));
    this.#matrices.add(matrix);
    this.#count(matrix.bytes);
    return matrix;
  }

  freeMatrix(matrix: Matrix): void {
    if (!this.#matrices.delete(matrix)) return;
    for (const s of (matrix as PackedMatrix).segments) this.#memory.free(s.address, s.bytes);
    this.#count(-matrix.bytes);
  }

  write(buffer: BufferRef, data: ArrayBufferView, offsetBytes = 0): void {
    this.#expectOpen(buffer.label);
    const at = rangeOf(buffer, offsetBytes, data.byteLength);
    const memory = this.#memory;
    // setting like into like moves bytes without making a view
    if (data instanceof Float32Array && at % 4 === 0) memory.f32.set(data, at / 4);
    else if (data instanceof Int32Array && at % 4 === 0) memory.i32.set(data, at / 4);
    else memory.u8.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
  }

  run(calls: readonly OpCall[]): void {
    this.#expectOpen("run");
    const program = this.#program(calls);
    const counts = this.counters.ops;
    for (let i = 0; i < program.opNames.length; i++) {
      const op = program.opNames[i]!;
      counts[op] = (counts[op] ?? 0) + program.opCounts[i]!;
    }
    for (let i = 0; i < program.steps.length; i++) {
      const step = program.steps[i]!;
      // a host call may run other lists, and so move the scratch
      if (step.host) step.host();
      else this.#runCommands(step.commands, program.work >= this.#soloWork);
    }
  }

  #runCommands(commands: CommandRange, together: boolean): void {
    const { address, bytes } = this.#scratch;
    if (together && this.#pool?.usable) {
      this.#pool.run(commands, address, bytes);
      return;
    }
    for (let i = 0; i < commands.count; i++) commands.runs[i]!(commands.args[i]!, 0, commands.units[i]!, address);
  }

  release(calls: readonly OpCall[]): void {
    const program = this.#programs.get(calls);
    if (!program || this.#disposed) return;
    for (const { address, bytes } of program.areas) this.#memory.free(address, bytes);
    this.#programs.delete(calls);
  }

  async read(buffer: BufferRef, offsetBytes: number, bytes: number): Promise<Uint8Array> {
    this.#expectOpen(buffer.label);
    const at = rangeOf(buffer, offsetBytes, bytes);
    return this.#memory.u8.slice(at, at + bytes);
  }

  readInto(buffer: BufferRef, offsetBytes: number, target: Uint8Array): void {
    this.#expectOpen(buffer.label);
    const at = rangeOf(buffer, offsetBytes, target.byteLength);
    const b = buffer as CpuBuffer;
    const { epoch, u8 } = this.#memory;
    let view = b.view;
    if (!view || b.viewEpoch !== epoch || view.byteOffset !== at || view.byteLength !== target.byteLength) {
      view = u8.subarray(at, at + target.byteLength);
      b.view = view;
      b.viewEpoch = epoch;
    }
    target.set(view);
  }

  /** Forgets everything; using the backend or its tensors afterwards is an error. */
  dispose(): void {
    this.#disposed = true;
    this.#programs = new WeakMap();
    this.#matrices.clear();
    this.#kernels.clear();
    this.#pool?.dispose();
    this.#pool = undefined;
    abandoned.unregister(this);
    this.counters.liveBytes = 0;
    this.#memory = new LinearMemory({ maximumPages: 1 });
  }

  #program(calls: readonly OpCall[]): Program {
    const known = this.#programs.get(calls);
    if (known && known.calls === calls.length) return known;
    if (known) this.release(calls);
    if (this.#threads > 1 && !this.#pool) this.#startPool();
    const made = buildProgram(calls, this.#lowering, this.#memory, (command) => this.#kernel(command), this.#threads);
    this.#programs.set(calls, made);
    this.#reserveScratch(made.scratchBytes);
    return made;
  }

  /** Resolves when all threads are up; runs before that are done by those that are. For benchmarks and tests. */
  async threadsReady(): Promise<void> {
    if (this.#threads > 1 && !this.#pool) this.#startPool();
    while (this.#pool && !this.#pool.complete && !this.#pool.broken)
      await new Promise((resolve) => setTimeout(resolve, 1));
  }

  #startPool(): void {
    this.#pool = new ThreadPool(this.#memory, this.#threads);
    abandoned.register(this, this.#pool, this);
  }

  /** Every thread has `bytes` of scratch; all programs of this backend share it. */
  #reserveScratch(bytes: number): void {
    if (bytes <= this.#scratch.bytes) return;
    const perThread = Math.ceil(bytes / 64) * 64;
    if (this.#scratch.bytes) this.#memory.free(this.#scratch.address, this.#scratch.bytes * this.#threads);
    this.#scratch = { address: this.#memory.alloc(perThread * this.#threads, "scratch"), bytes: perThread };
  }

  #kernel({ key, emit }: Pick<Command, "key" | "emit">): Kernel {
    const known = this.#kernels.get(key);
    if (known) return known;
    const bytes = emit(this.features);
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory: this.#memory.memory },
    });
    const address = this.features.shared ? this.#memory.alloc(bytes.length, key) : 0;
    if (this.features.shared) this.#memory.u8.set(bytes, address);
    const made: Kernel = { index: this.#kernels.size, run: exports.run as KernelRun, address, bytes: bytes.length };
    this.#kernels.set(key, made);
    return made;
  }

  /** Threads that are still starting take part as soon as they are up; alone, the caller does it all. */
  #runPack(command: Command): void {
    if (this.#threads > 1 && !this.#pool && command.units > 1) this.#startPool();
    const areas: { address: number; bytes: number }[] = [];
    const take = (bytes: number, label: string): number => {
      const address = this.#memory.alloc(bytes, label);
      areas.push({ address, bytes });
      return address;
    };
    const costed = [{ command, work: PACK_WORK }];
    const commands = writeCommands(costed, this.#memory, take, (c) => this.#kernel(c), this.#threads);
    this.#runCommands(commands, command.units > 1);
    for (const { address, bytes } of areas) this.#memory.free(address, bytes);
  }

  #packed(matrix: Matrix): PackedMatrix {
    if (!this.#matrices.has(matrix)) {
      throw new TrimtabError("E_DISPOSED", `cpu: matrix ${matrix.label} was freed or belongs to another backend`);
    }
    return matrix as PackedMatrix;
  }

  #count(bytes: number): void {
    this.counters.liveBytes += bytes;
    this.counters.peakBytes = Math.max(this.counters.peakBytes, this.counters.liveBytes);
  }

  #expectOpen(what: string): void {
    if (this.#disposed) throw new TrimtabError("E_DISPOSED", `cpu: ${what} used after the backend was disposed`);
  }
}

const CPU_KEYS = ["fma", "setV8Flags", "revectorize", "threads", "soloWork", "maximumBytes"] as const;

const SOLO_WORK = 1_000_000;

/** Ends the threads of backends that were dropped without `dispose`. */
const abandoned = new FinalizationRegistry<ThreadPool>((pool) => pool.dispose());

function checkThreads(asked: number | undefined): number {
  if (asked === undefined) return defaultThreads();
  if (!Number.isInteger(asked) || asked < 1 || asked > 256) {
    throw new InputError("E_OPTION", `createCpuBackend: threads ${asked}`, "give a whole number from 1 to 256");
  }
  if (asked > 1 && !canShareMemory()) {
    throw new DeviceError(
      `cpu: ${asked} threads need shared memory, which is not available here`,
      "serve the page with COOP and COEP headers (cross-origin isolation), or use threads: 1",
    );
  }
  return asked;
}

export function createCpuBackend(options?: CpuBackendOptions): CpuBackend {
  return new CpuBackend(options);
}

function addressOf(tensor: Tensor): number {
  return rangeOf(tensor.buffer, tensor.offsetBytes, tensor.bytes);
}

/** Byte address of a range of a live buffer. @throws TrimtabError E_DISPOSED, ShapeError. */
function rangeOf(buffer: BufferRef, offsetBytes: number, bytes: number): number {
  const { address } = buffer as CpuBuffer;
  if (address === 0) throw new TrimtabError("E_DISPOSED", `cpu: buffer ${buffer.label} was freed`);
  if (address === undefined) throw new DeviceError(`cpu: buffer ${buffer.label} belongs to another backend`);
  if (offsetBytes < 0 || offsetBytes + bytes > buffer.bytes) {
    throw new ShapeError(
      `cpu: bytes ${offsetBytes}..${offsetBytes + bytes} of buffer ${buffer.label}, which has ${buffer.bytes}`,
    );
  }
  return address + offsetBytes;
}
