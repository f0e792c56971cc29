/** `trimtab study`: runs what the paper's experiments lack, through the sweep, and writes their report. */
import { join } from "node:path";
import type { Command } from "commander";
import { openModel } from "../../model/index.ts";
import { StudyData } from "../../steering/experiments/studyData.ts";
import { loadDataset } from "../../steering/index.ts";
import { EXPERIMENTS, type Experiment } from "../../steering/report/report.ts";
import { TrimtabError } from "../../tensor/errors.ts";
import { addModelFlags, type Cli, type ModelFlags } from "../flags.ts";
import { sourceOptions } from "../loading.ts";
import { makeReport } from "../reporting.ts";
import {
  experimentsAsked,
  firstParts,
  kindsFor,
  type LayerOf,
  laterParts,
  quickLayers,
  type StudyPart,
  type StudyPlan,
  type StudySets,
} from "../studyParts.ts";
import { Engines, noteCommand, readPart, runPart } from "../studyRun.ts";
import { layerList, quoted, seedList, splitRanges } from "../values.ts";
import { showReport } from "./report.ts";

interface Flags extends ModelFlags {
  readonly all?: boolean;
  readonly data: string;
  readonly quick?: boolean;
  readonly published?: boolean;
  readonly layers?: "all" | readonly number[];
  readonly split?: string;
  readonly seeds?: readonly number[];
  readonly out: string;
  readonly fresh?: boolean;
  readonly json?: boolean;
}

const AFTER_HELP = `
Experiments: ${EXPERIMENTS.join(", ")} (docs/REPRODUCTION.md says what each is). The same command again continues.
Examples:
  trimtab study --all --quick --data sentiment,sentiment:choice -o runs/quick
  trimtab study E1 E9 -m smollm2-135m --data narcissism,myopic-reward -o runs/paper`;

export function addStudy(program: Command, cli: Cli): void {
  const command = program
    .command("study")
    .description("run the paper's experiments on a model, and write their report");
  command
    .argument("[names...]", "experiments such as E1 E9")
    .option("--all", "every experiment")
    .requiredOption("--data <list>", "bundled concepts (sentiment, sentiment:choice), pulled sets, or files")
    .option("--quick", "8 layers, 40 training and 50 test items, 5 multipliers: minutes instead of hours")
    .option(
      "--layers <list>",
      "layers of the first runs: all, or such as 3,5-9 (default: all; 8 of them with --quick)",
      layerList,
    )
    .option("--split <ranges>", "paper, published, or TRAIN,TEST such as 0:40%,50%:100% (default: paper)")
    .option(
      "--seeds <list>",
      "of splits and controls: the lowest for all runs, the others for seeds (default: 0,1,2)",
      seedList,
    )
    .option("--published", "the original's formatting quirks and its split, which leaks")
    .requiredOption("-o, --out <folder>", "the study's folder, which holds a run for each of its parts");
  addModelFlags(command);
  command
    .option("--fresh", "start the study's runs over")
    .option("--json", "one JSON object on stdout")
    .addHelpText("after", AFTER_HELP)
    .action((names: string[], flags: Flags) => study(cli, names, flags));
}

async function study(cli: Cli, names: readonly string[], flags: Flags): Promise<void> {
  const plan = await planStudy(cli, flags, experimentsAsked(names, flags.all === true) ?? EXPERIMENTS);
  const engines = new Engines(cli, flags);
  const problems: string[] = [];
  // not before a run of another configuration could be refused: its report would name this command
  const onOpen = (): Promise<void> => noteCommand(flags.out, commandText(flags), flags.fresh === true);
  const run = async (parts: readonly StudyPart[]): Promise<void> => {
    for (const part of parts) {
      if (cli.interrupt.signal.aborted) return;
      const folder = join(flags.out, part.name);
      problems.push(...(await runPart(cli, { flags, part, folder, engines, fresh: flags.fresh === true, onOpen })));
    }
  };
  try {
    const first = firstParts(plan);
    await run(first);
    if (!cli.interrupt.signal.aborted) await run(laterParts(plan, await chosenLayers(flags.out, first)));
  } finally {
    engines.dispose();
  }
  if (cli.interrupt.signal.aborted) {
    cli.terminal.note("stopped; the same command continues");
    return;
  }
  // of everything that is there, so that one experiment more takes nothing away
  showReport(cli, await makeReport(cli, { run: flags.out }), flags.json === true);
  if (problems.length > 0) throw new TrimtabError("E_CONFIG", `${problems.length} units failed: ${problems[0]}`);
}

/** Everything that can be refused before any work. */
async function planStudy(cli: Cli, flags: Flags, experiments: readonly Experiment[]): Promise<StudyPlan> {
  const list = (text: string): string[] => text.split(",").map((part) => part.trim());
  const [models, names] = [list(flags.model), list(flags.data)];
  const sets = await sortSets(names);
  return {
    models,
    sets,
    quick: flags.quick === true,
    kinds: kindsFor(experiments),
    layers: await layersOf(cli, flags, models),
    published: flags.published === true,
    split: flags.split === undefined ? undefined : splitRanges(flags.split),
    seeds: flags.seeds,
  };
}

async function sortSets(names: readonly string[]): Promise<StudySets> {
  const sets = { choice: [] as string[], completion: [] as string[], persona: [] as string[] };
  for (const name of names) {
    const dataset = await loadDataset(name);
    sets[dataset.format].push(name);
    if (dataset.persona) sets.persona.push(name);
  }
  return sets;
}

/** With --quick, of the model with the fewest layers, so that all have them. */
async function layersOf(cli: Cli, flags: Flags, models: readonly string[]): Promise<StudyPlan["layers"]> {
  if (flags.layers !== undefined || !flags.quick) return flags.layers ?? "all";
  const counts: number[] = [];
  for (const name of models) {
    const opened = await openModel(name, sourceOptions(cli, flags));
    await opened.file.close();
    counts.push(opened.config.L);
  }
  return quickLayers(Math.min(...counts));
}

/** By half of the items of the first runs, for each model and format, as the report chooses. */
async function chosenLayers(out: string, parts: readonly StudyPart[]): Promise<LayerOf> {
  const studies = new Map<StudyPart["format"], StudyData>();
  for (const { name, format } of parts) {
    const { units } = await readPart(join(out, name));
    if (units.length > 0) studies.set(format, new StudyData(units));
  }
  return (model, format) => {
    const study = studies.get(format);
    return study?.models.includes(model) ? study.layer({ model, format }) : undefined;
  };
}

/** What was asked, with a gap for other experiments. */
function commandText({ model, data, out, ...f }: Flags): string {
  const given: readonly (readonly [flag: string, value: string | number | boolean | undefined])[] = [
    ["--quick", f.quick],
    ["--published", f.published],
    ["--split", f.split],
    ["--seeds", f.seeds?.join(",")],
    ["--layers", f.layers === "all" ? "all" : f.layers?.join(",")],
    ["--revision", f.revision],
    ["--device", f.device === "auto" ? undefined : f.device],
    ["--context", f.context],
  ];
  const rest = given.flatMap(([flag, value]) =>
    value === undefined || value === false ? [] : value === true ? [flag] : [flag, quoted(String(value))],
  );
  return ["trimtab study {experiments} -m", quoted(model), "--data", quoted(data), ...rest, "-o", quoted(out)].join(
    " ",
  );
}
