/** Tokenizers and chat templates: what the rest of src/model uses of this folder. */
export { type ChatMessage, ChatTemplate, type RenderOptions } from "./chatTemplate.ts";
export { type LoadedTokenizer, loadTokenizerFromFolder, loadTokenizerFromGguf } from "./load.ts";
export type { Span } from "./offsets.ts";
export { TextStream } from "./stream.ts";
export { type DecodeOptions, type EncodeOptions, type EncodingWithOffsets, Tokenizer } from "./tokenizer.ts";
