/**
 * A conversation with a model whose past stays in the KV cache between turns. Every turn gives what a fresh run of the whole
 * conversation would give: only positions that such a run would compute alike are reused. Knows no terminal.
 */

import type {
  AddIntervention,
  ChatMessage,
  GenerateOptions,
  GenerationResult,
  KvCache,
  LanguageModel,
} from "../model/index.ts";
import { precisionOf } from "../model/index.ts";
import { type LoadedVector, type Positions, toInterventions } from "./vectorFlags.ts";

export interface ConversationOptions {
  readonly system?: string;
  readonly vectors: readonly LoadedVector[];
  readonly positions: Positions;
  /** Sampling and length; `seed` moves on by one a turn. */
  readonly generate: GenerateOptions;
}

export class Conversation {
  readonly model: LanguageModel;
  readonly #o: ConversationOptions;
  #system: string | undefined;
  #strength = 1;
  #messages: ChatMessage[] = [];
  #turns = 0;
  #cache: KvCache | undefined;
  /** The tokens in the cache that a fresh run would compute alike. */
  #reusable: readonly number[] = [];

  constructor(model: LanguageModel, o: ConversationOptions) {
    this.model = model;
    this.#o = o;
    this.#system = o.system;
  }

  get messages(): readonly ChatMessage[] {
    return this.#messages;
  }

  get strength(): number {
    return this.#strength;
  }

  /** Multiplies the vectors' scales from the next turn on; what was computed under another strength is computed anew. */
  set strength(strength: number) {
    if (strength !== this.#strength) this.#forget();
    this.#strength = strength;
  }

  get system(): string | undefined {
    return this.#system;
  }

  set system(text: string | undefined) {
    this.#system = text;
  }

  /** Starts over; system message and strength stay. */
  reset(): void {
    this.#messages = [];
    this.#forget();
  }

  dispose(): void {
    this.#forget();
  }

  /**
   * Answers `text`, piece by piece; an answer that was aborted stays in the conversation as far as it came. On an error the
   * conversation is as it was before.
   */
  async *say(text: string, signal: AbortSignal): AsyncGenerator<string, GenerationResult> {
    const messages = [...this.#messages, { role: "user", content: text }];
    try {
      const tokens = this.model.tokenize(messages, { system: this.#system });
      const { positions, vectors, generate } = this.#o;
      const steer = toInterventions(vectors, positions, this.#strength);
      const cache = await this.#past(tokens, steer);
      const from = cache.length;
      const seed = (generate.seed ?? 0) + this.#turns++;
      const generation = this.model.generate(tokens.slice(from), { ...generate, seed, steer, signal, cache });
      yield* generation;
      const result = await generation.result();
      this.#remember(tokens, result.tokens);
      this.#messages = [...messages, { role: "assistant", content: result.text }];
      return result;
    } catch (error) {
      this.#forget();
      throw error;
    }
  }

  /** A cache that holds a beginning of `tokens`, at least the first and never the last. */
  async #past(tokens: readonly number[], steer: readonly AddIntervention[]): Promise<KvCache> {
    const shared = Math.min(commonPrefix(tokens, this.#reusable), tokens.length - 1);
    if (this.#cache && shared > 0) {
      this.#cache.truncate(shared);
      return this.#cache;
    }
    this.#forget();
    const precision = precisionOf(this.model, this.#o.generate.precision);
    const o = { steer, precision, promptLength: tokens.length, logits: "none" as const };
    const { cache } = await this.model.run(tokens.slice(0, 1), o);
    this.#cache = cache;
    return cache!;
  }

  #remember(prompt: readonly number[], answer: readonly number[]): void {
    const { positions, vectors, generate } = this.#o;
    let alike = this.#cache!.length;
    if (vectors.length > 0) {
      // In the next turn this answer is prompt: with "answer" it is no longer steered, with "last" nor is the prompt's end.
      if (positions === "answer") alike = Math.min(alike, prompt.length);
      if (positions === "last") alike = Math.min(alike, prompt.length - 1);
    }
    // The penalty looks at all tokens that it is given: with one, the whole conversation must be given.
    if ((generate.repetitionPenalty ?? 1) !== 1) alike = 0;
    this.#reusable = [...prompt, ...answer].slice(0, alike);
  }

  #forget(): void {
    this.#cache?.dispose();
    this.#cache?.store.dispose();
    this.#cache = undefined;
    this.#reusable = [];
  }
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}
