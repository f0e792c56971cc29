/**
 * Weights on the device, and how they are found in files: one table of names for Hugging Face folders and GGUF, transposes
 * for GPT-2's Conv1D, unpermuted q/k rows for GGUF's llama. Matrices keep their stored type. Knows files and the backend,
 * not the forward pass.
 */

import { dequantize } from "../formats/dequantize.ts";
import type { TensorFile } from "../formats/tensorFile.ts";
import type { Backend, Matrix, MatrixPart } from "../tensor/backend.ts";
import { BLOCK_DTYPES, type DType } from "../tensor/dtype.ts";
import { FormatError, InputError, TrimtabError } from "../tensor/errors.ts";
import { Scope } from "../tensor/scope.ts";
import { format, type Shape, sameShape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { ModelConfig } from "./config.ts";
import { ropeTable } from "./rope.ts";

/** gain and bias [D] of a norm. */
export interface Gain {
  readonly gain: Tensor;
  readonly bias?: Tensor;
}

/** w [N, K] and bias [N]. */
export interface Linear {
  readonly w: Matrix;
  readonly bias?: Tensor;
}

export interface BlockWeights {
  readonly ln1: Gain;
  /** q | k | v stacked: [(H + 2·Hkv)·Dh, D]. */
  readonly qkv: Linear;
  readonly headNorm?: { readonly qGain: Tensor; readonly kGain: Tensor; readonly eps: number };
  readonly out: Linear;
  readonly ln2: Gain;
  /** gate | up stacked [2F, D] on gated MLPs, else [F, D]. */
  readonly up: Linear;
  readonly down: Linear;
}

export interface Weights {
  readonly embed: Matrix;
  /** Learned positions [P, D] (GPT-2). */
  readonly positions?: Matrix;
  /** cos and sin [P, Dh/2]. */
  readonly rope?: { readonly cos: Tensor; readonly sin: Tensor };
  readonly blocks: readonly BlockWeights[];
  readonly lnFinal: Gain;
  /** [V, D]; the same matrix as `embed` where tied. */
  readonly unembed: Matrix;
  readonly dtypes: readonly DType[];
  /** Bytes on the device. */
  readonly bytes: number;
  /** @throws TrimtabError E_DISPOSED after `dispose`. */
  expectUsable(): void;
  dispose(): void;
}

export type WeightStyle = "huggingface" | "gguf";

/** Names of one block's tensors behind its prefix, and of the rest, for each file style. */
const NAMES = {
  llama: {
    block: "model.layers.{l}.",
    embed: "model.embed_tokens",
    lnFinal: "model.norm",
    unembed: "lm_head",
    positions: "",
    ln1: "input_layernorm",
    qkv: ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"],
    qNorm: "self_attn.q_norm",
    kNorm: "self_attn.k_norm",
    out: "self_attn.o_proj",
    ln2: "post_attention_layernorm",
    up: ["mlp.gate_proj", "mlp.up_proj"],
    down: "mlp.down_proj",
  },
  gpt2: {
    block: "transformer.h.{l}.",
    embed: "transformer.wte",
    lnFinal: "transformer.ln_f",
    unembed: "lm_head",
    positions: "transformer.wpe",
    ln1: "ln_1",
    qkv: ["attn.c_attn"],
    qNorm: "",
    kNorm: "",
    out: "attn.c_proj",
    ln2: "ln_2",
    up: ["mlp.c_fc"],
    down: "mlp.c_proj",
  },
  gguf: {
    block: "blk.{l}.",
    embed: "token_embd",
    lnFinal: "output_norm",
    unembed: "output",
    positions: "position_embd",
    ln1: "attn_norm",
    qkv: ["attn_q", "attn_k", "attn_v"],
    qNorm: "attn_q_norm",
    kNorm: "attn_k_norm",
    out: "attn_output",
    ln2: "ffn_norm",
    up: ["ffn_gate", "ffn_up"],
    down: "ffn_down",
  },
} as const;

type Names = (typeof NAMES)[keyof typeof NAMES];

const MATRIX_DTYPES: readonly string[] = ["f32", "f16", "bf16", ...BLOCK_DTYPES];

/** Reads tensors of one file by name and checks their shapes. */
class Reader {
  readonly dtypes = new Set<DType>();
  bytes = 0;
  readonly matrices: Matrix[] = [];
  /** Reused from matrix to matrix, one for each part that is stacked. */
  readonly #scratch: Uint8Array[] = [];

  constructor(
    readonly file: TensorFile,
    readonly backend: Backend,
    readonly scope: Scope,
    /** GPT-2's Conv1D in safetensors is stored [K, N]. */
    readonly transposed: boolean,
    readonly signal?: AbortSignal,
  ) {}

  has(name: string): boolean {
    return this.file.tensors.has(name);
  }

  async #read(name: string, shape: Shape, slot?: number): Promise<{ dtype: DType; bytes: Uint8Array }> {
    const info = this.file.tensors.get(name);
    if (!info)
      throw new FormatError(
        `${this.file.name}: tensor "${name}" is missing`,
        "the file is not complete, or belongs to another architecture",
      );
    if (!sameShape(info.shape, shape)) {
      throw new FormatError(
        `${this.file.name}: tensor "${name}" has shape ${format(info.shape)}, expected ${format(shape)}`,
        "config and weights do not belong together",
      );
    }
    if (!MATRIX_DTYPES.includes(info.dtype)) {
      throw new FormatError(
        `${this.file.name}: tensor "${name}" is ${info.dtype}`,
        `weights may be ${MATRIX_DTYPES.join(", ")}`,
      );
    }
    this.signal?.throwIfAborted();
    this.dtypes.add(info.dtype as DType);
    const scratch = slot === undefined ? undefined : this.#scratchOf(slot, info.bytes);
    return { dtype: info.dtype as DType, bytes: await this.file.read(name, this.signal, scratch) };
  }

  #scratchOf(slot: number, bytes: number): Uint8Array {
    const have = this.#scratch[slot];
    if (have && have.length >= bytes) return have;
    (have?.buffer as ArrayBuffer | undefined)?.resize(0);
    return (this.#scratch[slot] = new Uint8Array(new ArrayBuffer(bytes, { maxByteLength: bytes })));
  }

  /** Gives the scratch back now: the collector would leave its 30 MB for as long as nothing else presses. */
  releaseScratch(): void {
    for (const scratch of this.#scratch) (scratch.buffer as ArrayBuffer).resize(0);
    this.#scratch.length = 0;
  }

  /** A vector [n] as float32 on the device. */
  async vector(name: string, n: number): Promise<Tensor> {
    const { dtype, bytes } = await this.#read(name, [n]);
    this.bytes += 4 * n;
    return this.scope.from(dequantize(dtype, bytes), [n], name);
  }

  /** Rows [n, k] as stored; valid until another part is read into the same slot. */
  async part(name: string, n: number, k: number, transposed = false, slot = 0): Promise<MatrixPart> {
    const { dtype, bytes } = await this.#read(name, transposed ? [k, n] : [n, k], slot);
    return { dtype, n, k, bytes: transposed ? transposeBytes(bytes, k, n) : bytes };
  }

  matrix(label: string, parts: readonly MatrixPart[]): Matrix {
    const made = this.backend.createMatrix(label, parts);
    this.matrices.push(made);
    this.bytes += made.bytes;
    return made;
  }

  /** `name`.weight and, if there, `name`.bias, of one norm. */
  async gain(name: string, n: number): Promise<Gain> {
    const gain = await this.vector(`${name}.weight`, n);
    return { gain, bias: this.has(`${name}.bias`) ? await this.vector(`${name}.bias`, n) : undefined };
  }

  /** Several projections of the same input stacked into one matrix; `arrange` may reorder the rows of a part. */
  async linear(
    label: string,
    names: readonly string[],
    ns: readonly number[],
    k: number,
    arrange?: (part: MatrixPart, i: number) => MatrixPart,
  ): Promise<Linear> {
    const parts: MatrixPart[] = [];
    const biases: Float32Array[] = [];
    for (const [i, name] of names.entries()) {
      const part = await this.part(`${name}.weight`, ns[i]!, k, this.transposed, i);
      parts.push(arrange ? arrange(part, i) : part);
      if (!this.has(`${name}.bias`)) continue;
      const { dtype, bytes } = await this.#read(`${name}.bias`, [ns[i]!]);
      const bias: MatrixPart = { dtype, n: ns[i]!, k: 1, bytes };
      biases.push(dequantize(dtype, (arrange ? arrange(bias, i) : bias).bytes));
    }
    const n = ns.reduce((a, b) => a + b, 0);
    const w = this.matrix(label, parts);
    if (biases.length === 0) return { w };
    if (biases.length !== names.length)
      throw new FormatError(`${this.file.name}: only some of ${names.join(", ")} have a bias`);
    const bias = new Float32Array(n);
    let at = 0;
    for (const b of biases) {
      bias.set(b, at);
      at += b.length;
    }
    return { w, bias: this.scope.from(bias, [n], `${label}.bias`) };
  }
}

/** [rows, columns] of `bytes.length / (rows · columns)`-byte elements to [columns, rows]. */
function transposeBytes(bytes: Uint8Array, rows: number, columns: number): Uint8Array {
  const width = bytes.length / (rows * columns);
  const from = width === 4 ? new Uint32Array(bytes.slice().buffer) : new Uint16Array(bytes.slice().buffer);
  const to = width === 4 ? new Uint32Array(from.length) : new Uint16Array(from.length);
  for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c]!;
  return new Uint8Array(to.buffer);
}

