/**
 * `trimtab demo`: the whole job in one command. Pulls the default model, extracts a steering vector from the bundled pairs,
 * and answers one prompt with the vector subtracted, absent and added.
 */
import type { Command } from "commander";
import { DEMO_PAIRS, type SteerableModel, type SteeringVector } from "../../steering/index.ts";
import { type Cli, DEFAULT_MODEL, type SourceFlags } from "../flags.ts";
import { deviceFacts, deviceText, load, pull } from "../loading.ts";
import { showBytes, showMs } from "../terminal.ts";

/**
 * Chosen by reading greedy answers at layers 10 to 18 and strengths 1.5 to 3: here both directions are plain to see and the
 * sentences still hold together; at 3 they break.
 */
const LAYER = 18;
const STRENGTH = 1.5;
const PROMPT = "What is life like in your town?";
const MAX_TOKENS = 48;

interface Flags extends SourceFlags {
  readonly json?: boolean;
}

interface Answer {
  readonly scale: number;
  readonly text: string;
  /** The text ends in the middle. */
  readonly cut: boolean;
  readonly ms: number;
}

export function addDemo(program: Command, cli: Cli): void {
  const command = program.command("demo").description("extract a vector and steer the default model with it");
  command.option("--offline", "use the cache only").option("--json", "one JSON object on stdout");
  command.action((flags: Flags) => demo(cli, flags));
}

async function demo(cli: Cli, flags: Flags): Promise<void> {
  const { terminal } = cli;
  const started = performance.now();
  const lap = stopwatch();
  await pull(cli, { ...flags, model: DEFAULT_MODEL });
  const pullMs = lap();
  const model = await load(cli, { ...flags, model: DEFAULT_MODEL, device: "auto" });
  const loadMs = lap();
  const vector = await extractVector(cli, model);
  const extractMs = lap();
  if (!flags.json) terminal.data(heading(model, vector));
  const answers: Answer[] = [];
  for (const scale of [-STRENGTH, 0, STRENGTH]) {
    const answer = await answerSteered(cli, model, vector, scale);
    answers.push(answer);
    if (!flags.json) terminal.data(block(answer));
    if (cli.interrupt.signal.aborted) return;
  }
  const timings = {
    pullMs,
    loadMs,
    extractMs,
    generateMs: answers.map((a) => a.ms),
    totalMs: performance.now() - started,
  };
  const peakMemoryBytes = 1024 * process.resourceUsage().maxRSS;
  if (flags.json) {
    const { layer, norm, relativeNorm } = vector;
    terminal.json({
      model: model.name,
      device: deviceFacts(model),
      pairs: DEMO_PAIRS.length,
      vector: { layer, norm, relativeNorm },
      prompt: PROMPT,
      answers,
      timings,
      peakMemoryBytes,
    });
    return;
  }
  const spent = answers.map((a) => showMs(a.ms)).join(" + ");
  const total = showMs(timings.totalMs);
  terminal.data(
    `time    pull ${showMs(pullMs)} · load ${showMs(loadMs)} · extract ${showMs(extractMs)} · answers ${spent} · total ${total}\n`,
  );
  terminal.data(`memory  ${showBytes(peakMemoryBytes)} at its peak\n`);
}

async function extractVector(cli: Cli, model: SteerableModel): Promise<SteeringVector> {
  const progress = cli.terminal.progress("reading contrast pairs");
  try {
    const vectors = await model.extract(DEMO_PAIRS, {
      layers: [LAYER],
      read: "mean",
      signal: cli.interrupt.signal,
      onProgress: (done, total) => progress.update(done, total),
    });
    return vectors.at(LAYER);
  } finally {
    progress.end();
  }
}

async function answerSteered(cli: Cli, model: SteerableModel, vector: SteeringVector, scale: number): Promise<Answer> {
  const lap = stopwatch();
  const { signal } = cli.interrupt;
  const steer = scale === 0 ? undefined : vector.times(scale);
  // exact: the same text on every machine, and the one in the README
  const options = { maxTokens: MAX_TOKENS, precision: "exact", steer, signal } as const;
  const { text, stopReason } = await model.generate(PROMPT, options).result();
  return { scale, text, cut: stopReason !== "eos", ms: lap() };
}

/** Milliseconds since the last call. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const now = performance.now();
    const ms = now - last;
    last = now;
    return ms;
  };
}

function heading(model: SteerableModel, vector: SteeringVector): string {
  const share =
    vector.relativeNorm === undefined ? "" : `, ${Math.round(100 * vector.relativeNorm)}% of the residual stream`;
  return `model   ${model.name}, ${model.backend.name} (${deviceText(model)})
vector  happy − sad, mean difference of ${DEMO_PAIRS.length} pairs at layer ${vector.layer}, length ${vector.norm.toFixed(1)}${share}
prompt  ${PROMPT}

`;
}

function block({ scale, text, cut }: Answer): string {
  const title = scale === 0 ? "without the vector" : `vector ${scale < 0 ? "subtracted" : "added"} (× ${scale})`;
  return `— ${title}\n${text.trim()}${cut ? " …" : ""}\n\n`;
}
