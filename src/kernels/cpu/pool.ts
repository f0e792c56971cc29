/**
 * ThreadPool: workers that run the same commands as the caller, each its part of the units, with a barrier after every
 * command. Programs, arguments and kernel bytes lie in shared memory, so starting a run is one atomic increment. Workers
 * spin for a millisecond between runs, then park; they never keep a process alive. Knows commands, not operations.
 */
import { DeviceError } from "../../tensor/errors.ts";
import type { LinearMemory } from "./memory.ts";
import { COMMAND, CONTROL, makeBarrier, type WorkerSetup, workerSource } from "./poolWorker.ts";
import type { KernelRun } from "./program.ts";

/** A worker of Node or of a browser. */
interface WorkerHandle {
  onFailure(report: (why: string) => void): void;
  terminate(): void;
  /** Ends it without being expected to. */
  kill(): void;
}

/** A kernel takes far less; a thread that does not arrive by then is dead. */
const STUCK_MS = 30_000;

/** Commands of one run: their words in shared memory, and the same for the calling thread. */
export interface CommandRange {
  /** Byte address of COMMAND.words words a command. */
  readonly address: number;
  readonly count: number;
  readonly runs: readonly KernelRun[];
  readonly args: Int32Array;
  readonly units: Int32Array;
}

export class ThreadPool {
  readonly #control: Int32Array;
  readonly #workers: WorkerHandle[] = [];
  readonly #barrier = makeBarrier(CONTROL.arrived, CONTROL.waiting);
  readonly #mayPark = mayBlock();
  #target = 0;
  #failure: string | undefined;
  #deadline = 0;

  /** Starts threads − 1 workers; until they are all up, `ready` is false. */
  constructor(
    memory: LinearMemory,
    readonly threads: number,
  ) {
    const control = memory.alloc(4 * CONTROL.words, "thread pool control");
    memory.i32.fill(0, control / 4, control / 4 + CONTROL.words);
    this.#control = new Int32Array(memory.memory.buffer, control, CONTROL.words);
    for (let thread = 1; thread < threads; thread++) {
      const worker = startWorker({ memory: memory.memory, control, thread, threads, CONTROL, COMMAND });
      worker.onFailure((why) => {
        this.#failure ??= `thread ${thread} of ${threads}: ${why}`;
      });
      this.#workers.push(worker);
    }
  }

