/** `trimtab extract`: contrast pairs from a JSONL file to a file of steering vectors. */
import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { parsePairs, type ReadPosition, saveVectors, type VectorSet } from "../../steering/index.ts";
import { InputError } from "../../tensor/errors.ts";
import { addModelFlags, type Cli, decodeUtf8, type ModelFlags, readStdin } from "../flags.ts";
import { load } from "../loading.ts";
import { showMs } from "../terminal.ts";
import { layerList, readPosition } from "../values.ts";

interface Flags extends ModelFlags {
  readonly pairs: string;
  readonly out: string;
  readonly layers: "all" | readonly number[];
  readonly read: ReadPosition;
  readonly raw?: boolean;
  readonly system?: string;
  readonly json?: boolean;
}

const AFTER_HELP = `
Pairs, one JSON object a line:
  {"positive": "I love rain.", "negative": "I hate rain."}
  {"prompt": "How is the weather?", "positive": "Lovely!", "negative": "Awful."}
Example:
  trimtab extract --pairs pairs.jsonl --layers 10-20 -o mood.safetensors
  trimtab generate --prompt "How are you?" --vector mood.safetensors@14:1.5`;

export function addExtract(program: Command, cli: Cli): void {
  const command = program.command("extract").description("make steering vectors from contrast pairs (mean difference)");
  command
    .requiredOption("--pairs <file>", "JSONL file of contrast pairs; - reads stdin")
    .requiredOption("-o, --out <file>", "vector file to write (safetensors)")
    .option("--layers <list>", "all, or 0-based layers such as 7,14 or 3-9", layerList, "all")
    .option(
      "--read <where>",
      "auto (first differing token), mean (over the answer) or an index such as -2",
      readPosition,
      "auto",
    )
    .option("--raw", "prompt and answer exactly as written, without the chat template")
    .option("--system <text>", "system message of the chat template");
  addModelFlags(command);
  command.option("--json", "one JSON object with layers and norms on stdout");
  command.addHelpText("after", AFTER_HELP);
  command.action((flags: Flags) => extract(cli, flags));
}

async function extract(cli: Cli, flags: Flags): Promise<void> {
  const { terminal, interrupt } = cli;
  if (flags.raw && flags.system !== undefined) {
    throw new InputError("E_OPTION", "--system with --raw", "write it into the prompts");
  }
  const fromStdin = flags.pairs === "-";
  const text = fromStdin ? await readStdin() : decodeUtf8(await readFile(flags.pairs), flags.pairs);
  const pairs = parsePairs(text, fromStdin ? "stdin" : flags.pairs);
  await checkTarget(flags.out);
  const model = await load(cli, flags);
  const started = performance.now();
  const progress = terminal.progress("reading pairs");
  let vectors: VectorSet;
  try {
    vectors = await model.extract(pairs, {
      layers: flags.layers,
      read: flags.read,
      raw: flags.raw,
      system: flags.system,
      signal: interrupt.signal,
      onProgress: (done, total) => progress.update(done, total),
    });
  } finally {
    progress.end();
  }
  await saveVectors(flags.out, vectors);
  if (flags.json) {
    const norms = vectors.vectors.map((v) => v.norm);
    terminal.json({ layers: vectors.layers, norms, read: flags.read, pairs: pairs.length, file: flags.out });
  } else terminal.data(table(vectors));
  terminal.note(
    `${pairs.length} pair${pairs.length === 1 ? "" : "s"} in ${showMs(performance.now() - started)} · wrote ${flags.out}`,
  );
}

/** Found out before the work, not after it. */
async function checkTarget(file: string): Promise<void> {
  const folder = dirname(resolve(file));
  const there = await stat(folder).catch(() => undefined);
  if (!there?.isDirectory()) {
    throw new InputError("E_OPTION", `--out ${file}: there is no folder ${folder}`, "make it first");
  }
  if ((await stat(file).catch(() => undefined))?.isDirectory()) {
    throw new InputError("E_OPTION", `--out ${file} is a folder`, "name a file, such as vectors.safetensors");
  }
}

function table(set: VectorSet): string {
  const share = (part: number | undefined): string => (part === undefined ? "" : `${(100 * part).toFixed(1)}%`);
  const rows = set.vectors.map((v) => [String(v.layer), v.norm.toPrecision(4), share(v.relativeNorm)]);
  return [["layer", "norm", "of residual"], ...rows]
    .map(([layer, norm, part]) => `${layer!.padStart(5)}  ${norm!.padStart(9)}  ${part!.padStart(11)}\n`)
    .join("");
}
