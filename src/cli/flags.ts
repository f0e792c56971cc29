/**
 * Options that several commands share: their flags, their help, and what they are called in the library. Knows no model;
 * loading.ts does what they ask for.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { GenerateOptions } from "../model/index.ts";
import type { Precision } from "../tensor/backend.ts";
import { InputError } from "../tensor/errors.ts";
import type { Interrupt } from "./interrupt.ts";
import type { Terminal } from "./terminal.ts";
import { collect, decimalNumber, tokenIds, wholeNumber } from "./values.ts";
import { type Positions, parseVectorFlag, type VectorFlag } from "./vectorFlags.ts";

export const DEFAULT_MODEL = "smollm2-135m";

/** What every command is given. */
export interface Cli {
  readonly terminal: Terminal;
  readonly interrupt: Interrupt;
}

export interface SourceFlags {
  readonly model: string;
  readonly revision?: string;
  readonly offline?: boolean;
}

export interface ModelFlags extends SourceFlags {
  readonly device: "cpu" | "webgpu" | "auto";
  readonly threads?: number;
  readonly revectorize?: boolean;
  readonly context?: number;
}

/** Where a model comes from. */
export function addSourceFlags(command: Command): Command {
  return command
    .option("-m, --model <model>", "alias, hub id (org/name[:quant]), folder, .gguf file or URL", DEFAULT_MODEL)
    .option("--revision <name>", "branch, tag or commit on the hub")
    .option("--offline", "use the cache only");
}

export function addModelFlags(command: Command): Command {
  return addSourceFlags(command)
    .addOption(new Option("--device <name>", "where to compute").choices(["cpu", "webgpu", "auto"]).default("auto"))
    .option("--threads <n>", "CPU threads (default: physical cores)", wholeNumber(1))
    .option("--revectorize", "V8's experimental 256-bit vectors (Node 24; faster prefill)")
    .option(
      "--context <tokens>",
      "most tokens of prompt and answer (default: the model's, at most 2048)",
      wholeNumber(1),
    );
}

export interface SamplingFlags {
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly seed: number;
  readonly stop?: readonly string[];
  readonly maxTokens: number;
  readonly ignoreEos?: boolean;
  readonly precision?: Precision;
}

export function addSamplingFlags(command: Command, temperature: number): Command {
  return command
    .option("--max-tokens <n>", "most new tokens", wholeNumber(1), 256)
    .option("--temperature <t>", "0 takes the most likely token", atLeastZero, temperature)
    .option("--top-k <k>", "sample among the k most likely tokens", wholeNumber(0))
    .option(
      "--top-p <p>",
      "sample among the likeliest tokens that sum to p",
      share("above 0 and up to 1", (p) => p > 0 && p <= 1),
    )
    .option(
      "--min-p <p>",
      "drop tokens below p times the likeliest",
      share("from 0 to below 1", (p) => p >= 0 && p < 1),
    )
    .option(
      "--repetition-penalty <x>",
      "above 1 avoids tokens already there",
      share("above 0", (x) => x > 0),
    )
    .option("--seed <n>", "same seed, same tokens", wholeNumber(), 0)
    .option("--stop <text>", "text that ends the answer (repeatable)", collect(nonEmpty))
    .option("--ignore-eos", "go on behind the end-of-sequence token")
    .addOption(
      new Option(
        "--precision <name>",
        "exact, or fast with 8-bit activations (default: exact at temperature 0, else fast on quantised weights)",
      ).choices(["exact", "fast"]),
    );
}

function atLeastZero(text: string): number {
  return share("of 0 or more", (t) => t >= 0)(text);
}

function share(range: string, ok: (value: number) => boolean): (text: string) => number {
  return (text) => {
    const value = decimalNumber(text);
    if (ok(value)) return value;
    throw new InvalidArgumentError(`Expected a number ${range}.`);
  };
}

function nonEmpty(text: string): string {
  if (text !== "") return text;
  throw new InvalidArgumentError("Expected text.");
}

export function samplingOptions(f: SamplingFlags): GenerateOptions {
  const { temperature, topK, topP, minP, repetitionPenalty, seed, stop, maxTokens, ignoreEos } = f;
  // Who asks for the most likely token means the model's, not that of its rounded activations: on the default model, fast
  // arithmetic turns "The capital of France is Paris." into French verse (logits 25.3 against 25.2).
  const precision = f.precision ?? (temperature === 0 ? "exact" : undefined);
  return { temperature, topK, topP, minP, repetitionPenalty, seed, stop, maxTokens, ignoreEos, precision };
}

export interface SteerFlags {
  readonly vector?: readonly VectorFlag[];
  readonly layer?: number;
  readonly positions: Positions;
}

export function addSteerFlags(command: Command): Command {
  return command
    .option(
      "--vector <file:scale>",
      "steering vector; FILE@LAYER:SCALE picks a layer (repeatable)",
      collect(parseVectorFlag),
    )
    .option("--layer <l>", "layer of every vector that names none", wholeNumber(0))
    .addOption(
      new Option("--positions <which>", "positions to steer").choices(["all", "answer", "last"]).default("all"),
    );
}

export interface PromptFlags {
  readonly prompt?: string;
  readonly tokens?: readonly number[];
  readonly raw?: boolean;
  readonly system?: string;
}

export function addPromptFlags(command: Command): Command {
  return command
    .option("-p, --prompt <text>", "the prompt; - reads it from stdin (less its last line break)")
    .option("--tokens <ids>", "the prompt as token ids, such as 1,2,3", tokenIds)
    .option("--raw", "the prompt as it stands, without the chat template")
    .option("--system <text>", "system message of the chat template");
}

/** The prompt from --prompt, stdin or --tokens. @throws InputError unless there is exactly one. */
export async function readPrompt(f: PromptFlags): Promise<string | readonly number[]> {
  const { prompt, tokens, raw, system } = f;
  if ((prompt === undefined) === (tokens === undefined)) {
    const what = prompt === undefined ? "there is no prompt" : "both --prompt and --tokens are given";
    throw new InputError("E_OPTION", what, 'give one: --prompt "TEXT", --prompt - for stdin, or --tokens 1,2,3');
  }
  if (system !== undefined && (raw || tokens)) {
    throw new InputError("E_OPTION", `--system with ${raw ? "--raw" : "--tokens"}`, "write it into the prompt");
  }
  if (tokens) return tokens;
  return prompt === "-" ? (await readStdin()).replace(/\r?\n$/, "") : prompt!;
}

/** All of stdin. @throws InputError where it is not UTF-8. */
export async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return decodeUtf8(Buffer.concat(chunks), "stdin");
}

/** @throws InputError naming `where` the bytes came from. */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new InputError("E_DATA", `${where} is not UTF-8 text`);
  }
}
