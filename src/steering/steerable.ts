/** The model that users load: a LanguageModel that also extracts steering vectors. Knows only how to put the two together. */
import { LanguageModel, type LoadOptions, loadModel as loadLanguageModel } from "../model/index.ts";
import { type ExtractOptions, extract } from "./extract.ts";
import type { ContrastPair } from "./pairs.ts";
import type { VectorSet } from "./vector.ts";

export class SteerableModel extends LanguageModel {
  /** Mean-difference vectors at every asked-for layer, in one pass. See `extract`. */
  extract(pairs: readonly ContrastPair[], options: ExtractOptions = {}): Promise<VectorSet> {
    return extract(this, pairs, options);
  }
}

/** Loads a model by alias, hub id, folder, .gguf file, URL or File objects. Errors and options as in src/model/load.ts. */
export async function loadModel(from: string | readonly File[], options: LoadOptions = {}): Promise<SteerableModel> {
  return new SteerableModel(await loadLanguageModel(from, options));
}
