/**
 * WebgpuBackend: buffers and weight matrices on a GPU, call lists lowered once and encoded into one compute pass a run.
 * Commands go to the GPU with the next read or write, or when JavaScript yields, so that a run and the read that follows
 * it are one submission. Nothing waits but `read`: JavaScript in the middle of a list (`host`) needs `runAsync`.
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
import { checkKeys, DeviceError, ShapeError, TrimtabError } from "../../tensor/errors.ts";
import { ParameterArena } from "./arena.ts";
import {
  adoptGpuDevice,
  GPU_DEVICE_KEYS,
  type GpuDevice,
  type GpuDeviceOptions,
  openGpuDevice,
  tierName,
} from "./device.ts";
import { Faults } from "./faults.ts";
import { freeSegments, type MatrixMemory, uploadMatrix } from "./gpuMatrix.ts";
import type { DeviceFeatures, Dispatch, GpuMatrix } from "./kernel.ts";
import { lowerCalls } from "./lower.ts";
import { blockOf, DeviceMemory, expectRange, type GpuBuffer, MAP_MODE_READ, StagingRing } from "./memory.ts";
import { Pipelines } from "./pipelines.ts";
import { buildProgram, encode, freeProgram, type Program, type ProgramParts } from "./program.ts";
import { probeMatrixDialect } from "./wgsl/matmulMatrix.wgsl.ts";

export interface WebgpuBackendOptions extends GpuDeviceOptions {
  /** A device of your own; `dispose` leaves it alone. */
  readonly device?: GPUDevice;
  /** The plainest kernels, the same on every device: tells a fault of a tuned kernel or a driver from others. Slow. */
  readonly simpleKernels?: boolean;
}

/** What the GPU was asked to do since the start; exact on any machine. */
export interface GpuCounters {
  dispatches: number;
  passes: number;
  submits: number;
  /** Buffers, bind groups, pipelines and whatever else outlives its command list. */
  objects: number;
}

export class WebgpuBackend implements Backend {
  readonly name = "webgpu";
  readonly caps: Capabilities;
  readonly counters: BackendCounters = { ops: {}, allocations: 0, liveBytes: 0, peakBytes: 0 };
  readonly gpuCounters: GpuCounters = { dispatches: 0, passes: 0, submits: 0, objects: 0 };
  readonly features: DeviceFeatures;
  /** The adapter, for people. */
  readonly description: string;
  readonly #device: GPUDevice;
  readonly #faults = new Faults();
  readonly #memory: DeviceMemory;
  readonly #pipelines: Pipelines;
  readonly #staging: StagingRing;
  readonly #matrices = new Set<Matrix>();
  readonly #matrixMemory: MatrixMemory;
  readonly #parts: ProgramParts;
  #programs = new WeakMap<readonly OpCall[], Program>();
  /** Commands that were not submitted yet. */
  #encoder: GPUCommandEncoder | undefined;
  readonly #submitLater = (): void => this.#submit();
  readonly #commandBuffers: GPUCommandBuffer[] = [];
  #disposed = false;

