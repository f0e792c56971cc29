/**
 * Tokenizer: text to ids and back, over @huggingface/tokenizers, with its known fault mended (`Digits` knows only ASCII) and
 * BOS handling of our own. Knows vocabularies, not chat templates.
 */
import { Tokenizer as HfTokenizer } from "@huggingface/tokenizers";
import { InputError } from "../../tensor/errors.ts";
import { tokenOffsets } from "./offsets.ts";

type Json = Record<string, unknown>;

export interface EncodeOptions {
  /** "auto" (default): a BOS where the tokenizer's own configuration adds one. Special tokens in the text are always parsed. */
  readonly bos?: "auto" | "never";
}

export interface DecodeOptions {
  readonly skipSpecialTokens?: boolean;
}

export interface EncodingWithOffsets {
  readonly ids: readonly number[];
  readonly tokens: readonly string[];
  /** [start, end) in UTF-16 units of the text; tokens that share a character share its span. A BOS has an empty span. */
  readonly offsets: readonly (readonly [number, number])[];
}

export class Tokenizer {
  readonly #hf: HfTokenizer;
  readonly #json: Json;
  readonly #special: ReadonlySet<number>;
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: readonly number[];
  /** Whether the tokenizer's configuration begins a text with BOS. */
  readonly addBos: boolean;
  readonly bosToken: string | undefined;
  readonly eosToken: string | undefined;

  /** From the contents of tokenizer.json and tokenizer_config.json. @throws InputError E_TOKENIZER. */
  constructor(tokenizerJson: object, tokenizerConfig: object = {}) {
    const json = withUnicodeDigits(tokenizerJson) as Json;
    const config = tokenizerConfig as Json;
    try {
      this.#hf = new HfTokenizer(json, { ...config, clean_up_tokenization_spaces: false });
    } catch (cause) {
      throw new InputError(
        "E_TOKENIZER",
        `the tokenizer cannot be built: ${(cause as Error).message}`,
        "check tokenizer.json",
        { cause },
      );
    }
    this.#json = json;
    const added = [...this.#hf.get_added_tokens_decoder()];
    this.#special = new Set(added.filter(([, token]) => token.special).map(([id]) => id));
    this.bosToken = tokenText(config.bos_token);
    this.eosToken = tokenText(config.eos_token);
    const templateBos = leadingTemplateToken(json.post_processor);
    this.bosTokenId = this.tokenToId(templateBos ?? this.bosToken);
    const eos = this.tokenToId(this.eosToken);
    this.eosTokenIds = eos === undefined ? [] : [eos];
    this.addBos = this.bosTokenId !== undefined && (templateBos !== undefined || config.add_bos_token === true);
  }

  encode(text: string, o: EncodeOptions = {}): number[] {
    const ids = text === "" ? [] : this.#hf.encode(text, { add_special_tokens: false }).ids;
    return this.#startsWithBos(o) ? [this.bosTokenId!, ...ids] : ids;
  }

  /** As `encode`, with the span of text that each token stands for. @throws InputError E_TOKENIZER where they cannot be traced. */
  encodeWithOffsets(text: string, o: EncodeOptions = {}): EncodingWithOffsets {
    const { ids, tokens } =
      text === "" ? { ids: [], tokens: [] } : this.#hf.encode(text, { add_special_tokens: false });
    const offsets = tokenOffsets(text, tokens, this.#json, (i) => this.#hf.get_added_tokens_decoder().has(ids[i]!));
    if (!this.#startsWithBos(o)) return { ids, tokens, offsets };
    return {
      ids: [this.bosTokenId!, ...ids],
      tokens: [this.idToToken(this.bosTokenId!)!, ...tokens],
      offsets: [[0, 0], ...offsets],
    };
  }

  #startsWithBos(o: EncodeOptions): boolean {
    return this.addBos && (o.bos ?? "auto") === "auto";
  }

  decode(ids: readonly number[], o: DecodeOptions = {}): string {
    const kept = o.skipSpecialTokens ? ids.filter((id) => !this.#special.has(id)) : [...ids];
    return kept.length === 0 ? "" : this.#hf.decode(kept, { skip_special_tokens: false });
  }

  /** Number of ids, added tokens included. */
  get vocabSize(): number {
    return this.#hf.get_vocab().size;
  }

  idToToken(id: number): string | undefined {
    return this.#hf.id_to_token(id);
  }

  tokenToId(token: string | undefined): number | undefined {
    return token === undefined ? undefined : this.#hf.token_to_id(token);
  }

  isSpecial(id: number): boolean {
    return this.#special.has(id);
  }
}

function tokenText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const content = (value as { content?: unknown } | null | undefined)?.content;
  return typeof content === "string" ? content : undefined;
}

/** The special token that a TemplateProcessing post-processor puts first, if any. */
function leadingTemplateToken(processor: unknown): string | undefined {
  const p = processor as { type?: string; single?: Json[]; processors?: unknown[] } | null | undefined;
  if (p?.type === "Sequence") return p.processors?.map(leadingTemplateToken).find((token) => token !== undefined);
  if (p?.type !== "TemplateProcessing") return undefined;
  const first = p.single?.[0]?.SpecialToken as { id?: unknown } | undefined;
  return typeof first?.id === "string" ? first.id : undefined;
}

/**
 * `Digits` splits at Unicode category N in the original and at \d in the JavaScript library (0.2.0): ½ and Ⅷ come out wrong.
 * A Split by \p{N} says the same and is right in both.
 */
function withUnicodeDigits(json: object): object {
  const pre = (json as Json).pre_tokenizer;
  return pre ? { ...json, pre_tokenizer: rewriteDigits(pre as Json) } : json;
}

function rewriteDigits(pre: Json): Json {
  if (Array.isArray(pre.pretokenizers))
    return { ...pre, pretokenizers: (pre.pretokenizers as Json[]).map(rewriteDigits) };
  if (pre.type !== "Digits") return pre;
  return {
    type: "Split",
    pattern: { Regex: pre.individual_digits ? "\\p{N}" : "\\p{N}+" },
    behavior: "Isolated",
    invert: false,
  };
}
