/**
 * Loads a tokenizer and its chat template from a Hugging Face folder or from GGUF metadata. It gets the files' text through
 * a function, so that disk, hub cache and browser all serve.
 */
import { TrimtabError } from "../../tensor/errors.ts";
import { ChatTemplate } from "./chatTemplate.ts";
import { type GgufMetadata, tokenizerJsonFromGguf } from "./fromGguf.ts";
import { Tokenizer } from "./tokenizer.ts";
import { type TokenizerConfig, type TokenizerJson, tokenTexts } from "./tokenizerJson.ts";

export interface LoadedTokenizer {
  readonly tokenizer: Tokenizer;
  readonly chatTemplate?: ChatTemplate;
}

/**
 * `read` gives the text of a file of the folder, or undefined where it is absent. Undefined where there is no tokenizer.json.
 * @throws TrimtabError E_TOKENIZER for damaged or unsupported files.
 */
export async function loadTokenizerFromFolder(
  read: (file: string) => Promise<string | undefined>,
): Promise<LoadedTokenizer | undefined> {
  const text = await read("tokenizer.json");
  if (text === undefined) return undefined;
  const configText = (await read("tokenizer_config.json")) ?? "{}";
  const config = parse(configText, "tokenizer_config.json") as TokenizerConfig;
  const specials = parse((await read("special_tokens_map.json")) ?? "{}", "special_tokens_map.json") as TokenizerConfig;
  const merged = {
    ...config,
    bos_token: config.bos_token ?? specials.bos_token,
    eos_token: config.eos_token ?? specials.eos_token,
  };
  const tokenizer = new Tokenizer(parse(text, "tokenizer.json") as unknown as TokenizerJson, merged);
  const source = (await read("chat_template.jinja")) ?? templateOf(config.chat_template);
  return withTemplate(tokenizer, source, merged);
}

/** @throws TrimtabError E_TOKENIZER for metadata without a vocabulary or with an unknown kind of one. */
export async function loadTokenizerFromGguf(metadata: GgufMetadata): Promise<LoadedTokenizer> {
  const { tokenizerJson, tokenizerConfig } = tokenizerJsonFromGguf(metadata);
  return withTemplate(
    new Tokenizer(tokenizerJson, tokenizerConfig),
    templateOf(metadata.get("tokenizer.chat_template")),
    tokenizerConfig,
  );
}

function withTemplate(tokenizer: Tokenizer, source: string | undefined, config: TokenizerConfig): LoadedTokenizer {
  if (source === undefined) return { tokenizer };
  const bos = tokenTexts(config.bos_token)[0] ?? tokenizer.idToToken(tokenizer.bosTokenId ?? -1);
  const eos = tokenTexts(config.eos_token)[0];
  return { tokenizer, chatTemplate: ChatTemplate.compile(source, { bos_token: bos, eos_token: eos }) };
}

/** One template, or the one called "default" of several. */
function templateOf(field: unknown): string | undefined {
  if (typeof field === "string") return field;
  if (!Array.isArray(field)) return undefined;
  const named = field as { name?: unknown; template?: unknown }[];
  const template = named.find((t) => t?.name === "default")?.template;
  return typeof template === "string" ? template : undefined;
}

function parse(text: string, file: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    if (value && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (error) {
    throw new TrimtabError("E_TOKENIZER", `${file}: ${(error as Error).message}`, "the file is damaged", {
      cause: error,
    });
  }
  throw new TrimtabError("E_TOKENIZER", `${file}: expected a JSON object`, "the file is damaged");
}
