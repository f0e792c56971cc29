/**
 * What `trimtab model info` reports: sizes, stored types, tokenizer and file facts, read without loading any weights. Knows
 * opened models, not how facts are shown.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { OpenedModel } from "../model/index.ts";

export interface ModelFacts {
  readonly name: string;
  readonly path: string | undefined;
  readonly architecture: string;
  readonly parameters: number;
  readonly layers: number;
  readonly modelDimension: number;
  readonly mlpDimension: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDimension: number;
  readonly vocabulary: number;
  readonly contextTokens: number;
  readonly slidingWindowTokens: number | undefined;
  readonly tiedEmbeddings: boolean;
  /** Weight bytes by stored type, largest first. */
  readonly dtypes: Readonly<Record<string, number>>;
  readonly weightBytes: number;
  readonly fileBytes: number | undefined;
  readonly tokenizer: TokenizerFacts | undefined;
  readonly chatTemplate: boolean;
  /** SHA-256 over configuration and weight header: what vector files call the model. */
  readonly sha256: string;
}

export interface TokenizerFacts {
  readonly bosTokenId: number | undefined;
  /** Whether raw text gets a BOS. */
  readonly addsBos: boolean;
  /** All tokens that end an answer. */
  readonly eosTokenIds: readonly number[];
}

export async function modelFacts(opened: OpenedModel): Promise<ModelFacts> {
  const { config: c, file, text } = opened;
  const tensors = [...file.tensors.values()];
  const bytesOf: Record<string, number> = {};
  for (const { dtype, bytes } of tensors) bytesOf[dtype] = (bytesOf[dtype] ?? 0) + bytes;
  const tokenizer = text?.tokenizer;
  const eosTokenIds = [...new Set([...c.eosTokenIds, ...(tokenizer?.eosTokenIds ?? []), ...opened.eosTokenIds])];
  return {
    name: opened.name,
    path: opened.path,
    architecture: c.architecture,
    // rope_freqs holds factors of the positions, no parameters
    parameters: tensors
      .filter(({ name }) => name !== "rope_freqs.weight")
      .reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0),
    layers: c.L,
    modelDimension: c.D,
    mlpDimension: c.F,
    heads: c.H,
    keyValueHeads: c.Hkv,
    headDimension: c.Dh,
    vocabulary: c.V,
    contextTokens: c.contextLength,
    slidingWindowTokens: c.window || undefined,
    tiedEmbeddings: c.tied,
    dtypes: Object.fromEntries(Object.entries(bytesOf).sort((a, b) => b[1] - a[1])),
    weightBytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    fileBytes: opened.path === undefined ? undefined : await bytesOnDisk(opened),
    tokenizer: tokenizer && {
      bosTokenId: tokenizer.bosTokenId,
      addsBos: tokenizer.addBos,
      eosTokenIds,
    },
    chatTemplate: text?.chatTemplate !== undefined,
    sha256: opened.sha256,
  };
}

/** Size of the weight files. */
async function bytesOnDisk({ path, style }: OpenedModel): Promise<number> {
  if (style === "gguf") return (await stat(path!)).size;
  const files = (await readdir(path!)).filter((name) => name.endsWith(".safetensors") && /^model/.test(name));
  const sizes = await Promise.all(files.map(async (name) => (await stat(join(path!, name))).size));
  return sizes.reduce((a, b) => a + b, 0);
}
