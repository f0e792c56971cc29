/**
 * A study on the disk: a folder of runs, or one run that a sweep made. Reading its units for the report, and running the units
 * that a part lacks. Knows run directories, not experiments.
 */
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type NamedDirection, setDirections } from "../steering/experiments/cosines.ts";
import { loadVectors, type UnitResult, unitRunner } from "../steering/index.ts";
import {
  describeUnit,
  type Engine,
  type Manifest,
  type OpenEngine,
  RunDirectory,
  runUnits,
} from "../steering/runs/index.ts";
import { InputError } from "../tensor/errors.ts";
import type { Cli, ModelFlags } from "./flags.ts";
import { deviceText, load } from "./loading.ts";
import type { StudyPart } from "./studyParts.ts";
import type { SweepFlags } from "./sweepFlags.ts";
import { planSweep } from "./sweepPlan.ts";
import { SweepProgress } from "./sweepProgress.ts";

export interface ReadPart {
  readonly name: string;
  readonly manifest: Manifest;
  readonly units: readonly UnitResult[];
  readonly directions: readonly NamedDirection[];
  /** Units of the plan that are not finished. */
  readonly missing: number;
}

/** Of one run, or of every run in a folder. @throws InputError where there is none; FormatError naming a damaged part. */
export async function readParts(path: string): Promise<ReadPart[]> {
  const folders = (await hasManifest(path)) ? [path] : await runsIn(path);
  if (folders.length === 0)
    throw new InputError("E_OPTION", `${path} is no run and holds none`, "trimtab sweep or trimtab study makes one");
  const parts: ReadPart[] = [];
  for (const folder of folders) parts.push(await readPart(folder));
  return parts;
}

async function hasManifest(path: string): Promise<boolean> {
  return (await stat(join(path, "manifest.json")).catch(() => undefined))?.isFile() === true;
}

async function runsIn(path: string): Promise<string[]> {
  const names = await readdir(path).catch(() => [] as string[]);
  const folders: string[] = [];
  // home runs first: their units have the controls
  const ordered = names.sort((a, b) => +b.startsWith("home-") - +a.startsWith("home-") || (a < b ? -1 : 1));
  for (const name of ordered) if (await hasManifest(join(path, name))) folders.push(join(path, name));
  return folders;
}

export async function readPart(folder: string): Promise<ReadPart> {
  const directory = await RunDirectory.read(folder);
  const units: UnitResult[] = [];
  const directions: NamedDirection[] = [];
  for (const unit of directory.units) {
    const found = await directory.state(unit);
    if (found.state !== "finished") continue;
    units.push(await directory.readUnit(unit, found.file));
    for (const [v, vector] of found.file.vectors.entries()) {
      const file = found.file.vectorFiles[v];
      // the cosines are those of the settings' vectors, without controls
      if (file === undefined || vector.includes("/")) continue;
      const { model, dataset, format, seed } = unit;
      const { trainItems } = found.file;
      directions.push(
        ...setDirections({ model, dataset, format, seed, trainItems, vector }, await loadVectors(join(folder, file))),
      );
    }
  }
  const { manifest } = directory;
  return { name: basename(folder), manifest, units, directions, missing: directory.units.length - units.length };
}

/** Loads each model once for all parts. */
export class Engines {
  #open: { readonly name: string; readonly engine: Engine } | undefined;

  constructor(
    private readonly cli: Cli,
    private readonly flags: ModelFlags,
  ) {}

  readonly open: OpenEngine = async (name) => {
    if (this.#open?.name === name) return this.#open.engine;
    this.dispose();
    const model = await load(this.cli, { ...this.flags, model: name });
    const close = (): void => model.dispose();
    // a part's end is not the study's
    const engine: Engine = {
      modelSha256: model.sha256,
      device: deviceText(model),
      runUnit: unitRunner(model),
      dispose: () => {},
    };
    this.#open = { name, engine };
    this.#close = close;
    return engine;
  };

  #close: () => void = () => {};

  dispose(): void {
    this.#close();
    this.#close = () => {};
    this.#open = undefined;
  }
}

/** Runs what a part lacks; problems of units that were refused. */
export async function runPart(
  cli: Cli,
  o: {
    flags: ModelFlags;
    part: StudyPart;
    folder: string;
    engines: Engines;
    fresh: boolean;
    /** When the run's folder is there and its configuration is accepted. */
    onOpen: () => Promise<void>;
  },
): Promise<string[]> {
  const { terminal, interrupt } = cli;
  const sweepFlags: SweepFlags = { ...o.flags, workers: 1 };
  const plan = await planSweep(cli, sweepFlags, { config: o.part.config, file: undefined, name: o.part.name });
  const directory = await RunDirectory.open(o.folder, plan.manifest, { fresh: o.fresh });
  await o.onOpen();
  for (const problem of await directory.verify(plan.units)) terminal.warn(`damaged, and computed anew: ${problem}`);
  const open = [];
  for (const unit of plan.units) if ((await directory.state(unit)).state !== "finished") open.push(unit);
  if (open.length === 0) return [];
  terminal.note(`${o.part.name}: ${open.length} of ${plan.units.length} units to run`);
  const progress = new SweepProgress(terminal, new Map(open.map((unit) => [unit.id, describeUnit(unit)])));
  try {
    const outcome = await runUnits({
      directory,
      units: open,
      datasets: plan.datasets,
      openEngine: o.engines.open,
      trimtab: plan.manifest.trimtab,
      stop: interrupt.signal,
      onEvent: progress.on.bind(progress),
    });
    return outcome.failed.map((f) => f.problem);
  } finally {
    progress.end();
  }
}

const COMMANDS = "study.json";

/** The commands that made a study, for its report: one, or several where sets of the other format were added later. */
export async function studyCommands(folder: string): Promise<readonly string[]> {
  const text = await readFile(join(folder, COMMANDS), "utf8").catch(() => "{}");
  try {
    const { commands } = JSON.parse(text) as { commands?: unknown };
    return Array.isArray(commands) ? commands.filter((c) => typeof c === "string") : [];
  } catch {
    return [];
  }
}

/** Adds a command to those that made the study; a fresh start forgets the others. */
export async function noteCommand(folder: string, command: string, fresh: boolean): Promise<void> {
  const known = fresh ? [] : await studyCommands(folder);
  if (known.includes(command)) return;
  await writeFile(join(folder, COMMANDS), `${JSON.stringify({ commands: [...known, command] })}\n`);
}
