/**
 * Text generation: prefill in chunks, then one recorded decode step run again and again, sampling, streaming.
 * A device that answers later sends only the logits that decide the next token, where a few do.
 * Knows tokens and the forward pass; how text becomes tokens is model.ts's business.
 */
import type { Precision } from "../tensor/backend.ts";
import { BLOCK_DTYPES, type BlockDType } from "../tensor/dtype.ts";
import { checkKeys, InputError } from "../tensor/errors.ts";
import { Answer, type Detokenizer } from "./answer.ts";
import type { SequenceInput } from "./feed.ts";
import { type ForwardModel, type Plan, recordForward } from "./forward.ts";
import { compileHooks, type HookOptions, type HookSet } from "./hooks.ts";
import { type KvCache, KvStore } from "./kvCache.ts";
import { SAMPLING_KEYS, Sampler, type SamplingOptions } from "./sampling.ts";

/** Long prompts run in chunks of this many tokens, so that progress and abort are seen between them. */
const PREFILL_CHUNK_TOKENS = 512;

export type StopReason = "eos" | "length" | "stop" | "abort";

export interface GenerateOptions extends SamplingOptions, Pick<HookOptions, "hooks" | "steer"> {
  /** Default 256. */
  readonly maxTokens?: number;
  /** Text that ends the answer; it is not part of it. */
  readonly stop?: readonly string[];
  /** Token ids that end the answer, beside the model's own. */
  readonly stopTokens?: readonly number[];
  readonly ignoreEos?: boolean;
  /** Default "fast" on quantised weights. "exact" gives the numbers of `run` (and of PyTorch), at about half the speed. */
  readonly precision?: Precision;
  /** The prompt as it stands, without the chat template. */
  readonly raw?: boolean;
  /** System message of the chat template. */
  readonly system?: string;
  /** Continue behind these positions; the prompt holds only what comes after them. The cache moves on. */
  readonly cache?: KvCache;
  /** Ends the answer early, with `stopReason: "abort"`; nothing is thrown. */
  readonly signal?: AbortSignal;
  readonly onToken?: (token: number) => void;
  readonly onPrefill?: (done: number, total: number) => void;
}

export const GENERATE_KEYS = [
  ...SAMPLING_KEYS,
  "hooks",
  "steer",
  "maxTokens",
  "stop",
  "stopTokens",
  "ignoreEos",
  "precision",
  "raw",
  "system",
  "cache",
  "signal",
  "onToken",
  "onPrefill",
] as const;

export interface GenerationResult {
  readonly promptTokens: readonly number[];
  /** The new ids, with the end-of-sequence token that stopped it last. */
  readonly tokens: readonly number[];
  /** Their text without special tokens (and without the stop string). */
  readonly text: string;
  readonly stopReason: StopReason;
  readonly timings: { readonly prefillMs: number; readonly decodeMs: number };
}

/** A running answer: iterate it for the text as it comes, or await `result()`. It may be consumed once. */
export class Generation implements AsyncIterable<string> {
  readonly #pieces: AsyncGenerator<string, GenerationResult>;
  #result: Promise<GenerationResult> | undefined;
  #settled: GenerationResult | undefined;

  constructor(pieces: AsyncGenerator<string, GenerationResult>) {
    this.#pieces = pieces;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string, GenerationResult> {
    const result = yield* this.#pieces;
    this.#settled = result ?? this.#settled;
    return this.#settled!;
  }

  /** Tokens, text, stop reason and timings; runs what has not been iterated. */
  result(): Promise<GenerationResult> {
    this.#result ??= (async () => {
      for (;;) {
        if (this.#settled) return this.#settled;
        const next = await this.#pieces.next();
        if (next.done) return (this.#settled = next.value ?? this.#settled!);
      }
    })();
    return this.#result;
  }
}

/** What generation needs from a model. */
export interface GenerationModel extends ForwardModel {
  /** Most positions that prompt and answer may take together. */
  readonly context: number;
  readonly eosTokenIds: ReadonlySet<number>;
}

