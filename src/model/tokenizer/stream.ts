/**
 * Streaming detokenizer: text of tokens as they come. What it gives, joined, equals decoding them all at once without
 * special tokens; incomplete UTF-8 is held back. Keeps a short window of tokens, so each costs the same however many came.
 */
import type { Tokenizer } from "./tokenizer.ts";

export class TextStream {
  /** Tokens whose text was given (the context that some decoders need), then tokens whose text is still held back. */
  #window: number[] = [];
  #given = 0;

  constructor(private readonly tokenizer: Tokenizer) {}

  /** Text that became certain with this token; often one word, sometimes nothing. */
  push(id: number): string {
    if (this.tokenizer.isSpecial(id)) return "";
    this.#window.push(id);
    const before = this.tokenizer.decode(this.#window.slice(0, this.#given));
    const text = this.tokenizer.decode(this.#window);
    if (text.endsWith("\ufffd")) return "";
    this.#window = this.#window.slice(this.#given);
    this.#given = this.#window.length;
    return text.slice(before.length);
  }

  /** Whatever is still held back. */
  end(): string {
    const before = this.tokenizer.decode(this.#window.slice(0, this.#given));
    const rest = this.tokenizer.decode(this.#window).slice(before.length);
    this.#window = [];
    this.#given = 0;
    return rest;
  }
}
