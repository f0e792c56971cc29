/**
 * What an answer has come to so far: its tokens, its text, and whether a stop string has ended it. Text that may be the start
 * of a stop string is held back. Knows no model.
 */
import { InputError } from "../tensor/errors.ts";

/** Text of new tokens, piece by piece (src/model/tokenizer/stream.ts). */
export interface Detokenizer {
  push(id: number): string;
  end(): string;
}

/** Tokens and text so far; holds back text that may be the start of a stop string. */
export class Answer {
  readonly tokens: number[] = [];
  text = "";
  stopped = false;
  #held = "";

  /** @throws InputError for stops that are no list of strings with a character or more, or that no tokenizer can find. */
  constructor(
    private readonly detokenizer: Detokenizer | undefined,
    private readonly stops: readonly string[],
  ) {
    if (!Array.isArray(stops) || stops.some((s) => typeof s !== "string"))
      throw new InputError("E_OPTION", `stop is ${JSON.stringify(stops)}, expected a list of strings`);
    if (stops.some((s) => s.length === 0)) throw new InputError("E_OPTION", "a stop string is empty");
    if (stops.length && !detokenizer)
      throw new InputError("E_TOKENIZER", "stop strings need a tokenizer, this model has none", "use stopTokens");
  }

  /** Takes a token; returns text that is now certain. */
  push(token: number): string {
    this.tokens.push(token);
    return this.#release(this.detokenizer?.push(token) ?? "");
  }

  /** Text still held back. */
  end(): string {
    if (this.stopped) return "";
    const rest = this.#release(this.detokenizer?.end() ?? "");
    const held = this.stopped ? "" : this.#held;
    this.#held = "";
    this.text += held;
    return rest + held;
  }

  #release(piece: string): string {
    this.#held += piece;
    const at = this.stops.map((s) => this.#held.indexOf(s)).filter((i) => i >= 0);
    let certain = this.#held.length;
    if (at.length) {
      this.stopped = true;
      certain = Math.min(...at);
    } else {
      for (const stop of this.stops) {
        for (let n = Math.min(stop.length - 1, this.#held.length); n > 0; n--) {
          if (!this.#held.endsWith(stop.slice(0, n))) continue;
          certain = Math.min(certain, this.#held.length - n);
          break;
        }
      }
    }
    const out = this.#held.slice(0, certain);
    this.#held = this.stopped ? "" : this.#held.slice(certain);
    this.text += out;
    return out;
  }
}
