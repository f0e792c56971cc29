/**
 * Loads a model: finds its files (alias, hub id, folder, .gguf, URL, chosen files), reads configuration, tokenizer and chat
 * template, and puts the weights on the device. Knows all of src/model and src/formats; nothing of steering.
 */
import {
  type ByteSource,
  fileSource,
  httpSource,
  openGguf,
  openSafetensors,
  openSafetensorsShards,
  type TensorFile,
} from "../formats/index.ts";
import { createCpuBackend, createWebgpuBackend } from "../kernels/index.ts";
import type { Backend } from "../tensor/backend.ts";
import { checkKeys, FormatError, InputError, nearest } from "../tensor/errors.ts";
import { configFromGguf, configFromHf, type ModelConfig } from "./config.ts";
import { type BrowserCacheOptions, cachedSource } from "./hub/browserCache.ts";
import { LanguageModel } from "./model.ts";
import { folderFiles, type ModelFiles, pickedFiles } from "./modelFiles.ts";
import { type LoadedTokenizer, loadTokenizerFromFolder, loadTokenizerFromGguf } from "./tokenizer/index.ts";
import { loadWeights, type WeightStyle } from "./weights.ts";

export type LoadProgress =
  | { readonly type: "download"; readonly file: string; readonly loadedBytes: number; readonly totalBytes: number }
  | { readonly type: "load"; readonly done: number; readonly total: number };

