/** The vocabularies and goldens of test/fixtures/tokenizer, as tokenizer.json objects and as GGUF metadata. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "../../../src/model/tokenizer/tokenizer.ts";
import type { TokenizerJson } from "../../../src/model/tokenizer/tokenizerJson.ts";
import { fixtures } from "../../support/needs.ts";

interface Golden {
  readonly ids: number[][];
  readonly spans: [number, number][][];
  readonly decodes: { ids: number[]; all: string; text: string }[];
}

const read = (file: string): unknown => JSON.parse(readFileSync(join(fixtures, "tokenizer", file), "utf8"));

export const names = ["gpt2", "smollm", "llama3", "qwen2", "tekken", "llama"] as const;
export const goldens = read("goldens.json") as {
  texts: string[];
  tokenizers: Record<string, Golden>;
  /** By `prepend_scheme,split`. */
  metaspace: Record<string, number[][]>;
  sentencepiece: { ids: number[][]; decodes: { ids: number[]; text: string }[] };
};

const PRE: Record<string, string> = {
  gpt2: "gpt-2",
  smollm: "smollm",
  llama3: "llama-bpe",
  qwen2: "qwen2",
  tekken: "tekken",
};

export function json(name: string): TokenizerJson {
  return read(`${name}.json`) as TokenizerJson;
}

export function load(name: string): Tokenizer {
  return new Tokenizer(
    json(name),
    name === "llama" ? { bos_token: "<s>", eos_token: "</s>" } : { eos_token: "<|endoftext|>" },
  );
}

/** The same vocabulary as a GGUF file holds it. */
export function ggufMetadata(name: string): Map<string, unknown> {
  const { model, added_tokens } = json(name);
  const tokens: string[] = [];
  for (const [token, id] of Object.entries(model.vocab as Record<string, number>)) tokens[id] = token;
  for (const t of added_tokens!) tokens[t.id] = t.content;
  const metadata = new Map<string, unknown>([["tokenizer.ggml.tokens", tokens]]);
  if (name === "llama") {
    const { scores, types } = read("llama.scores.json") as { scores: number[]; types: number[] };
    metadata.set("tokenizer.ggml.model", "llama");
    metadata.set("tokenizer.ggml.scores", Float32Array.from(scores));
    metadata.set("tokenizer.ggml.token_type", Int32Array.from(types));
    metadata.set("tokenizer.ggml.bos_token_id", 1);
    metadata.set("tokenizer.ggml.eos_token_id", 2);
    metadata.set("tokenizer.ggml.unknown_token_id", 0);
    return metadata;
  }
  const kinds = new Map(added_tokens!.map((t) => [t.id, t.special ? 3 : 4]));
  metadata.set("tokenizer.ggml.model", "gpt2");
  metadata.set("tokenizer.ggml.pre", PRE[name]);
  metadata.set(
    "tokenizer.ggml.merges",
    model.merges!.map((m) => (typeof m === "string" ? m : m.join(" "))),
  );
  metadata.set(
    "tokenizer.ggml.token_type",
    Int32Array.from(tokens, (_, id) => kinds.get(id) ?? 1),
  );
  metadata.set("tokenizer.ggml.eos_token_id", 0);
  metadata.set("tokenizer.ggml.bos_token_id", 0);
  return metadata;
}

/** A small reproducible generator (mulberry32), uniform in [0, 1). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