/** @throws InputError, HookError on the first `next`, before any work. */
export async function* generateTokens(
  m: GenerationModel,
  promptTokens: readonly number[],
  detokenizer: Detokenizer | undefined,
  o: GenerateOptions,
): AsyncGenerator<string, GenerationResult> {
  const limit = checkOptions(m, promptTokens, o);
  const precision = precisionOf(m, o.precision);
  const hooks = compileHooks({ hooks: o.hooks, steer: o.steer }, m.config);
  const sampler = new Sampler(m.config.V, o);
  for (const token of promptTokens) sampler.note(token);
  const answer = new Answer(detokenizer, o.stop ?? []);
  const ownCache = o.cache === undefined;
  const store = o.cache?.store ?? new KvStore(m.backend, m.config);
  // Room for the whole answer at once: rows that are not written take no resident memory, whereas growing keeps the old
  // rows beside the new ones, and linear memory never shrinks (48 MB at 2048 positions of the default model).
  const cache = o.cache ?? store.sequence(Math.min(m.context, promptTokens.length + limit));
  const started = performance.now();
  let prefillMs = 0;
  let stopReason: StopReason = "abort";
  const decoder = new Decoder(m, store, cache, hooks, cache.length + promptTokens.length, precision, sampler);
  try {
    const done = await decoder.prefill(promptTokens, o);
    prefillMs = performance.now() - started;
    let text = "";
    while (done && !o.signal?.aborted) {
      const token = decoder.choose();
      text = answer.push(token);
      o.onToken?.(token);
      stopReason = stopOf(m, token, answer, limit, o);
      if (text) yield text;
      if (stopReason !== "abort") break;
      await breathe();
      if (o.signal?.aborted) break;
      const pending = decoder.step(token);
      if (pending) await pending;
    }
    const rest = answer.end();
    if (rest) yield rest;
  } finally {
    decoder.dispose();
    if (ownCache) {
      cache.dispose();
      store.dispose();
    }
  }
  const decodeMs = performance.now() - started - prefillMs;
  return { promptTokens, tokens: answer.tokens, text: answer.text, stopReason, timings: { prefillMs, decodeMs } };
}

/** @throws InputError for a precision that does not exist. */
export function precisionOf(m: ForwardModel, asked: Precision | undefined): Precision {
  if (asked === undefined)
    return m.weights.dtypes.some((d) => BLOCK_DTYPES.includes(d as BlockDType)) ? "fast" : "exact";
  if (asked === "exact" || asked === "fast") return asked;
  throw new InputError("E_OPTION", `precision ${JSON.stringify(asked)}`, 'give "exact" or "fast"');
}

/** "abort" here means: not stopped yet. */
function stopOf(m: GenerationModel, token: number, answer: Answer, limit: number, o: GenerateOptions): StopReason {
  if (!o.ignoreEos && m.eosTokenIds.has(token)) return "eos";
  if (answer.stopped || o.stopTokens?.includes(token)) return "stop";
  return answer.tokens.length >= limit ? "length" : "abort";
}

/** Number of tokens that may be generated. */
function checkOptions(m: GenerationModel, promptTokens: readonly number[], o: GenerateOptions): number {
  checkKeys(o, GENERATE_KEYS, "generate");
  const { maxTokens = 256 } = o;
  if (!Number.isInteger(maxTokens) || maxTokens < 1)
    throw new InputError("E_OPTION", `maxTokens is ${maxTokens}, expected a whole number of 1 or more`);
  const { stopTokens = [] } = o;
  if (!Array.isArray(stopTokens) || !stopTokens.every(Number.isInteger))
    throw new InputError("E_OPTION", `stopTokens is ${JSON.stringify(stopTokens)}, expected a list of token ids`);
  const past = o.cache?.length ?? 0;
  checkPrompt(promptTokens, m.config.V, m.context, m.config.contextLength, past);
  return Math.min(maxTokens, m.context - past - promptTokens.length + 1);
}

/** @throws InputError E_CONTEXT for a prompt that is empty or too long, E_DATA for ids outside the vocabulary. */
export function checkPrompt(
  tokens: ArrayLike<number>,
  V: number,
  context: number,
  modelContext: number,
  past = 0,
): void {
  if (tokens.length === 0)
    throw new InputError("E_CONTEXT", "the prompt has no tokens", "give at least one token (a BOS will do)");
  const length = past + tokens.length;
  if (length > context) {
    const remedy = length <= modelContext ? `load the model with context: ${length} or more (--context)` : "shorten it";
    throw new InputError(
      "E_CONTEXT",
      `the prompt has ${length} tokens; the context is ${context} (the model's own: ${modelContext})`,
      remedy,
    );
  }
  for (let i = 0; i < tokens.length; i++) {
    const id = tokens[i]!;
    if (Number.isInteger(id) && id >= 0 && id < V) continue;
    throw new InputError("E_DATA", `token ${i} of the prompt is ${id}`, `token ids are 0 to ${V - 1}`);
  }
}

