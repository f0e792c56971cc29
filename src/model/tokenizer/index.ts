/** Tokenizers and chat templates: what the rest of src/model uses of this folder. */
export { type ChatMessage, ChatTemplate } from "./chatTemplate.ts";
export { type LoadedTokenizer, loadTokenizerFromFolder, loadTokenizerFromGguf } from "./load.ts";
export { TextStream } from "./stream.ts";
export { Tokenizer } from "./tokenizer.ts";