  /** @internal Use `createWebgpuBackend`. */
  constructor(
    opened: GpuDevice,
    private readonly ownsDevice: boolean,
    simple = false,
  ) {
    this.#device = opened.device;
    this.features = opened.features;
    this.description = opened.description;
    this.caps = { tier: tierName(opened.features), threads: 1, synchronous: false };
    const onCreate = (): void => void this.gpuCounters.objects++;
    this.#faults.watch(this.#device);
    this.#pipelines = new Pipelines(this.#device, onCreate);
    this.#staging = new StagingRing(this.#device, onCreate);
    this.#memory = new DeviceMemory(this.#device, this.features.limits, this.#faults, onCreate, (block) => {
      this.#submit();
      this.#pipelines.forget(block);
    });
    this.#matrixMemory = {
      mostBytes: this.#memory.mostBytes,
      create: (bytes, label) => this.#memory.create(bytes, label),
      destroy: (block) => this.#memory.destroy(block),
      write: (block, offsetBytes, data) => this.#write(block.gpu, offsetBytes, data),
    };
    this.#parts = {
      context: { device: this.features, simple, gpuMatrix: (m) => this.#gpuMatrix(m) },
      pipelines: this.#pipelines,
      arena: new ParameterArena(this.#device, onCreate),
      alloc: (bytes, label) => this.#memory.alloc(bytes, label),
      free: (buffer) => this.#memory.free(buffer),
      writeSlots: ({ block, first }, words) => this.#write(block.gpu, 256 * first, words),
    };
  }

  alloc(bytes: number, label: string): BufferRef {
    this.#expectUsable(label);
    const buffer = this.#memory.alloc(bytes, label);
    this.counters.allocations++;
    this.#count(bytes);
    return buffer;
  }

  /** Freeing twice, or after disposal, does nothing. */
  free(buffer: BufferRef): void {
    const b = buffer as GpuBuffer;
    if (!b.block || this.#disposed) return;
    this.#memory.free(b);
    this.#count(-b.bytes);
  }

  createMatrix(label: string, parts: readonly MatrixPart[]): Matrix {
    this.#expectUsable(label);
    const matrix = uploadMatrix(this.#matrixMemory, label, parts);
    this.#matrices.add(matrix);
    this.#count(matrix.bytes);
    return matrix;
  }

  freeMatrix(matrix: Matrix): void {
    if (!this.#matrices.delete(matrix)) return;
    freeSegments(this.#matrixMemory, (matrix as GpuMatrix).segments);
    this.#count(-matrix.bytes);
  }

  /** @throws ShapeError for a range outside the buffer, or one that is not of whole 4-byte words. */
  write(buffer: BufferRef, data: ArrayBufferView, offsetBytes = 0): void {
    this.#expectUsable(buffer.label);
    expectRange(buffer, offsetBytes, data.byteLength);
    if (offsetBytes % 4 || data.byteLength % 4) {
      throw new ShapeError(
        `webgpu: write of ${data.byteLength} bytes at byte ${offsetBytes} of ${buffer.label}`,
        "the GPU takes whole words of 4 bytes",
      );
    }
    this.#write(blockOf(buffer).gpu, offsetBytes, data);
  }

  /**
   * Compiles all kernels of a list in parallel; `run` would compile them one by one. Optional.
   * @throws DeviceError with the compiler's message.
   */
  async prepare(calls: readonly OpCall[]): Promise<void> {
    this.#expectUsable("prepare");
    const lowered = lowerCalls(calls, this.#parts.context);
    await this.#pipelines.prepare(lowered.filter((d): d is Dispatch => !("op" in d)));
  }

  /** @throws DeviceError for a list with JavaScript in it: see `runAsync`. */
  run(calls: readonly OpCall[]): void {
    this.#expectUsable("run");
    const program = this.#program(calls);
    if (program.host) {
      throw new DeviceError(
        `webgpu: JavaScript ("${program.host.label}") in the middle of a list that runs without waiting`,
        "use a capture or a declared intervention, run the list with runAsync, or use the CPU",
      );
    }
    this.#countOps(program);
    for (let i = 0; i < program.steps.length; i++) this.#encode(program, program.steps[i]!.commands!);
  }

  /** As `run`, but waits for each host call, which may return a promise. The slow path: the GPU idles meanwhile. */
  async runAsync(calls: readonly OpCall[]): Promise<void> {
    this.#expectUsable("run");
    const program = this.#program(calls);
    this.#countOps(program);
    for (const { host, commands } of program.steps) {
      if (host) await (host.run() as void | Promise<void>);
      else this.#encode(program, commands);
      this.#expectUsable("run");
    }
  }

  release(calls: readonly OpCall[]): void {
    const program = this.#programs.get(calls);
    if (!program || this.#disposed) return;
    freeProgram(program, this.#parts);
    this.#programs.delete(calls);
  }

  /** @throws DeviceError where the device was lost or refused what was run. */
  async read(buffer: BufferRef, offsetBytes: number, bytes: number): Promise<Uint8Array> {
    this.#expectUsable(buffer.label);
    expectRange(buffer, offsetBytes, bytes);
    const from = offsetBytes - (offsetBytes % 4);
    const length = Math.ceil((offsetBytes + bytes - from) / 4) * 4;
    if (length === 0) return new Uint8Array(0);
    const staging = this.#staging.take(length);
    this.#open().copyBufferToBuffer(blockOf(buffer).gpu, from, staging, 0, length);
    this.#submit();
    try {
      await staging.mapAsync(MAP_MODE_READ, 0, length);
    } catch (cause) {
      await Promise.resolve(); // the reason, if the device is lost, comes by a promise of its own
      this.#faults.check();
      throw new DeviceError(`webgpu: reading ${buffer.label} failed: ${(cause as Error).message}`);
    }
    const copy = new Uint8Array(
      staging.getMappedRange(0, length).slice(offsetBytes - from, offsetBytes - from + bytes),
    );
    staging.unmap();
    if (!this.#disposed) this.#staging.give(staging);
    this.#faults.check();
    return copy;
  }

  readInto(buffer: BufferRef): void {
    throw new DeviceError(
      `webgpu: reading ${buffer.label} without waiting`,
      "use the asynchronous read; the GPU answers later",
    );
  }

  /** Forgets everything; using the backend or its tensors afterwards is an error. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#programs = new WeakMap();
    for (const matrix of this.#matrices) freeSegments(this.#matrixMemory, (matrix as GpuMatrix).segments);
    this.#matrices.clear();
    this.#memory.clear();
    this.counters.liveBytes = 0;
    if (this.ownsDevice) this.#device.destroy();
  }

  #program(calls: readonly OpCall[]): Program {
    const known = this.#programs.get(calls);
    if (known?.calls === calls.length) return known;
    if (known) this.release(calls);
    const made = buildProgram(calls, this.#parts);
    this.#programs.set(calls, made);
    return made;
  }

  #encode(program: Program, commands: Parameters<typeof encode>[1]): void {
    const pass = this.#open().beginComputePass();
    encode(pass, commands, program.offsets);
    pass.end();
    this.gpuCounters.passes++;
    this.gpuCounters.dispatches += commands.length;
  }

  /** The command list that is being written; it goes off by itself when JavaScript yields. */
  #open(): GPUCommandEncoder {
    if (!this.#encoder) {
      this.#encoder = this.#device.createCommandEncoder();
      queueMicrotask(this.#submitLater);
    }
    return this.#encoder;
  }

  #submit(): void {
    if (!this.#encoder) return;
    this.#commandBuffers[0] = this.#encoder.finish();
    this.#encoder = undefined;
    this.#device.queue.submit(this.#commandBuffers);
    this.gpuCounters.submits++;
  }

  /** Ordered behind all that was run. */
  #write(gpu: GPUBuffer, offsetBytes: number, data: ArrayBufferView): void {
    this.#submit();
    this.#device.queue.writeBuffer(gpu, offsetBytes, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  }

  #countOps(program: Program): void {
    const counts = this.counters.ops;
    for (let i = 0; i < program.opNames.length; i++) {
      const op = program.opNames[i]!;
      counts[op] = (counts[op] ?? 0) + program.opCounts[i]!;
    }
  }

  #gpuMatrix(matrix: Matrix): GpuMatrix {
    if (!this.#matrices.has(matrix)) {
      throw new TrimtabError("E_DISPOSED", `webgpu: matrix ${matrix.label} was freed or belongs to another backend`);
    }
    return matrix as GpuMatrix;
  }

  #count(bytes: number): void {
    this.counters.liveBytes += bytes;
    this.counters.peakBytes = Math.max(this.counters.peakBytes, this.counters.liveBytes);
  }

  #expectUsable(what: string): void {
    if (this.#disposed) throw new TrimtabError("E_DISPOSED", `webgpu: ${what} used after the backend was disposed`);
    this.#faults.check();
  }
}

const WEBGPU_KEYS = [...GPU_DEVICE_KEYS, "device", "simpleKernels"] as const;

/** @throws DeviceError where there is no adapter, only a software one that was not asked for, or one with too small limits. */
export async function createWebgpuBackend(o: WebgpuBackendOptions = {}): Promise<WebgpuBackend> {
  checkKeys(o, WEBGPU_KEYS, "createWebgpuBackend");
  const { device, simpleKernels, ...rest } = o;
  const opened = device ? adoptGpuDevice(device) : await openGpuDevice(rest);
  const matrixDialect = await probeMatrixDialect(opened.device, opened.features);
  const features = { ...opened.features, matrixDialect };
  return new WebgpuBackend({ ...opened, features }, device === undefined, simpleKernels);
}