/** Lets timers, signals and other work run between tokens. Pages hold timers back by 4 ms, messages to oneself by nothing. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === "function") {
      setImmediate(resolve);
      return;
    }
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** Prefill and decode of one sequence, with one recorded list for all decode steps. */
class Decoder {
  /** Logits of the newest position: all [V], or the largest few with their ids. */
  readonly #logits: Float32Array;
  readonly #ids: Int32Array | undefined;
  readonly #bytes: Uint8Array;
  readonly #token = new Int32Array(1);
  readonly #inputs: readonly SequenceInput[];
  #plan: Plan | undefined;
  #steps = 0;
  readonly #synchronous: boolean;

  constructor(
    private readonly m: GenerationModel,
    private readonly store: KvStore,
    private readonly cache: KvCache,
    private readonly hooks: HookSet,
    private readonly promptLength: number,
    private readonly precision: Precision,
    private readonly sampler: Sampler,
  ) {
    this.#synchronous = m.backend.caps.synchronous;
    // from a device that answers later a few candidates come cheaper than a whole row: 8 bytes for 196,608
    const top = this.#synchronous ? undefined : sampler.candidates;
    const memory = new ArrayBuffer(top ? 8 * top : 4 * m.config.V);
    this.#ids = top ? new Int32Array(memory, 0, top) : undefined;
    this.#logits = new Float32Array(memory, top ? 4 * top : 0);
    this.#bytes = new Uint8Array(memory);
    this.#inputs = [{ tokens: this.#token, cache, promptLength }];
  }

  /** Runs the prompt; false where the signal ended it. */
  async prefill(tokens: readonly number[], o: GenerateOptions): Promise<boolean> {
    for (let at = 0; at < tokens.length; at += PREFILL_CHUNK_TOKENS) {
      if (o.signal?.aborted) return false;
      const chunk = tokens.slice(at, at + PREFILL_CHUNK_TOKENS);
      const isLast = at + chunk.length === tokens.length;
      const plan = this.#record([{ tokens: chunk, cache: this.cache, promptLength: this.promptLength }], isLast);
      await this.m.backend.prepare?.(plan.calls);
      await plan.run(plan.feed.inputs);
      if (isLast) await this.#readLogits(plan);
      plan.dispose();
      o.onPrefill?.(at + chunk.length, tokens.length);
      await breathe();
    }
    return true;
  }

  /** The next token. */
  choose(): number {
    return this.#ids ? this.sampler.nextOf(this.#ids, this.#logits) : this.sampler.next(this.#logits);
  }

  /** One decode step; where the device answers later, its logits are there when the promise resolves. */
  step(token: number): Promise<void> | undefined {
    this.#token[0] = token;
    if (!this.#plan?.accepts(this.#inputs)) {
      this.#plan?.dispose();
      this.#plan = this.#record(this.#inputs, true);
      this.#plan.feed.phase = "decode";
    }
    const plan = this.#plan;
    plan.feed.step = this.#steps++;
    const running = plan.run(this.#inputs);
    return running ? running.then(() => this.#readLogits(plan)) : this.#readLogits(plan);
  }

  #record(inputs: readonly SequenceInput[], logits: boolean): Plan {
    return recordForward(this.m, this.store, inputs, {
      hooks: this.hooks,
      logits: logits ? "last" : "none",
      top: this.#ids?.length,
      fromLayer: 0,
      toLayer: this.m.config.L,
      precision: this.precision,
    });
  }

  #readLogits(plan: Plan): Promise<void> | undefined {
    const { buffer, offsetBytes } = (plan.top ?? plan.logits)!;
    if (!this.#synchronous) {
      return this.m.backend.read(buffer, offsetBytes, this.#bytes.length).then((bytes) => this.#bytes.set(bytes));
    }
    this.m.backend.readInto(buffer, offsetBytes, this.#bytes);
    return undefined;
  }

  dispose(): void {
    this.#plan?.dispose();
  }
}
