/**
 * Waiting that a signal ends at once: pauses between attempts, and bytes that stop coming. Knows nothing of the hub.
 */
import { setTimeout as sleep } from "node:timers/promises";

/** Pauses, replaced in tests. */
export type Delay = (ms: number, signal?: AbortSignal) => Promise<void>;

export interface Patience {
  readonly signal: AbortSignal | undefined;
  /** @throws the signal's reason. */
  wait(ms: number): Promise<void>;
}

export function patience(
  signal?: AbortSignal,
  delay: Delay = (ms, s) => sleep(ms, undefined, { signal: s }),
): Patience {
  return {
    signal,
    async wait(ms) {
      await delay(ms, signal).catch(() => {});
      signal?.throwIfAborted();
    },
  };
}

/** The pieces of a body. @throws Error where none comes for `idleMs`; what the connection throws. */
export async function* pieces(response: Response, idleMs: number): AsyncGenerator<Uint8Array> {
  if (!response.body) return;
  const reader = response.body.getReader();
  let timer: NodeJS.Timeout | undefined;
  try {
    for (;;) {
      const idle = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no bytes for ${idleMs / 1000} s`)), idleMs);
      });
      const { done, value } = await Promise.race([reader.read(), idle]);
      clearTimeout(timer);
      if (done) return;
      yield value;
    }
  } finally {
    clearTimeout(timer);
    await reader.cancel().catch(() => {});
  }
}

const MAX_DISCARDED_BYTES = 64 << 10;

/** Reads a body that nobody wants: cancelling it would close the connection that the next request is given (Node 20). */
export async function discard(response: Response, idleMs: number): Promise<void> {
  let bytes = 0;
  try {
    for await (const piece of pieces(response, idleMs)) if ((bytes += piece.length) > MAX_DISCARDED_BYTES) return;
  } catch {
    // Nothing was wanted of it.
  }
}
