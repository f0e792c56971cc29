/** Finds tokenizer and chat template in a Hugging Face folder or in GGUF metadata. Knows file names, not how to read them. */
import { FormatError } from "../../tensor/errors.ts";
import { ChatTemplate } from "./chatTemplate.ts";
import { tokenizerFromGguf } from "./fromGguf.ts";
import { Tokenizer } from "./tokenizer.ts";

export interface LoadedTokenizer {
  readonly tokenizer: Tokenizer;
  readonly chatTemplate?: ChatTemplate;
}

/** Undefined where the folder has no tokenizer.json. `read` gives a file's text, or undefined. */
export async function loadTokenizerFromFolder(
  read: (file: string) => Promise<string | undefined>,
): Promise<LoadedTokenizer | undefined> {
  const text = await read("tokenizer.json");
  if (text === undefined) return undefined;
  const config = parse((await read("tokenizer_config.json")) ?? "{}", "tokenizer_config.json");
  const tokenizer = new Tokenizer(parse(text, "tokenizer.json"), config);
  const source = (await read("chat_template.jinja")) ?? templateIn(config.chat_template);
  return { tokenizer, chatTemplate: compile(source, tokenizer) };
}

/** Undefined where the metadata has no tokenizer. */
export function loadTokenizerFromGguf(metadata: ReadonlyMap<string, unknown>): LoadedTokenizer | undefined {
  if (!metadata.has("tokenizer.ggml.model")) return undefined;
  const { tokenizerJson, tokenizerConfig } = tokenizerFromGguf(metadata);
  const tokenizer = new Tokenizer(tokenizerJson, tokenizerConfig);
  return { tokenizer, chatTemplate: compile(templateIn(metadata.get("tokenizer.chat_template")), tokenizer) };
}

function compile(source: string | undefined, { bosToken, eosToken }: Tokenizer): ChatTemplate | undefined {
  return source === undefined ? undefined : new ChatTemplate(source, { bos_token: bosToken, eos_token: eosToken });
}

/** A template, or the one called "default" among several. */
function templateIn(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return undefined;
  return (value as { name?: unknown; template?: string }[]).find((t) => t.name === "default")?.template;
}

function parse(text: string, where: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw new FormatError(`${where} is not valid JSON: ${(cause as Error).message}`, undefined, { cause });
  }
  throw new FormatError(`${where} is not a JSON object`);
}
