/**
 * Flags of `trimtab sweep`: their help, and the configuration that they and a file make. Knows text, no models and no run
 * directories.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { type Command, Option } from "commander";
import { type ConfigSource, parseYaml, resolveConfig, type SweepConfig } from "../steering/runs/index.ts";
import { addModelFlags, DEFAULT_MODEL, decodeUtf8, type ModelFlags } from "./flags.ts";
import { splitRanges, wholeNumber } from "./values.ts";

export interface SweepFlags extends ModelFlags {
  readonly config?: string;
  readonly datasets?: string;
  readonly settings?: string;
  readonly trainSettings?: string;
  readonly layers?: string;
  readonly multipliers?: string;
  readonly seeds?: string;
  readonly split?: string;
  readonly measures?: string;
  readonly operator?: "add" | "ablate-then-add";
  readonly skip?: string;
  readonly random?: number;
  readonly shuffled?: number;
  readonly debiased?: boolean;
  readonly sizes?: string;
  readonly swapped?: boolean;
  readonly published?: boolean;
  readonly normMatching?: boolean;
  readonly limit?: number;
  readonly out?: string;
  readonly fresh?: boolean;
  readonly dryRun?: boolean;
  readonly shard?: string;
  readonly workers: number;
  readonly worker?: boolean;
  readonly json?: boolean;
}

const AFTER_HELP = `
Lists are separated by commas; -m takes several models too. A flag wins over the file. The same command again continues a run.
A configuration file, with the names of the flags in camel case (schemas/sweep.schema.json describes it):
  models: [smollm2-135m]
  datasets: [sentiment, certainty]
  layers: 10-20
  multipliers: "-1.5:1.5:0.5"
  controls: { random: 2 }
Examples:
  trimtab sweep --datasets sentiment --limit 20 --dry-run
  trimtab sweep --config sweep.yaml --out runs/first --workers 2
  trimtab results show runs/first`;

export function addSweepFlags(command: Command): void {
  command
    .option("-c, --config <file>", "YAML or JSON file with the configuration")
    .option("--datasets <list>", "bundled concepts (sentiment, sentiment:choice), pulled sets, or files")
    .option(
      "--settings <list>",
      "test settings: RAW, BASE, SYS_POS, SYS_NEG, USER_POS, USER_NEG (default: by the dataset)",
    )
    .option("--train-settings <list>", "settings that vectors are trained under (default: the test setting's own)")
    .option("--layers <list>", "all, or 0-based layers such as 3,5-9 (default: all)")
    .option("--multipliers <list>", "such as -1,0,1, or -2:2:0.5 (default: -1.5:1.5:0.5)")
    .option("--seeds <list>", "of splits and controls (default: 0)")
    .option("--split <ranges>", "paper, published, or TRAIN,TEST such as 0:40%,50%:100% (default: paper)")
    .option("--measures <list>", "ab, logit-sum, logprob (default: by the dataset)")
    .addOption(new Option("--operator <name>", "how vectors act (default: add)").choices(["add", "ablate-then-add"]))
    .addOption(new Option("--skip <n>", "tokens left alone before the first steered one").choices(["0", "1"]))
    .option("--random <n>", "control: random vectors of equal norm", wholeNumber(0))
    .option("--shuffled <n>", "control: vectors from labels exchanged at random", wholeNumber(0))
    .option("--debiased", "control: the mean of the differences within each letter")
    .option("--sizes <list>", "control: vectors of the first n training items, such as 5,10,20")
    .option("--swapped", "control: every item with its options exchanged too")
    .option("--published", "the original's formatting quirks and split")
    .option("--no-norm-matching", "leave the norms of vectors of other settings as they are")
    .option("--limit <n>", "most training and most test items (a smoke run)", wholeNumber(1));
  addModelFlags(command);
  command
    .option("-o, --out <folder>", "run directory (default: runs/NAME-HASH of the configuration)")
    .option("--fresh", "start the run over")
    .option("--dry-run", "show units, rows, work, time and disk, and run nothing")
    .option("--shard <i/n>", "only every n-th unit from the i-th (several machines, one plan)")
    .option("--workers <n>", "processes that share the units", wholeNumber(1), 1)
    .option("--json", "one JSON object on stdout")
    .addOption(new Option("--worker").hideHelp())
    .addHelpText("after", AFTER_HELP);
}

export interface ReadConfig {
  readonly config: SweepConfig;
  readonly file: ConfigSource | undefined;
  /** What the run is called by default. */
  readonly name: string;
}

/** `isGiven` tells flags that the user wrote from defaults. @throws InputError; the file system's errors. */
export async function readConfig(f: SweepFlags, isGiven: (flag: string) => boolean): Promise<ReadConfig> {
  const file = f.config === undefined ? undefined : parseYaml(decodeUtf8(await readFile(f.config), f.config), f.config);
  const written = (file?.values ?? {}) as Record<string, unknown>;
  const list = (text: string | undefined): string[] | undefined => text?.split(",").map((part) => part.trim());
  const models = isGiven("model") || written.models === undefined ? list(f.model) : undefined;
  const { random, shuffled, debiased, swapped } = f;
  const controls = { random, shuffled, debiased, sizes: list(f.sizes)?.map(Number), swapped };
  const config = resolveConfig(
    {
      models: models ?? (written.models === undefined ? [DEFAULT_MODEL] : undefined),
      datasets: list(f.datasets),
      settings: list(f.settings),
      trainSettings: list(f.trainSettings),
      layers: f.layers,
      multipliers: f.multipliers,
      seeds: list(f.seeds)?.map(Number),
      split: f.split === undefined ? undefined : splitRanges(f.split),
      measures: list(f.measures),
      operator: f.operator === "ablate-then-add" ? "ablateThenAdd" : f.operator,
      skip: f.skip === undefined ? undefined : Number(f.skip),
      controls: merged(written.controls, controls),
      published: f.published,
      normMatching: isGiven("normMatching") ? f.normMatching : undefined,
      limits: f.limit === undefined ? undefined : { train: f.limit, test: f.limit },
    },
    file,
  );
  const name = f.config === undefined ? "sweep" : basename(f.config).replace(/\.[^.]+$/, "");
  return { config, file, name };
}

/** Given keys win one by one; undefined where no flag is given, so that errors name the file's line. */
function merged(written: unknown, given: Readonly<Record<string, unknown>>): unknown {
  const own = Object.entries(given).filter(([, value]) => value !== undefined);
  if (own.length === 0) return undefined;
  return { ...(typeof written === "object" ? written : {}), ...Object.fromEntries(own) };
}