  /** Whether a run may go to the pool: all workers are up, or one died, which `run` then reports once. */
  get usable(): boolean {
    if (this.#workers.length === 0) return false;
    return this.#failure !== undefined || Atomics.load(this.#control, CONTROL.ready) === this.threads - 1;
  }

  /** Runs the commands on all threads. @throws DeviceError where a worker died; the pool is then of no more use. */
  run(commands: CommandRange, scratch: number, scratchBytes: number): void {
    this.#expectAlive();
    const control = this.#control;
    control[CONTROL.commands] = commands.address;
    control[CONTROL.count] = commands.count;
    control[CONTROL.scratch] = scratch;
    control[CONTROL.scratchBytes] = scratchBytes;
    Atomics.add(control, CONTROL.sequence, 1);
    if (Atomics.load(control, CONTROL.parked) > 0) Atomics.notify(control, CONTROL.sequence);
    for (let i = 0; i < commands.count; i++) {
      const end = Math.floor(commands.units[i]! / this.threads);
      if (end > 0) commands.runs[i]!(commands.args[i]!, 0, end, scratch);
      this.#target = (this.#target + this.threads) | 0;
      this.#deadline = 0;
      if (!this.#barrier(control, this.#target, this.#mayPark, this.#isStuck)) this.#expectAlive();
    }
  }

  readonly #isStuck = (): boolean => {
    const failed = Atomics.load(this.#control, CONTROL.failed);
    if (failed !== 0) this.#failure ??= `thread ${failed - 1} of ${this.threads} failed in a kernel`;
    const now = performance.now();
    if (this.#deadline === 0) this.#deadline = now + STUCK_MS;
    if (now > this.#deadline) this.#failure ??= `a thread did not finish its part within ${STUCK_MS / 1000} s`;
    return this.#failure !== undefined;
  };

  #expectAlive(): void {
    if (this.#failure === undefined) return;
    this.dispose();
    throw new DeviceError(
      `cpu: the thread pool broke: ${this.#failure}`,
      "run again: this backend goes on with one thread",
    );
  }

  get broken(): boolean {
    return this.#failure !== undefined;
  }

  /** @internal Ends the workers as a crash would. */
  killForTest(): void {
    for (const worker of this.#workers) worker.kill();
  }

  /** Ends the workers. */
  dispose(): void {
    Atomics.store(this.#control, CONTROL.stop, 1);
    Atomics.add(this.#control, CONTROL.sequence, 1);
    Atomics.notify(this.#control, CONTROL.sequence);
    Atomics.notify(this.#control, CONTROL.arrived);
    for (const worker of this.#workers) worker.terminate();
    this.#workers.length = 0;
  }
}

interface NodeWorker {
  unref(): void;
  on(event: "error" | "exit", listener: (value: Error | number) => void): void;
  terminate(): Promise<number>;
}

interface NodeProcess {
  getBuiltinModule?(id: "node:worker_threads"): { Worker: new (code: string, o: object) => NodeWorker };
  getBuiltinModule?(id: "node:os"): { availableParallelism(): number };
  getBuiltinModule?(id: "node:fs"): { readFileSync(path: string, encoding: "utf8"): string };
}

/** Node's process; `getBuiltinModule` (20.16) needs no import, so that bundlers for pages see none. */
function nodeProcess(): NodeProcess | undefined {
  return (globalThis as { process?: NodeProcess }).process;
}

function startWorker(setup: WorkerSetup): WorkerHandle {
  const node = nodeProcess()?.getBuiltinModule?.("node:worker_threads");
  if (!node) return startWebWorker(setup);
  const worker = new node.Worker(workerSource(), { eval: true, workerData: setup, execArgv: [] });
  worker.unref();
  let ended = false;
  return {
    onFailure(report) {
      worker.on("error", (error) => report(String((error as Error).message ?? error)));
      worker.on("exit", () => !ended && report("its worker ended"));
    },
    terminate() {
      ended = true;
      void worker.terminate();
    },
    kill: () => void worker.terminate(),
  };
}

function startWebWorker(setup: WorkerSetup): WorkerHandle {
  const url = URL.createObjectURL(new Blob([workerSource()], { type: "text/javascript" }));
  const worker = new Worker(url);
  URL.revokeObjectURL(url);
  worker.postMessage(setup);
  return {
    onFailure(report) {
      worker.onerror = (event) => report(event.message || "its worker failed");
    },
    terminate: () => worker.terminate(),
    kill: () => worker.terminate(),
  };
}

/** Whether this engine can share memory between threads (in a page: only when it is cross-origin isolated). */
export function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  const { crossOriginIsolated } = globalThis as { crossOriginIsolated?: boolean };
  return (
    nodeProcess()?.getBuiltinModule !== undefined || (crossOriginIsolated === true && typeof Worker !== "undefined")
  );
}

/** A page's main thread may not block in Atomics.wait. */
function mayBlock(): boolean {
  return typeof (globalThis as { document?: unknown }).document === "undefined";
}

/** Physical cores, where they can be told from hyper-threads (Linux); logical ones elsewhere. */
export function physicalCores(): number {
  const process = nodeProcess();
  const logical = process?.getBuiltinModule?.("node:os")?.availableParallelism() ?? navigator.hardwareConcurrency ?? 1;
  const fs = process?.getBuiltinModule?.("node:fs");
  if (!fs) return logical;
  const siblings = new Set<string>();
  for (let cpu = 0; cpu < logical; cpu++) {
    try {
      siblings.add(fs.readFileSync(`/sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, "utf8").trim());
    } catch {
      return logical;
    }
  }
  return siblings.size;
}
