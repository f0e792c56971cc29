/**
 * The parts of `@huggingface/tokenizers` and `@huggingface/jinja` that Trimtab uses, with types: their own declaration files
 * import without file extensions, which Node's module resolution does not follow. Nothing else here.
 */
import * as jinja from "@huggingface/jinja";
import * as tokenizers from "@huggingface/tokenizers";

/** The library's tokenizer, for encoding with a BPE model only. */
export interface Engine {
  readonly model: BpeModel;
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] };
}

/** Fields of the library's BPE model that its constructor fills from JSON. */
export interface BpeModel {
  tokens_to_ids: Map<string, number>;
  vocab: (string | undefined)[];
  /** By the JSON of `[left, right]`. */
  bpe_ranks: Map<string, number>;
  unk_token_id: number | undefined;
  /** Pieces of text to tokens. */
  encode(pieces: string[]): string[];
}

export interface TemplateEnvironment {
  set(name: string, value: unknown): unknown;
}

export interface TemplateNode {
  readonly type: string;
}

export interface TemplateValue {
  readonly type: string;
  readonly value: unknown;
}

export interface TemplateInterpreter {
  run(program: TemplateNode): TemplateValue;
  evaluate(statement: TemplateNode | undefined, environment: TemplateEnvironment): TemplateValue;
}

const t = tokenizers as unknown as {
  Tokenizer: new (tokenizerJson: object, tokenizerConfig: object) => Engine;
};
const j = jinja as unknown as {
  Environment: new () => TemplateEnvironment;
  Interpreter: new (environment: TemplateEnvironment) => TemplateInterpreter;
  parse(tokens: unknown): TemplateNode;
  tokenize(source: string, options: { lstrip_blocks: boolean; trim_blocks: boolean }): unknown;
};

export const TokenizerEngine = t.Tokenizer;
export const Environment = j.Environment;
export const Interpreter = j.Interpreter;

/** Parses a template with the whitespace rules of transformers. */
export function parseTemplate(source: string): TemplateNode {
  return j.parse(j.tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
}
