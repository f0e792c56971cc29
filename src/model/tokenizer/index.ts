/** Barrel of src/model/tokenizer; files inside import each other directly. */
export { type ChatMessage, ChatTemplate } from "./chatTemplate.ts";
export { type LoadedTokenizer, loadTokenizerFromFolder, loadTokenizerFromGguf } from "./load.ts";
export { TextStream } from "./stream.ts";
export { Tokenizer } from "./tokenizer.ts";
