/**
 * CPython's `random.Random(seed)` for integer seeds: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998) with CPython's
 * seeding, shuffle and sample, bit for bit, so that published splits can be reproduced. Knows nothing of datasets.
 */
import { InputError } from "../../tensor/errors.ts";

const N = 624;
const M = 397;
const WORD = 4294967296;

export class PythonRandom {
  readonly #state = new Uint32Array(N);
  #next = N;

  /** @throws InputError E_OPTION for a seed that is no exact integer. CPython drops the sign of a seed, and so does this. */
  constructor(seed: number | bigint) {
    if (typeof seed === "number" && !Number.isSafeInteger(seed))
      throw new InputError("E_OPTION", `seed is ${seed}, expected an integer`, "give larger seeds as a bigint");
    this.#initByArray(wordsOf(BigInt(seed)));
  }

  #initByArray(key: readonly number[]): void {
    const s = this.#state;
    s[0] = 19650218;
    for (let i = 1; i < N; i++) s[i] = Math.imul(1812433253, s[i - 1]! ^ (s[i - 1]! >>> 30)) + i;
    let i = 1;
    let j = 0;
    const mixed = (factor: number): number => Math.imul(s[i - 1]! ^ (s[i - 1]! >>> 30), factor);
    const step = (): void => {
      i++;
      if (i < N) return;
      s[0] = s[N - 1]!;
      i = 1;
    };
    for (let k = Math.max(N, key.length); k > 0; k--) {
      s[i] = (s[i]! ^ mixed(1664525)) + key[j]! + j;
      j = (j + 1) % key.length;
      step();
    }
    for (let k = N - 1; k > 0; k--) {
      s[i] = (s[i]! ^ mixed(1566083941)) - i;
      step();
    }
    s[0] = 0x80000000;
  }

  #uint32(): number {
    if (this.#next === N) this.#refill();
    let y = this.#state[this.#next++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }

  #refill(): void {
    const s = this.#state;
    for (let k = 0; k < N; k++) {
      const y = (s[k]! & 0x80000000) | (s[(k + 1) % N]! & 0x7fffffff);
      s[k] = s[(k + M) % N]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }

  /** A uniform number in [0, 1) of 53 random bits. */
  random(): number {
    const [high, low] = [this.#uint32() >>> 5, this.#uint32() >>> 6];
    return (high * 67108864 + low) / 9007199254740992;
  }

  /** A uniform integer of `bits` bits, 0 to 53 of them. @throws InputError E_OPTION for other counts. */
  getrandbits(bits: number): number {
    if (!Number.isInteger(bits) || bits < 0 || bits > 53)
      throw new InputError("E_OPTION", `getrandbits: ${bits} bits, expected an integer from 0 to 53`);
    if (bits === 0) return 0;
    if (bits <= 32) return this.#uint32() >>> (32 - bits);
    const low = this.#uint32();
    return low + (this.#uint32() >>> (64 - bits)) * WORD;
  }

  /** A uniform integer in [0, n), n > 0, by rejection. */
  #below(n: number): number {
    const bits = n.toString(2).length;
    let r = this.getrandbits(bits);
    while (r >= n) r = this.getrandbits(bits);
    return r;
  }

  /** Shuffles in place (Fisher-Yates from the end). */
  shuffle<T>(items: T[]): void {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.#below(i + 1);
      [items[i], items[j]] = [items[j]!, items[i]!];
    }
  }

  /** `count` distinct members in random order. @throws InputError E_OPTION unless 0 <= count <= items.length. */
  sample<T>(items: readonly T[], count: number): T[] {
    const n = items.length;
    if (!Number.isInteger(count) || count < 0 || count > n)
      throw new InputError("E_OPTION", `sample: ${count} of ${n} items, expected an integer from 0 to ${n}`);
    // CPython copies the population where that takes less memory than a set of the drawn indices; the streams differ
    const setSize = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0);
    return n <= setSize ? this.#samplePool([...items], count) : this.#sampleSet(items, count);
  }

  #samplePool<T>(pool: T[], count: number): T[] {
    return Array.from({ length: count }, (_, i) => {
      const j = this.#below(pool.length - i);
      const drawn = pool[j]!;
      pool[j] = pool[pool.length - i - 1]!;
      return drawn;
    });
  }

  #sampleSet<T>(items: readonly T[], count: number): T[] {
    const drawn = new Set<number>();
    while (drawn.size < count) drawn.add(this.#below(items.length));
    return [...drawn].map((j) => items[j]!);
  }
}

/** The magnitude in words of 32 bits, the low one first; at least one word. */
function wordsOf(seed: bigint): number[] {
  const words: number[] = [];
  for (let rest = seed < 0n ? -seed : seed; rest > 0n || words.length === 0; rest >>= 32n)
    words.push(Number(rest & 0xffffffffn));
  return words;
}
