/** Timing: the best of many, because other work on a shared machine only ever adds. Knows nothing of what is timed. */

/** Least milliseconds of `runs` calls, after one that warms up. */
export function bestOf(run: () => void, runs: number): number {
  run();
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

/** Least milliseconds of one call, from batches that take at least `batchMs`, for calls too short for the clock. */
export function bestOfBatches(run: () => void, batchMs: number, batches: number): number {
  run();
  const start = performance.now();
  run();
  const once = Math.max(performance.now() - start, 1e-4);
  const calls = Math.max(1, Math.ceil(batchMs / once));
  return (
    bestOf(() => {
      for (let i = 0; i < calls; i++) run();
    }, batches) / calls
  );
}
