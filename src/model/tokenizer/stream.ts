/**
 * Turns token ids into text one at a time, for printing while a model generates. Holds back bytes that are not yet a whole
 * character. It knows the tokens' bytes only.
 */
import type { Tokenizer } from "./tokenizer.ts";

/** The pieces, joined, equal `tokenizer.decode(ids, { skipSpecialTokens: true })`; the cost of a token is its own length. */
export class TextStream {
  readonly #tokenizer: Tokenizer;
  readonly #utf8 = new TextDecoder("utf-8", { ignoreBOM: true });
  #started = false;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The text that this token completes; empty for special tokens and in the middle of a character. */
  push(id: number): string {
    if (this.#tokenizer.isSpecial(id)) return "";
    return this.#strip(this.#utf8.decode(this.#tokenizer.bytesOf(id), { stream: true }));
  }

  /** What was held back: a broken character as U+FFFD. The stream may be used again. */
  end(): string {
    const rest = this.#strip(this.#utf8.decode());
    this.#started = false;
    return rest;
  }

  #strip(text: string): string {
    if (this.#started || text === "") return text;
    this.#started = true;
    return this.#tokenizer.stripLeadingSpace && text.startsWith(" ") ? text.slice(1) : text;
  }
}
