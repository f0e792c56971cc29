/**
 * What a pool thread runs, and the barrier that all threads share. Both functions are sent to workers as source text, so
 * that threads start without a file to find (bundlers, dist, tests): they may use their arguments and globals, nothing else.
 */

/** Words of the control block in shared memory; those that several threads write lie on cache lines of their own. */
export const CONTROL = {
  /** Rises by one a run; workers wait for it to change. */
  sequence: 0,
  /** Byte address and number of the run's commands. */
  commands: 1,
  count: 2,
  stop: 3,
  /** Byte address of the threads' scratch, and the bytes of each thread's share. */
  scratch: 6,
  scratchBytes: 7,
  /** Workers that are running. */
  ready: 4,
  /** 1 + index of a worker that failed. */
  failed: 5,
  /** Rises by one a thread and command, and never goes back (it wraps). */
  arrived: 16,
  /** Workers parked until the next run, and threads parked at the barrier. */
  parked: 32,
  waiting: 48,
  words: 64,
} as const;

/** Words of one command in shared memory. */
export const COMMAND = { kernel: 0, moduleAddress: 1, moduleBytes: 2, args: 3, units: 4, words: 5 } as const;

export interface WorkerSetup {
  readonly memory: WebAssembly.Memory;
  /** Byte address of the control block. */
  readonly control: number;
  /** 1 to threads − 1; the caller is thread 0. */
  readonly thread: number;
  readonly threads: number;
  readonly CONTROL: typeof CONTROL;
  readonly COMMAND: typeof COMMAND;
}

/** Waits until `target` arrivals; spins, then parks in slices. Returns false when `isStuck` (asked now and then) says so. */
export type Barrier = (control: Int32Array, target: number, mayPark: boolean, isStuck: () => boolean) => boolean;

/** `arrived`, `waiting`: the indexes of CONTROL. */
export function makeBarrier(arrived: number, waiting: number): Barrier {
  const SPINS = 20_000; // about 0.2 ms: longer than any peer lags behind, unless it was descheduled
  return (control, target, mayPark, isStuck) => {
    Atomics.add(control, arrived, 1);
    if (Atomics.load(control, waiting) > 0) Atomics.notify(control, arrived);
    let spins = 0;
    for (;;) {
      const now = Atomics.load(control, arrived);
      if (((now - target) | 0) >= 0) return true;
      if (++spins % SPINS !== 0) continue;
      if (isStuck()) return false;
      if (!mayPark) continue;
      Atomics.add(control, waiting, 1);
      Atomics.wait(control, arrived, now, 10);
      Atomics.sub(control, waiting, 1);
    }
  };
}

/** The loop of one worker: wait for a run, do this thread's part of every command, wait for the others after each. */
export function workerMain(setup: WorkerSetup, barrier: Barrier): void {
  const { memory, thread, threads, CONTROL: C, COMMAND: K } = setup;
  const control = new Int32Array(memory.buffer, setup.control, C.words);
  const kernels = new Map<number, (args: number, begin: number, end: number, scratch: number) => void>();
  const load = (
    words: Int32Array,
    at: number,
  ): ((args: number, begin: number, end: number, scratch: number) => void) => {
    const address = words[at + K.moduleAddress]! >>> 0;
    const bytes = new Uint8Array(memory.buffer).slice(address, address + words[at + K.moduleBytes]!); // a copy: not shared
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } });
    const run = instance.exports.run as (args: number, begin: number, end: number, scratch: number) => void;
    kernels.set(words[at + K.kernel]!, run);
    return run;
  };
  const SPIN_MS = 1; // a decode step's sampling takes less, so that workers are awake for the next
  let sequence = 0;
  let target = 0;
  const nextRun = (): void => {
    let until = 0;
    for (let spins = 0; Atomics.load(control, C.sequence) === sequence; spins++) {
      if (spins % 1024 !== 0) continue;
      const now = performance.now();
      if (until === 0) until = now + SPIN_MS;
      if (now < until) continue;
      Atomics.add(control, C.parked, 1);
      Atomics.wait(control, C.sequence, sequence);
      Atomics.sub(control, C.parked, 1);
    }
    sequence = Atomics.load(control, C.sequence);
  };
  try {
    Atomics.add(control, C.ready, 1); // no run goes to the pool before all workers are ready, so all count from zero
    for (;;) {
      nextRun();
      if (Atomics.load(control, C.stop) !== 0) return;
      const first = Atomics.load(control, C.commands) >>> 2;
      const count = Atomics.load(control, C.count);
      const scratch = (control[C.scratch]! + thread * control[C.scratchBytes]!) | 0;
      const words = new Int32Array(memory.buffer);
      for (let i = 0; i < count; i++) {
        const at = first + i * K.words;
        const run = kernels.get(words[at]!) ?? load(words, at);
        const units = words[at + K.units]!;
        const begin = Math.floor((units * thread) / threads);
        const end = Math.floor((units * (thread + 1)) / threads);
        if (begin < end) run(words[at + K.args]!, begin, end, scratch);
        target = (target + threads) | 0;
        if (!barrier(control, target, true, () => Atomics.load(control, C.stop) !== 0)) return;
      }
    }
  } catch (error) {
    Atomics.store(control, C.failed, thread + 1);
    throw error;
  }
}

/** The source of a worker that calls `workerMain` with what it is sent. Works as a Node eval worker and as a Blob. */
export function workerSource(): string {
  return `
const makeBarrier = ${makeBarrier.toString()};
const workerMain = ${workerMain.toString()};
const start = (setup) => workerMain(setup, makeBarrier(setup.CONTROL.arrived, setup.CONTROL.waiting));
const node = globalThis.process?.getBuiltinModule?.("node:worker_threads");
if (node) start(node.workerData);
else onmessage = (event) => start(event.data);
`;
}
