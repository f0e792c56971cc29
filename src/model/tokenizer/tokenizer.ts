/**
 * Text to token ids and back. Splitting and merging are `@huggingface/tokenizers`' work; BOS, special tokens, spans and
 * decoding are ours. It takes parsed JSON, never files or networks, and knows nothing of models.
 */
import { checkKeys, InputError } from "../../tensor/errors.ts";
import { badTokenizer as bad, buildEngine, missingBytes } from "./engine.ts";
import type { Engine } from "./libraries.ts";
import { readTextChanges, type Span, tokenSpans } from "./offsets.ts";
import { TokenBytes } from "./tokenBytes.ts";
import {
  type AddedToken,
  type Component,
  type TokenizerConfig,
  type TokenizerJson,
  type TokenizerModelJson,
  tokenTexts,
} from "./tokenizerJson.ts";

/** Largest id accepted; the largest vocabularies in use have 0.26 M tokens. */
const MAX_ID = 1 << 22;

export interface EncodeOptions {
  /** `auto`: a BOS where the tokenizer's configuration adds one; `never`: none, as beside a chat template. Default `auto`. */
  readonly bos?: "auto" | "never";
}

export interface DecodeOptions {
  /** Leaves out special tokens. Default false. */
  readonly skipSpecialTokens?: boolean;
}

export interface EncodingWithOffsets {
  readonly ids: number[];
  /** `[start, end)` of each token in UTF-16 units of the text; an added BOS is `[0, 0]`. */
  readonly offsets: Span[];
  /** The vocabulary's own spelling of each token. */
  readonly tokens: string[];
}

export class Tokenizer {
  /** One more than the largest id. */
  readonly vocabSize: number;
  readonly bosTokenId: number | undefined;
  readonly eosTokenIds: ReadonlySet<number>;
  /** Whether the tokenizer's own configuration puts a BOS before a text. */
  readonly addBos: boolean;
  /** Special tokens by text. They are left out by `skipSpecialTokens`. */
  readonly specialTokens: ReadonlyMap<string, number>;
  readonly #engine: Engine;
  readonly #json: TokenizerJson;
  readonly #tokens: readonly (string | undefined)[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #added: ReadonlyMap<number, AddedToken>;
  readonly #specialIds: ReadonlySet<number>;
  readonly #bytes: TokenBytes;

  /** @throws TrimtabError E_TOKENIZER where the JSON is not a tokenizer, or is of a kind that is not supported. */
  constructor(json: TokenizerJson, config: TokenizerConfig = {}) {
    const added = checkAddedTokens(json);
    const ids = readVocabulary(json.model, added);
    const tokens: string[] = [];
    for (const [token, id] of ids) tokens[id] = token;
    for (const t of added) tokens[t.id] = t.content;
    this.#json = json;
    this.#ids = ids;
    this.#tokens = tokens;
    this.#added = new Map(added.map((t) => [t.id, t]));
    this.#bytes = new TokenBytes(tokens, new Set(this.#added.keys()), json.decoder);
    this.#engine = buildEngine(json, added, ids, tokens);
    this.vocabSize = tokens.length;
    this.specialTokens = new Map(added.filter((t) => t.special).map((t) => [t.content, t.id]));
    this.#specialIds = new Set(this.specialTokens.values());
    const template = templateBos(json.post_processor);
    this.bosTokenId = this.tokenToId(tokenTexts(config.bos_token)[0] ?? template ?? "");
    this.eosTokenIds = new Set(tokenTexts(config.eos_token).flatMap((t) => this.tokenToId(t) ?? []));
    this.addBos = this.bosTokenId !== undefined && (config.add_bos_token ?? template !== undefined);
  }