/**
 * GGUF's llama stores q and k rows of a head interleaved, (0, Dh/2, 1, Dh/2 + 1, ...), for rotation of neighbours
 * (llama.cpp convert_hf_to_gguf `permute`); this gives back the order (i, i + Dh/2) that the forward pass rotates.
 */
function unpermute(part: MatrixPart, Dh: number): MatrixPart {
  const rowBytes = part.bytes.length / part.n;
  const out = new Uint8Array(part.bytes.length);
  for (let row = 0; row < part.n; row++) {
    const [head, i] = [Math.floor(row / Dh), row % Dh];
    const target = head * Dh + (i % 2 ? Dh / 2 : 0) + Math.floor(i / 2);
    out.set(part.bytes.subarray(row * rowBytes, (row + 1) * rowBytes), target * rowBytes);
  }
  return { ...part, bytes: out };
}

export interface LoadWeightsOptions {
  readonly style: WeightStyle;
  /** Rows of the rotary table: the longest context that will be used. */
  readonly context: number;
  readonly onProgress?: (done: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/** Puts all weights of `file` on the device. @throws FormatError naming the tensor; DeviceError E_OOM. */
export async function loadWeights(
  file: TensorFile,
  c: ModelConfig,
  backend: Backend,
  o: LoadWeightsOptions,
): Promise<Weights> {
  const scope = new Scope(backend);
  const names: Names = o.style === "gguf" ? NAMES.gguf : c.architecture === "gpt2" ? NAMES.gpt2 : NAMES.llama;
  const r = new Reader(file, backend, scope, names === NAMES.gpt2, o.signal);
  try {
    const prefixed = barePrefix(r, names);
    const embed = r.matrix("embed", [await r.part(`${prefixed(names.embed)}.weight`, c.V, c.D)]);
    const learned = c.rope ? undefined : `${prefixed(names.positions)}.weight`;
    const positions = learned ? r.matrix("positions", [await r.part(learned, c.contextLength, c.D)]) : undefined;
    const blocks: BlockWeights[] = [];
    for (let l = 0; l < c.L; l++) {
      blocks.push(await loadBlock(r, names, c, prefixed(names.block.replace("{l}", String(l))), l, o.style));
      o.onProgress?.(l + 1, c.L);
    }
    const lnFinal = await r.gain(prefixed(names.lnFinal), c.D);
    // An untied model names its unembedding; a tied one may still carry a copy of the embedding, which is ignored.
    if (!c.tied && !r.has(`${names.unembed}.weight`))
      throw new InputError("E_CONFIG", `${file.name}: the model is untied, but has no "${names.unembed}.weight"`);
    const unembed = c.tied ? embed : r.matrix("unembed", [await r.part(`${names.unembed}.weight`, c.V, c.D)]);
    const divisors = r.has("rope_freqs.weight") ? dequantize("f32", await file.read("rope_freqs.weight")) : undefined;
    const rope = c.rope ? ropeTable(scope, c.rope, c.Dh, o.context, divisors) : undefined;
    const { matrices } = r;
    let disposed = false;
    const expectUsable = (): void => {
      if (disposed) throw new TrimtabError("E_DISPOSED", `${file.name}: the model was disposed`, "load it again");
    };
    const dispose = (): void => {
      disposed = true;
      for (const m of matrices) backend.freeMatrix(m);
      scope.dispose();
    };
    return {
      embed,
      positions,
      rope,
      blocks,
      lnFinal,
      unembed,
      dtypes: [...r.dtypes],
      bytes: r.bytes,
      expectUsable,
      dispose,
    };
  } catch (error) {
    for (const m of r.matrices) backend.freeMatrix(m);
    scope.dispose();
    throw error;
  } finally {
    r.releaseScratch();
  }
}

/** OpenAI's own GPT-2 files lack the `transformer.` prefix, and bare base models `model.`. */
function barePrefix(r: Reader, names: Names): (name: string) => string {
  const prefix = /^[a-z]+\./.exec(names.embed)?.[0] ?? "";
  const bare = !r.has(`${names.embed}.weight`) && r.has(`${names.embed.slice(prefix.length)}.weight`);
  return (name) => (bare && name.startsWith(prefix) ? name.slice(prefix.length) : name);
}

async function loadBlock(
  r: Reader,
  names: Names,
  c: ModelConfig,
  prefix: string,
  l: number,
  style: WeightStyle,
): Promise<BlockWeights> {
  const { D, F, H, Hkv, Dh } = c;
  const heads = [H * Dh, Hkv * Dh, Hkv * Dh];
  const fused = c.architecture === "gpt2";
  const qkvNames = fused ? [style === "gguf" ? "attn_qkv" : names.qkv[0]] : names.qkv;
  const upNames = c.gatedMlp ? names.up : [names.up.at(-1)!];
  const permuted = style === "gguf" && (c.architecture === "llama" || c.architecture === "mistral");
  const arrange = permuted ? (part: MatrixPart, i: number) => (i < 2 ? unpermute(part, Dh) : part) : undefined;
  const at = (name: string): string => prefix + name;
  return {
    ln1: await r.gain(at(names.ln1), D),
    qkv: await r.linear(
      `blocks.${l}.qkv`,
      qkvNames.map(at),
      fused ? [heads.reduce((a, b) => a + b)] : heads,
      D,
      arrange,
    ),
    headNorm: c.qkNorm
      ? {
          qGain: await r.vector(`${at(names.qNorm)}.weight`, Dh),
          kGain: await r.vector(`${at(names.kNorm)}.weight`, Dh),
          eps: c.normEps,
        }
      : undefined,
    out: await r.linear(`blocks.${l}.out`, [at(names.out)], [D], H * Dh),
    ln2: await r.gain(at(names.ln2), D),
    up: await r.linear(
      `blocks.${l}.up`,
      upNames.map(at),
      upNames.map(() => F),
      D,
    ),
    down: await r.linear(`blocks.${l}.down`, [at(names.down)], [D], F),
  };
}