export interface LoadOptions {
  /** Default "auto": the CPU. A named device that is absent is an error. */
  readonly device?: "cpu" | "webgpu" | "auto";
  /**
   * The GPU of device "webgpu": "hardware" (the fastest there is), or "software", an adapter that runs on the CPU, for tests.
   * Default: as TRIMTAB_GPU says, otherwise "hardware".
   */
  readonly adapter?: "hardware" | "software";
  /** A backend of your own (the float64 oracle, say) instead of `device`. */
  readonly backend?: Backend;
  /** CPU threads. Default: physical cores. */
  readonly threads?: number;
  /** Most positions of a sequence. Default: the smaller of the model's context and 2048. */
  readonly context?: number;
  /** Branch, tag or commit on the hub. Default "main". */
  readonly revision?: string;
  /** Use the cache only. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (event: LoadProgress) => void;
}

const LOAD_KEYS = [
  "device",
  "adapter",
  "backend",
  "threads",
  "context",
  "revision",
  "offline",
  "signal",
  "onProgress",
] as const;

/** Context that is used where none is asked for, in tokens. */
const DEFAULT_CONTEXT = 2048;

/**
 * `from` is an alias ("smollm2-135m"), a hub id ("org/name", "org/name:Q4_K_M"), a folder, a .gguf file, a URL of one, or
 * File objects. A page takes the last two; what it loads by URL stays in its private file system for the next time.
 * @throws InputError, FormatError, DeviceError with what was looked for and where.
 */
export async function loadModel(from: string | readonly File[], o: LoadOptions = {}): Promise<LanguageModel> {
  checkKeys(o, LOAD_KEYS, "loadModel");
  const started = performance.now();
  const backend = await selectBackend(o);
  const opened = await openModel(from, o);
  try {
    const { config } = opened;
    const context = checkContext(o.context, config);
    const weights = await loadWeights(opened.file, config, backend, {
      style: opened.style,
      context,
      signal: o.signal,
      onProgress: (done, total) => o.onProgress?.({ type: "load", done, total }),
    });
    const { tokenizer, chatTemplate } = opened.text ?? {};
    const eosTokenIds = new Set([...config.eosTokenIds, ...(tokenizer?.eosTokenIds ?? []), ...opened.eosTokenIds]);
    const { name, sha256 } = opened;
    const loadMs = performance.now() - started;
    return new LanguageModel({
      name,
      config,
      backend,
      weights,
      context,
      tokenizer,
      chatTemplate,
      eosTokenIds,
      sha256,
      loadMs,
    });
  } finally {
    await opened.file.close();
  }
}

const DEVICES = ["cpu", "webgpu", "auto"];

async function selectBackend({ backend, device = "auto", adapter, threads }: LoadOptions): Promise<Backend> {
  if (!DEVICES.includes(device)) {
    const near = nearest(String(device), DEVICES);
    const hint = near ? `did you mean "${near}"?` : 'devices are "cpu", "webgpu" and "auto"';
    throw new InputError("E_OPTION", `device ${JSON.stringify(device)}`, hint);
  }
  if (adapter !== undefined && (backend || device !== "webgpu")) {
    const got = backend ? "a backend of your own" : `device "${device}"`;
    throw new InputError("E_OPTION", `adapter "${adapter}" with ${got}`, 'an adapter goes with device: "webgpu"');
  }
  if (backend) return backend;
  return device === "webgpu" ? createWebgpuBackend({ adapter }) : createCpuBackend({ threads });
}

function checkContext(asked: number | undefined, c: ModelConfig): number {
  if (asked === undefined) return Math.min(c.contextLength, DEFAULT_CONTEXT);
  if (Number.isInteger(asked) && asked > 0 && asked <= c.contextLength) return asked;
  throw new InputError("E_CONTEXT", `context ${asked}`, `give 1 to ${c.contextLength}, the model's own context`);
}

/** A model's files, read as far as everything but the weights. */
export interface OpenedModel {
  readonly name: string;
  readonly path: string | undefined;
  readonly config: ModelConfig;
  readonly file: TensorFile;
  readonly style: WeightStyle;
  readonly text: LoadedTokenizer | undefined;
  /** From generation_config.json. */
  readonly eosTokenIds: readonly number[];
  readonly sha256: string;
  /** GGUF or config.json facts, for `model info`. */
  readonly metadata: ReadonlyMap<string, unknown>;
}

/** Opens a model without putting weights anywhere (also for `trimtab model info`). The caller closes `file`. */
export async function openModel(
  from: string | readonly File[],
  o: Pick<LoadOptions, "revision" | "offline" | "signal" | "onProgress"> = {},
): Promise<OpenedModel> {
  if (typeof from !== "string") {
    const gguf = from.find((f) => f.name.endsWith(".gguf"));
    const files = pickedFiles(from);
    return gguf ? openGgufModel(await files.source(gguf.name), gguf.name) : openFolder(files, undefined);
  }
  if (!isNode()) return openGgufModel(await pageSource(from, o), from);
  const { resolveModel } = await import("./hub/index.ts");
  const found = await resolveModel(from, {
    revision: o.revision,
    offline: o.offline,
    signal: o.signal,
    onProgress: o.onProgress,
  });
  if (found.kind === "folder") return openFolder(await folderFiles(found.path), found.path);
  if (found.kind === "gguf-url") return openGgufModel(await httpSource(found.url, { signal: o.signal }), from);
  return openGgufModel(await fileSource(found.path), from, found.path);
}

function isNode(): boolean {
  return typeof process === "object" && process.versions?.node !== undefined;
}

/** A page has no folders and no hub's cache: strings are addresses, absolute or relative to the page. */
async function pageSource(from: string, o: BrowserCacheOptions): Promise<ByteSource> {
  const isGguf = /^(https?:\/|\.{0,2}\/)[^?#]*\.gguf([?#]|$)/i.test(from);
  if (!isGguf)
    throw new InputError(
      "E_DATA",
      `${JSON.stringify(from)} is not the URL of a .gguf file`,
      "in a page, give such a URL (https://, /, ./ or ../), or File objects",
    );
  const { offline, signal, onProgress } = o;
  return cachedSource(from, { offline, signal, onProgress });
}

async function openGgufModel(source: ByteSource, name: string, path?: string): Promise<OpenedModel> {
  try {
    const file = await openGguf(source);
    const table = file.tensors.get("token_embd.weight");
    if (!table)
      throw new FormatError(
        `${source.name}: tensor "token_embd.weight" is missing`,
        "this GGUF file is not a language model",
      );
    const config = configFromGguf(file.metadata, {
      hasOutput: file.tensors.has("output.weight"),
      vocabulary: table.shape[0] ?? 0,
    });
    const text = await loadTokenizerFromGguf(file.metadata);
    return {
      name,
      path,
      config,
      file,
      style: "gguf",
      text,
      eosTokenIds: [],
      sha256: await sha256([file.headerBytes]),
      metadata: file.metadata,
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openFolder(files: ModelFiles, path: string | undefined): Promise<OpenedModel> {
  const configText = await files.text("config.json");
  if (configText === undefined)
    throw new InputError(
      "E_DATA",
      `${path ?? files.name} has no config.json`,
      "give a Hugging Face model folder or a .gguf file",
    );
  const json = parseJson(configText, "config.json");
  const config = configFromHf(json);
  const text = await loadTokenizerFromFolder((file) => files.text(file));
  const generation = await files.text("generation_config.json");
  const eos = generation === undefined ? undefined : parseJson(generation, "generation_config.json").eos_token_id;
  const eosTokenIds = (Array.isArray(eos) ? eos : [eos]).filter((id): id is number => typeof id === "number");
  const file = (await files.has("model.safetensors.index.json"))
    ? await openSafetensorsShards(await files.source("model.safetensors.index.json"), (shard) => files.source(shard))
    : await openSafetensors(await files.source("model.safetensors"));
  const hash = await sha256([new TextEncoder().encode(configText), file.headerBytes]);
  return {
    name: files.name,
    path,
    config,
    file,
    style: "huggingface",
    text,
    eosTokenIds,
    sha256: hash,
    metadata: new Map(Object.entries(json)),
  };
}

function parseJson(text: string, where: string): Record<string, unknown> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (cause) {
    throw new FormatError(`${where} is not valid JSON: ${(cause as Error).message}`, undefined, { cause });
  }
  throw new FormatError(`${where} is not a JSON object`);
}

async function sha256(parts: readonly Uint8Array[]): Promise<string> {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    all.set(p, at);
    at += p.length;
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
  return [...digest].map((b) => b.toString(16).padStart(2, "0")).join("");
}