  /** Token ids of a text. Special tokens written in the text are parsed as such. */
  encode(text: string, options: EncodeOptions = {}): number[] {
    const ids = this.#encodeText(text);
    if (this.#wantsBos(options)) ids.unshift(this.bosTokenId!);
    return ids;
  }

  /** @throws TrimtabError E_TOKENIZER where the normalizer rewrites text in ways that spans cannot follow. */
  encodeWithOffsets(text: string, options: EncodeOptions = {}): EncodingWithOffsets {
    const wantsBos = this.#wantsBos(options);
    const ids = this.#encodeText(text);
    const unknown = this.#json.model.unk_token;
    const offsets = tokenSpans(text, ids, {
      changes: readTextChanges(this.#json),
      added: this.#added,
      unknownId: unknown ? this.tokenToId(unknown) : undefined,
      missing: missingBytes(this.#json, this.#ids),
      bytesOf: (id) => this.bytesOf(id),
    });
    if (wantsBos) {
      ids.unshift(this.bosTokenId!);
      offsets.unshift([0, 0]);
    }
    return { ids, offsets, tokens: ids.map((id) => this.idToToken(id) ?? "") };
  }

  /** The tokens' text, byte for byte; what is not UTF-8 becomes U+FFFD. @throws InputError for what is not an id. */
  decode(ids: readonly number[], options: DecodeOptions = {}): string {
    checkKeys(options, ["skipSpecialTokens"], "decode");
    const kept = options.skipSpecialTokens ? ids.filter((id) => !this.#specialIds.has(id)) : ids;
    for (const id of kept) checkId(id);
    return this.#bytes.decode(kept);
  }

  /** The vocabulary's own spelling of a token. */
  idToToken(id: number): string | undefined {
    return this.#tokens[id];
  }

  tokenToId(token: string): number | undefined {
    return this.#ids.get(token);
  }

  isSpecial(id: number): boolean {
    return this.#specialIds.has(id);
  }

  /** The bytes that a token stands for; none for an id that the vocabulary lacks. */
  bytesOf(id: number): Uint8Array {
    checkId(id);
    return this.#bytes.of(id);
  }

  /** Whether decoding removes one space at the start of a text (SentencePiece vocabularies). */
  get stripLeadingSpace(): boolean {
    return this.#bytes.stripLeadingSpace;
  }

  #encodeText(text: string): number[] {
    if (typeof text !== "string") throw new InputError("E_OPTION", `encode: expected a text, got ${typeof text}`);
    return this.#engine.encode(text, { add_special_tokens: false }).ids;
  }

  #wantsBos(options: EncodeOptions): boolean {
    checkKeys(options, ["bos"], "encode");
    const { bos = "auto" } = options;
    if (bos !== "auto" && bos !== "never")
      throw new InputError("E_OPTION", `encode: bos ${JSON.stringify(bos)}`, 'bos is "auto" or "never"');
    return bos === "auto" && this.addBos;
  }
}

function readVocabulary(model: TokenizerModelJson, added: readonly AddedToken[]): Map<string, number> {
  const { vocab } = model;
  const ids = new Map<string, number>();
  const entries = vocab instanceof Map ? (vocab as ReadonlyMap<string, number>) : Object.entries(vocab ?? {});
  for (const [token, id] of entries) ids.set(token, checkTokenId(id, token));
  if (ids.size === 0) throw bad("model.vocab is missing or empty", "this is not a tokenizer.json");
  for (const t of added) ids.set(t.content, t.id);
  return ids;
}

function checkAddedTokens(json: TokenizerJson): readonly AddedToken[] {
  if (!json || typeof json !== "object" || !json.model || typeof json.model !== "object")
    throw bad("it has no model", "this is not a tokenizer.json");
  const added = json.added_tokens ?? [];
  if (!Array.isArray(added)) throw bad("added_tokens is not an array", "this is not a tokenizer.json");
  return (added as AddedToken[]).map((t) => {
    if (typeof t?.content !== "string" || t.content === "")
      throw bad(`an added token is ${JSON.stringify(t)}`, "added tokens have a content and an id");
    return { ...t, id: checkTokenId(t.id, t.content) };
  });
}

function checkTokenId(id: unknown, token: string): number {
  if (typeof id === "number" && Number.isInteger(id) && id >= 0 && id < MAX_ID) return id;
  throw bad(`token ${JSON.stringify(token)} has the id ${id}`, `ids are integers from 0 to ${MAX_ID - 1}`);
}

function checkId(id: number): void {
  if (!Number.isInteger(id) || id < 0)
    throw new InputError("E_TOKENIZER", `decode: ${id} is not a token id`, "ids are integers from 0");
}

/** The token that a post-processor puts before a text, if any. */
function templateBos(p: Component | null | undefined): string | undefined {
  if (!p) return undefined;
  if (p.type === "Sequence" && Array.isArray(p.processors))
    return (p.processors as Component[]).map(templateBos).find((t) => t !== undefined);
  if (p.type !== "TemplateProcessing" || !Array.isArray(p.single)) return undefined;
  const first = (p.single as { SpecialToken?: { id?: unknown } }[])[0]?.SpecialToken?.id;
  return typeof first === "string" ? first : undefined;
}
