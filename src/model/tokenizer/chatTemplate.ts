/**
 * Chat templates: a conversation becomes the one text that a model was trained on. Parsing and rendering are
 * `@huggingface/jinja`'s work, within bounds; it knows neither tokens nor models.
 */
import { checkKeys, TrimtabError } from "../../tensor/errors.ts";
import { Environment, parseTemplate, type TemplateNode } from "./libraries.ts";
import { BoundedInterpreter, templateGlobals } from "./templateInterpreter.ts";

export interface ChatMessage {
  readonly role: string;
  readonly content: string;
}

export interface RenderOptions {
  /** Ends with the opening of the assistant's turn. Default false. */
  readonly addGenerationPrompt?: boolean;
}

/** Values that templates refer to. */
export interface TemplateVariables {
  readonly bos_token?: string;
  readonly eos_token?: string;
}

/** The longest templates in use have some 20 000 characters; beyond these bounds the parser's own time becomes a risk. */
const MAX_SOURCE_CHARS = 1 << 18;
const MAX_WHITESPACE_RUN = 4096;

export class ChatTemplate {
  readonly source: string;
  readonly #variables: TemplateVariables;
  #program: TemplateNode | undefined;

  private constructor(source: string, variables: TemplateVariables) {
    this.source = source;
    this.#variables = variables;
  }

  /**
   * Checks a template's size. It is parsed at its first use and kept, so that a template that does not parse spoils chat only.
   * @throws TrimtabError E_TOKENIZER for a template that is too large.
   */
  static compile(source: string, variables: TemplateVariables = {}): ChatTemplate {
    if (source.length > MAX_SOURCE_CHARS)
      throw bad(`it has ${source.length} characters`, `at most ${MAX_SOURCE_CHARS} are accepted`);
    if (new RegExp(`\\s{${MAX_WHITESPACE_RUN}}`).test(source))
      throw bad(`it has ${MAX_WHITESPACE_RUN} spaces in a row`, "it is damaged or hostile");
    return new ChatTemplate(source, variables);
  }

  /** The text of a conversation. @throws TrimtabError E_TOKENIZER with what the template itself says against it. */
  render(messages: readonly ChatMessage[], options: RenderOptions = {}): string {
    checkKeys(options, ["addGenerationPrompt"], "chat template");
    const environment = new Environment();
    const variables: Record<string, unknown> = {
      ...templateGlobals,
      ...this.#variables,
      messages: messages.map((m) => ({ ...m })),
      add_generation_prompt: options.addGenerationPrompt ?? false,
    };
    const contentChars = messages.reduce((n, m) => n + (m.content?.length ?? 0), 0);
    try {
      this.#program ??= parseTemplate(this.source);
      for (const [name, value] of Object.entries(variables)) if (value !== undefined) environment.set(name, value);
      const interpreter = new BoundedInterpreter(environment, this.source.length, contentChars);
      return String(interpreter.run(this.#program).value);
    } catch (error) {
      const deep = error instanceof RangeError;
      const roles = messages.map((m) => m.role).join(", ");
      throw bad(
        deep ? "it is nested too deeply, or makes too much text" : (error as Error).message,
        `the conversation has the roles [${roles}]; raw text needs no template`,
        error,
      );
    }
  }
}

function bad(what: string, hint: string, cause?: unknown): TrimtabError {
  return new TrimtabError("E_TOKENIZER", `chat template: ${what}`, hint, { cause });
}
