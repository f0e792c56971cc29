/**
 * What a pool thread runs. `workerMain` is sent to workers as source text, so that threads start without a file to find
 * (bundlers, dist, tests): it may use its arguments and globals, nothing else.
 *
 * A command's units are cut into chunks, which threads claim one by one from a single atomic word. So a thread that is late
 * or descheduled holds nobody up, and the caller alone gets everything done; who does a chunk never changes its result.
 */

/** Words of the control block in shared memory; those that several threads write lie on cache lines of their own. */
export const CONTROL = {
  /** Byte address of the run's commands. */
  commands: 0,
  /** Number of the run's first command. */
  base: 1,
  stop: 2,
  /** Workers that are running. */
  ready: 3,
  /** 1 + index of a worker that failed. */
  failed: 4,
  /** Byte address of the threads' scratch, and the bytes of each thread's share. */
  scratch: 5,
  scratchBytes: 6,
  /**
   * Number of the current command << CHUNK_BITS | next chunk, all ones between runs. Command numbers rise from run to run
   * (and wrap).
   */
  claim: 16,
  /** Chunks done, ever (wraps). */
  done: 32,
  /** Workers that sleep until the next command, and whether the caller sleeps until the last chunk. */
  parked: 48,
  waiting: 64,
  words: 80,
} as const;

export const CHUNK_BITS = 10;

/** Words of one command in shared memory. */
export const COMMAND = { kernel: 0, moduleAddress: 1, moduleBytes: 2, args: 3, units: 4, chunks: 5, words: 6 } as const;

export interface WorkerSetup {
  readonly memory: WebAssembly.Memory;
  /** Byte address of the control block. */
  readonly control: number;
  /** 1 to threads − 1; the caller is thread 0. */
  readonly thread: number;
  readonly CONTROL: typeof CONTROL;
  readonly COMMAND: typeof COMMAND;
  readonly CHUNK_BITS: number;
}

/** The loop of one worker: claim a chunk of the current command and do it, until there is none; then wait for the next. */
export function workerMain(setup: WorkerSetup): void {
  type Run = (args: number, begin: number, end: number, scratch: number) => void;
  const { memory, thread, CONTROL: C, COMMAND: K, CHUNK_BITS: BITS } = setup;
  const control = new Int32Array(memory.buffer, setup.control, C.words);
  const kernels = new Map<number, Run>();
  let words = new Int32Array(memory.buffer);

  /** `memory.buffer` shows another thread's growth only after this thread has asked for some. */
  const buffer = (): ArrayBuffer => {
    memory.grow(0);
    return memory.buffer;
  };

  const compile = (address: number, byteCount: number): Run => {
    const bytes = new Uint8Array(buffer()).slice(address, address + byteCount); // a copy: not shared
    return new WebAssembly.Instance(new WebAssembly.Module(bytes), { env: { memory } }).exports.run as Run;
  };

  /** Does one chunk of the command that `claim` names; false where none is left. */
  const work = (claim: number): boolean => {
    const chunk = claim & (2 ** BITS - 1);
    if (chunk === 2 ** BITS - 1) return false; // between runs: the commands may be gone
    const index = ((claim >>> BITS) - Atomics.load(control, C.base)) & (2 ** (32 - BITS) - 1);
    const at = (Atomics.load(control, C.commands) >>> 2) + index * K.words;
    if (at + K.words > words.length) {
      words = new Int32Array(buffer());
      if (at + K.words > words.length) return true;
    }
    const word = (k: number): number => Atomics.load(words, at + k);
    const [chunks, units, args, kernel] = [word(K.chunks), word(K.units), word(K.args), word(K.kernel)];
    const [moduleAddress, moduleBytes] = [word(K.moduleAddress) >>> 0, word(K.moduleBytes)];
    // What was read belongs together only if the claim still stands: the caller may have moved on, and reused the memory.
    if (Atomics.load(control, C.claim) !== claim) return true;
    if (chunk >= chunks) return false;
    let run = kernels.get(kernel);
    if (!run) {
      run = compile(moduleAddress, moduleBytes); // before claiming, so that nobody waits for it
      kernels.set(kernel, run);
    }
    if (Atomics.compareExchange(control, C.claim, claim, claim + 1) !== claim) return true;
    const scratch = (control[C.scratch]! + thread * control[C.scratchBytes]!) | 0;
    run(args, Math.floor((units * chunk) / chunks), Math.floor((units * (chunk + 1)) / chunks), scratch);
    Atomics.add(control, C.done, 1);
    if (Atomics.load(control, C.waiting) > 0) Atomics.notify(control, C.done);
    return true;
  };

  const SPIN_MS = 1; // a decode step's sampling takes less, so that workers are awake for the next
  /** Spins, then sleeps, until the claim is another than `claim`. */
  const rest = (claim: number): void => {
    let until = 0;
    for (let spins = 1; Atomics.load(control, C.claim) === claim; spins++) {
      if (spins % 512 !== 0) continue;
      const now = performance.now();
      if (until === 0) until = now + SPIN_MS;
      if (now < until) continue;
      Atomics.add(control, C.parked, 1);
      Atomics.wait(control, C.claim, claim);
      Atomics.sub(control, C.parked, 1);
    }
  };

  try {
    let claim = Atomics.load(control, C.claim);
    Atomics.add(control, C.ready, 1);
    rest(claim); // the first command that this thread sees whole
    for (;;) {
      claim = Atomics.load(control, C.claim);
      if (Atomics.load(control, C.stop) !== 0) return;
      if (!work(claim)) rest(claim);
    }
  } catch (error) {
    Atomics.store(control, C.failed, thread + 1);
    throw error;
  }
}

/** The source of a worker that calls `workerMain` with what it is sent. Works as a Node eval worker and as a Blob. */
export function workerSource(): string {
  return `
const workerMain = ${workerMain.toString()};
const node = globalThis.process?.getBuiltinModule?.("node:worker_threads");
if (node) workerMain(node.workerData);
else onmessage = (event) => workerMain(event.data);
`;
}
