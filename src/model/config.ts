/**
 * What a model is: its sizes, its norms, its positions, read from a Hugging Face config.json or from GGUF metadata into one
 * frozen record. Knows file keys, not tensors. An architecture or a variant that the forward pass does not compute is
 * refused here, before any weight is read.
 */
import type { Activation, NormKind } from "../tensor/backend.ts";
import { InputError } from "../tensor/errors.ts";

export const ARCHITECTURES = ["gpt2", "llama", "mistral", "qwen2", "qwen3"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** Llama 3.1's frequency-dependent scaling (transformers, modeling_rope_utils: `llama3`), or a plain division of positions. */
export type RopeScaling =
  | {
      readonly type: "llama3";
      readonly factor: number;
      readonly lowFactor: number;
      readonly highFactor: number;
      readonly originalContext: number;
    }
  | { readonly type: "linear"; readonly factor: number };

export interface RopeConfig {
  readonly theta: number;
  readonly scaling?: RopeScaling;
}

export interface ModelConfig {
  readonly architecture: Architecture;
  /** Layers, model dimension, query heads, key/value heads, head dimension, MLP dimension, vocabulary. */
  readonly L: number;
  readonly D: number;
  readonly H: number;
  readonly Hkv: number;
  readonly Dh: number;
  readonly F: number;
  readonly V: number;
  /** Longest sequence that the model was made for, in tokens. */
  readonly contextLength: number;
  readonly normKind: NormKind;
  readonly normEps: number;
  readonly activation: Activation;
  /** MLP as down(act(gate(x)) · up(x)) rather than down(act(up(x))). */
  readonly gatedMlp: boolean;
  /** Absent: learned positions (GPT-2). */
  readonly rope?: RopeConfig;
  /** Keys farther back than this are hidden; 0 for none (Mistral's sliding window). */
  readonly window: number;
  /** RMS norm on each q and k head (Qwen3). */
  readonly qkNorm: boolean;
  /** The unembedding is the embedding table. */
  readonly tied: boolean;
  readonly bosTokenId?: number;
  readonly eosTokenIds: readonly number[];
}

type Json = Readonly<Record<string, unknown>>;

function unsupported(what: string, got: unknown, remedy: string): never {
  throw new InputError("E_ARCH", `unsupported ${what} ${JSON.stringify(got)}`, remedy);
}

function architecture(name: unknown): Architecture {
  if (ARCHITECTURES.includes(name as Architecture)) return name as Architecture;
  return unsupported(
    "architecture",
    name,
    `supported: ${ARCHITECTURES.join(", ")} (Llama 2/3/3.1 and SmolLM2 are "llama")`,
  );
}

/** A positive number at the first of `keys` that is there, else `fallback`. @throws InputError E_CONFIG naming the key. */
function number(from: Json, where: string, keys: readonly string[], fallback?: number): number {
  for (const key of keys) {
    const value = from[key];
    if (value === undefined || value === null) continue;
    if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
    throw new InputError("E_CONFIG", `${where}: ${key} is ${JSON.stringify(value)}, expected a positive number`);
  }
  if (fallback !== undefined) return fallback;
  throw new InputError(
    "E_CONFIG",
    `${where}: ${keys.join(" or ")} is missing`,
    "the file is not a complete model configuration",
  );
}

function integer(from: Json, where: string, keys: readonly string[], fallback?: number): number {
  const value = number(from, where, keys, fallback);
  if (!Number.isInteger(value))
    throw new InputError("E_CONFIG", `${where}: ${keys[0]} is ${value}, expected a whole number`);
  return value;
}

const HF_ACTIVATIONS: Readonly<Record<string, Activation>> = {
  silu: "silu",
  swish: "silu",
  gelu: "gelu",
  gelu_new: "gelu_tanh",
  gelu_pytorch_tanh: "gelu_tanh",
  gelu_fast: "gelu_tanh",
  relu: "relu",
};

function activation(name: unknown): Activation {
  return (
    HF_ACTIVATIONS[String(name)] ??
    unsupported("activation", name, `supported: ${Object.keys(HF_ACTIVATIONS).join(", ")}`)
  );
}

function tokenIds(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter((id): id is number => typeof id === "number");
}

function hfRopeScaling(value: unknown): RopeScaling | undefined {
  if (value === null || value === undefined) return undefined;
  const s = value as Json;
  const type = s.rope_type ?? s.type;
  const where = "config.json: rope_scaling";
  if (type === "default") return undefined;
  if (type === "linear") return { type, factor: number(s, where, ["factor"]) };
  if (type === "llama3") {
    return {
      type,
      factor: number(s, where, ["factor"]),
      lowFactor: number(s, where, ["low_freq_factor"]),
      highFactor: number(s, where, ["high_freq_factor"]),
      originalContext: number(s, where, ["original_max_position_embeddings"]),
    };
  }
  return unsupported("rope_scaling", type, "supported: default, linear, llama3");
}

/** Checks what the formulas need: whole heads, an even rotation, groups that divide. */
function checked(c: ModelConfig): ModelConfig {
  if (c.H % c.Hkv !== 0)
    throw new InputError("E_CONFIG", `${c.H} query heads cannot share ${c.Hkv} key/value heads evenly`);
  if (c.rope && c.Dh % 2 !== 0)
    throw new InputError("E_CONFIG", `head dimension ${c.Dh} is odd, rotary positions need an even one`);
  return Object.freeze(c);
}

function gpt2FromHf(j: Json, where: string): ModelConfig {
  if (j.scale_attn_by_inverse_layer_idx)
    unsupported("GPT-2 option", "scale_attn_by_inverse_layer_idx", "use a checkpoint without it");
  if (j.scale_attn_weights === false)
    unsupported("GPT-2 option", "scale_attn_weights: false", "use a checkpoint with scaled attention");
  const D = integer(j, where, ["n_embd"]);
  const H = integer(j, where, ["n_head"]);
  return {
    architecture: "gpt2",
    L: integer(j, where, ["n_layer"]),
    D,
    H,
    Hkv: H,
    Dh: D / H,
    F: integer(j, where, ["n_inner"], 4 * D),
    V: integer(j, where, ["vocab_size"]),
    contextLength: integer(j, where, ["n_positions", "n_ctx"]),
    normKind: "layer",
    normEps: number(j, where, ["layer_norm_epsilon"], 1e-5),
    activation: activation(j.activation_function ?? "gelu_new"),
    gatedMlp: false,
    window: 0,
    qkNorm: false,
    tied: j.tie_word_embeddings !== false,
    bosTokenId: tokenIds(j.bos_token_id)[0],
    eosTokenIds: tokenIds(j.eos_token_id),
  };
}

/** A parsed Hugging Face config.json. @throws InputError E_ARCH or E_CONFIG. */
export function configFromHf(json: unknown, where = "config.json"): ModelConfig {
  if (typeof json !== "object" || json === null) throw new InputError("E_CONFIG", `${where} is not a JSON object`);
  const j = json as Json;
  const arch = architecture(j.model_type);
  if (arch === "gpt2") return checked(gpt2FromHf(j, where));
  const D = integer(j, where, ["hidden_size"]);
  const H = integer(j, where, ["num_attention_heads"]);
  const rope = j.rope_parameters as Json | undefined; // transformers 5 moved theta and scaling here
  // Qwen2 carries a window that is off unless use_sliding_window; Mistral's is on wherever it is given.
  const windowed = arch === "mistral" ? j.sliding_window : j.use_sliding_window === true ? j.sliding_window : undefined;
  if (windowed && arch !== "mistral")
    unsupported("option", "use_sliding_window", "only Mistral's sliding window is computed");
  return checked({
    architecture: arch,
    L: integer(j, where, ["num_hidden_layers"]),
    D,
    H,
    Hkv: integer(j, where, ["num_key_value_heads"], H),
    Dh: integer(j, where, ["head_dim"], D / H),
    F: integer(j, where, ["intermediate_size"]),
    V: integer(j, where, ["vocab_size"]),
    contextLength: integer(j, where, ["max_position_embeddings"]),
    normKind: "rms",
    normEps: number(j, where, ["rms_norm_eps"], 1e-6),
    activation: activation(j.hidden_act ?? "silu"),
    gatedMlp: true,
    rope: {
      theta: number({ rope_theta: j.rope_theta ?? rope?.rope_theta }, where, ["rope_theta"], 10000),
      scaling: hfRopeScaling(j.rope_scaling ?? rope),
    },
    window: typeof windowed === "number" ? windowed : 0,
    qkNorm: arch === "qwen3",
    tied: j.tie_word_embeddings === true,
    bosTokenId: tokenIds(j.bos_token_id)[0],
    eosTokenIds: tokenIds(j.eos_token_id),
  });
}

/** What the weight files say that GGUF metadata does not. */
export interface GgufFacts {
  /** Whether the file has `output.weight` (otherwise the embedding is tied). */
  readonly hasOutput: boolean;
  /** Rows of `token_embd.weight`. */
  readonly vocabulary: number;
}

/** GGUF metadata of a language model. @throws InputError E_ARCH or E_CONFIG. */
export function configFromGguf(metadata: ReadonlyMap<string, unknown>, facts: GgufFacts): ModelConfig {
  const where = "GGUF metadata";
  const arch = architecture(metadata.get("general.architecture"));
  const j: Json = Object.fromEntries(
    [...metadata]
      .filter(([key]) => key.startsWith(`${arch}.`))
      .map(([key, value]) => [key.slice(arch.length + 1), value]),
  );
  const D = integer(j, where, ["embedding_length"]);
  const H = integer(j, where, ["attention.head_count"]);
  const Dh = integer(j, where, ["attention.key_length"], D / H);
  const isGpt2 = arch === "gpt2";
  const eos = metadata.get("tokenizer.ggml.eos_token_id");
  const eot = metadata.get("tokenizer.ggml.eot_token_id");
  const scalingType = j["rope.scaling.type"];
  if (scalingType !== undefined && scalingType !== "none" && scalingType !== "linear") {
    unsupported("rope scaling in GGUF", scalingType, "supported: none, linear, and Llama 3.1's rope_freqs tensor");
  }
  return checked({
    architecture: arch,
    L: integer(j, where, ["block_count"]),
    D,
    H,
    Hkv: integer(j, where, ["attention.head_count_kv"], H),
    Dh,
    F: integer(j, where, ["feed_forward_length"]),
    V: facts.vocabulary,
    contextLength: integer(j, where, ["context_length"]),
    normKind: isGpt2 ? "layer" : "rms",
    normEps: number(j, where, [isGpt2 ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon"], 1e-5),
    activation: isGpt2 ? "gelu_tanh" : "silu",
    gatedMlp: !isGpt2,
    rope: isGpt2
      ? undefined
      : {
          theta: number(j, where, ["rope.freq_base"], 10000),
          scaling:
            scalingType === "linear"
              ? { type: "linear", factor: number(j, where, ["rope.scaling.factor"]) }
              : undefined,
        },
    window: integer(j, where, ["attention.sliding_window"], 0) || 0,
    qkNorm: arch === "qwen3",
    tied: !facts.hasOutput,
    bosTokenId: tokenIds(metadata.get("tokenizer.ggml.bos_token_id"))[0],
    eosTokenIds: [...tokenIds(eos), ...tokenIds(eot)],
  });
}
