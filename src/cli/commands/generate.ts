/** `trimtab generate`: one answer to one prompt, streamed as text or as one JSON object. */
import type { Command } from "commander";
import type { GenerationResult } from "../../model/index.ts";
import { precisionOf } from "../../model/index.ts";
import type { SteerableModel } from "../../steering/index.ts";
import {
  addModelFlags,
  addPromptFlags,
  addSamplingFlags,
  addSteerFlags,
  type Cli,
  type ModelFlags,
  type PromptFlags,
  readPrompt,
  type SamplingFlags,
  type SteerFlags,
  samplingOptions,
} from "../flags.ts";
import { deviceFacts, loadSteered } from "../loading.ts";
import { showMs } from "../terminal.ts";
import { toInterventions } from "../vectorFlags.ts";

interface Flags extends ModelFlags, PromptFlags, SamplingFlags, SteerFlags {
  readonly json?: boolean;
}

/** Longer prompts take seconds, and show progress. */
const LONG_PROMPT_TOKENS = 512;

export function addGenerate(program: Command, cli: Cli): void {
  const command = program.command("generate").description("answer a prompt, steered or not");
  addPromptFlags(command);
  addModelFlags(command);
  addSteerFlags(command);
  addSamplingFlags(command, 0);
  command.option("--json", "one JSON object with tokens, text and timings on stdout");
  command.action((flags: Flags) => generate(cli, flags));
}

async function generate(cli: Cli, flags: Flags): Promise<void> {
  const started = performance.now();
  const prompt = await readPrompt(flags);
  const { model, vectors } = await loadSteered(cli, flags);
  const hasText = model.tokenizer !== undefined;
  const streamIds = !flags.json && !hasText;
  let separator = "";
  const reading = cli.terminal.progress("reading the prompt");
  const generation = model.generate(prompt, {
    ...samplingOptions(flags),
    raw: flags.raw,
    system: flags.system,
    steer: toInterventions(vectors, flags.positions),
    signal: cli.interrupt.signal,
    onPrefill: (done, total) => {
      if (total > LONG_PROMPT_TOKENS) reading.update(done, total);
      if (done === total) reading.end();
    },
    onToken: (token) => {
      if (!streamIds) return;
      cli.terminal.data(`${separator}${token}`);
      separator = ",";
    },
  });
  for await (const text of generation) if (!flags.json) cli.terminal.data(text);
  const result = await generation.result();
  if (flags.json) cli.terminal.json(toJson(model, result, flags, performance.now() - started));
  else cli.terminal.data("\n");
  cli.terminal.note(summary(result));
}

/** The contract that scripts rely on; keys may be added, never changed. */
function toJson(model: SteerableModel, result: GenerationResult, flags: Flags, totalMs: number): object {
  const { promptTokens, tokens, text, stopReason, timings } = result;
  const { loadMs, name } = model;
  return {
    promptTokens,
    tokens,
    text,
    stopReason,
    timings: { loadMs, ...timings, totalMs },
    seed: flags.seed,
    precision: precisionOf(model, samplingOptions(flags).precision),
    model: name,
    device: deviceFacts(model),
  };
}

function summary({ promptTokens, tokens, stopReason, timings }: GenerationResult): string {
  const { prefillMs, decodeMs } = timings;
  // The first new token comes out of the prefill; every other one costs a decode step.
  const rate = tokens.length > 1 ? `, ${((1000 * (tokens.length - 1)) / decodeMs).toFixed(1)} tokens/s` : "";
  const prompt = `${promptTokens.length} prompt tokens in ${showMs(prefillMs)}`;
  return `${prompt} · ${tokens.length} new tokens in ${showMs(decodeMs)}${rate} · stopped by ${stopReason}`;
}
