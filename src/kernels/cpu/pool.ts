/**
 * ThreadPool: workers that take part in the caller's commands, chunk by chunk (poolWorker.ts), with one wait after every
 * command. Programs, arguments and kernel bytes lie in shared memory, so a command is published by one atomic store. Workers
 * spin for a millisecond, then sleep; they never keep a process alive. Knows commands, not operations.
 */
import { DeviceError } from "../../tensor/errors.ts";
import type { LinearMemory } from "./memory.ts";
import { CHUNK_BITS, COMMAND, CONTROL, type WorkerSetup, workerSource } from "./poolWorker.ts";
import type { KernelRun } from "./program.ts";

/** A worker of Node or of a browser. */
interface WorkerHandle {
  onFailure(report: (why: string) => void): void;
  terminate(): void;
}

/** A chunk takes far less; a thread that has not done its chunk by then is dead. */
const STUCK_MS = 30_000;
/** About 0.1 ms, after which the caller sleeps in slices. */
const SPINS = 20_000;

/** Commands of one run: their words in shared memory, and the same for the calling thread. */
export interface CommandRange {
  /** Byte address of COMMAND.words words a command. */
  readonly address: number;
  readonly count: number;
  readonly runs: readonly KernelRun[];
  readonly args: Int32Array;
  readonly units: Int32Array;
  readonly chunks: Int32Array;
}

/** Multiply-adds that make a chunk worth claiming by itself: some 100 µs. */
const CHUNK_WORK = 4_000_000;

/**
 * Chunks of a command: one a thread for short ones, where each claim and kernel call counts (measured at 2 threads: a decode
 * step takes 5.0 ms with 1 a thread, 5.2 with 2, 6.2 with 6); up to six for long ones, so that a thread that was held up
 * leaves its share to the others.
 */
export function chunksOf(units: number, threads: number, work: number): number {
  const wanted = Math.min(Math.max(threads, Math.floor(work / CHUNK_WORK)), 6 * threads);
  return Math.min(units, wanted, 2 ** CHUNK_BITS - 1 - threads);
}

export class ThreadPool {
  readonly #control: Int32Array;
  readonly #workers: WorkerHandle[] = [];
  readonly #mayPark = mayBlock();
  #command = 0;
  #done = 0;
  #failure: string | undefined;

  /** Starts threads − 1 workers; they take part as soon as each is up. */
  constructor(
    memory: LinearMemory,
    readonly threads: number,
  ) {
    const control = memory.alloc(4 * CONTROL.words, "thread pool control");
    memory.i32.fill(0, control / 4, control / 4 + CONTROL.words);
    this.#control = new Int32Array(memory.memory.buffer, control, CONTROL.words);
    this.#control[CONTROL.claim] = 2 ** CHUNK_BITS - 1;
    for (let thread = 1; thread < threads; thread++) {
      const worker = startWorker({ memory: memory.memory, control, thread, CONTROL, COMMAND, CHUNK_BITS });
      worker.onFailure((why) => {
        this.#failure ??= `thread ${thread} of ${threads}: ${why}`;
      });
      this.#workers.push(worker);
    }
  }

  /** Whether runs may go to the pool; false once it was disposed. */
  get usable(): boolean {
    return this.#workers.length > 0;
  }

  /** Whether all workers are up. */
  get complete(): boolean {
    return Atomics.load(this.#control, CONTROL.ready) === this.threads - 1;
  }

  get broken(): boolean {
    return this.#failure !== undefined;
  }

  /** Runs the commands on all threads. @throws DeviceError where a worker died; the pool is then of no more use. */
  run(commands: CommandRange, scratch: number, scratchBytes: number): void {
    if (this.#failure !== undefined) this.#fail();
    const control = this.#control;
    Atomics.store(control, CONTROL.commands, commands.address);
    Atomics.store(control, CONTROL.base, this.#command);
    control[CONTROL.scratch] = scratch;
    control[CONTROL.scratchBytes] = scratchBytes;
    for (let i = 0; i < commands.count; i++) {
      const [run, args, units, chunks] = [
        commands.runs[i]!,
        commands.args[i]!,
        commands.units[i]!,
        commands.chunks[i]!,
      ];
      const first = (this.#command << CHUNK_BITS) | 0;
      this.#command = (this.#command + 1) & (2 ** (32 - CHUNK_BITS) - 1);
      Atomics.store(control, CONTROL.claim, first);
      if (Atomics.load(control, CONTROL.parked) > 0) Atomics.notify(control, CONTROL.claim);
      let mine = 0;
      for (;;) {
        const chunk = Atomics.add(control, CONTROL.claim, 1) - first;
        if (chunk >= chunks) break;
        run(args, Math.floor((units * chunk) / chunks), Math.floor((units * (chunk + 1)) / chunks), scratch);
        mine++;
      }
      this.#done = (this.#done + chunks - mine) | 0;
      if (Atomics.load(control, CONTROL.done) !== this.#done) this.#awaitOthers();
    }
    // Withdraws the last claim: a late worker must not read commands whose memory is given back now.
    Atomics.store(control, CONTROL.claim, (this.#command << CHUNK_BITS) | (2 ** CHUNK_BITS - 1));
  }

  /** Waits until the chunks that others claimed are done. */
  #awaitOthers(): void {
    const control = this.#control;
    let deadline = 0;
    for (let spins = 1; ; spins++) {
      const now = Atomics.load(control, CONTROL.done);
      if (now === this.#done) return;
      if (spins % SPINS !== 0) continue;
      const failed = Atomics.load(control, CONTROL.failed);
      if (failed !== 0) this.#failure ??= `thread ${failed - 1} of ${this.threads} failed in a kernel`;
      const time = performance.now();
      if (deadline === 0) deadline = time + STUCK_MS;
      if (time > deadline) this.#failure ??= `a thread did not finish its part within ${STUCK_MS / 1000} s`;
      if (this.#failure !== undefined) this.#fail();
      if (!this.#mayPark) continue;
      Atomics.add(control, CONTROL.waiting, 1);
      Atomics.wait(control, CONTROL.done, now, 10);
      Atomics.sub(control, CONTROL.waiting, 1);
    }
  }

  #fail(): never {
    this.dispose();
    throw new DeviceError(
      `cpu: the thread pool broke: ${this.#failure}`,
      "run again: this backend goes on with one thread",
    );
  }

  /** Ends the workers. */
  dispose(): void {
    Atomics.store(this.#control, CONTROL.stop, 1);
    Atomics.store(this.#control, CONTROL.claim, -2); // any other value wakes the workers
    Atomics.notify(this.#control, CONTROL.claim);
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

/** A page's main thread may not block in Atomics.wait; it looks at the workers' progress in a loop instead. */
function mayBlock(): boolean {
  return typeof (globalThis as { document?: unknown }).document === "undefined";
}

/** Physical cores; 1 where memory cannot be shared, and on a page's main thread, which should never wait for another. */
export function defaultThreads(): number {
  return canShareMemory() && mayBlock() ? physicalCores() : 1;
}

/** Physical cores, where they can be told from hyper-threads (Linux); logical ones elsewhere. */
function physicalCores(): number {
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
