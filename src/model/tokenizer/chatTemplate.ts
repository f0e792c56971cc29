/**
 * Chat templates: a conversation to the text that the model was trained on, by @huggingface/jinja. Templates come from files
 * of strangers: their source is bounded, and whatever they throw becomes an error of ours. Knows no tokens.
 */
import { Template } from "@huggingface/jinja";
import { InputError } from "../../tensor/errors.ts";

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface TemplateVariables {
  readonly bos_token?: string;
  readonly eos_token?: string;
}

/** The longest template that was seen in the wild has 20 kB. */
const MAX_SOURCE_CHARS = 1 << 20;
/** No template counts to a million; one that does wants to hang the program. */
const HUGE_NUMBER = /(?:^|[^\w.])\d[\d_]{6,}|\*\*/;

export class ChatTemplate {
  readonly #template: Template;
  readonly #variables: TemplateVariables;
  readonly source: string;

  /** @throws InputError E_TOKENIZER for a template that does not parse. */
  constructor(source: string, variables: TemplateVariables = {}) {
    if (source.length > MAX_SOURCE_CHARS || HUGE_NUMBER.test(source.replace(/"[^"\n]*"|'[^'\n]*'/g, '""'))) {
      throw new InputError(
        "E_TOKENIZER",
        "the chat template is too large or loops too long",
        "load the model without it and give raw prompts",
      );
    }
    try {
      this.#template = new Template(source);
    } catch (cause) {
      throw new InputError("E_TOKENIZER", `the chat template does not parse: ${(cause as Error).message}`, undefined, {
        cause,
      });
    }
    this.source = source;
    this.#variables = variables;
  }

  /** @throws InputError E_TOKENIZER with what the template objects to (roles in a wrong order, say). */
  render(messages: readonly ChatMessage[], o: { addGenerationPrompt?: boolean } = {}): string {
    for (const [i, m] of messages.entries()) {
      if (typeof m?.role === "string" && typeof m.content === "string") continue;
      throw new InputError(
        "E_TOKENIZER",
        `message ${i} is ${JSON.stringify(m)?.slice(0, 100)}`,
        'a message is {"role": "user", "content": "..."}',
      );
    }
    const { bos_token = "", eos_token = "" } = this.#variables;
    try {
      return this.#template.render({
        messages,
        add_generation_prompt: o.addGenerationPrompt ?? false,
        bos_token,
        eos_token,
      });
    } catch (cause) {
      const roles = messages.map((m) => m.role).join(", ");
      throw new InputError(
        "E_TOKENIZER",
        `the chat template refuses a conversation of [${roles}]: ${(cause as Error).message}`,
        undefined,
        { cause },
      );
    }
  }
}
