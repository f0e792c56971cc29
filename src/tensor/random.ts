/**
 * A counter-based generator: the n-th number of a seed is a pure function of both, so streams can be replayed and resumed.
 * Not for cryptography. Knows nothing of sampling.
 */

/** Mixes 32 bits (Wellons' lowbias32, bias 0.17 %). */
function mix(x: number): number {
  let v = x | 0;
  v = Math.imul(v ^ (v >>> 16), 0x7feb352d);
  v = Math.imul(v ^ (v >>> 15), 0x846ca68b);
  return v ^ (v >>> 16);
}

/** The `counter`-th uniform number in [0, 1) of stream `seed`, with 32 random bits. */
export function uniform(seed: number, counter: number): number {
  const high = Math.floor(counter / 4294967296);
  return (mix(mix(mix(seed) + counter) + high + 0x9e3779b9) >>> 0) / 4294967296;
}

/** A stream of uniform numbers in [0, 1). */
export function stream(seed: number): () => number {
  let counter = 0;
  return () => uniform(seed, counter++);
}
