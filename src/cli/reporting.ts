/** From the runs of a study to its report's folder: what `trimtab report` and the end of `trimtab study` share. */
import { rm } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { StudyData, type StudyDataOptions } from "../steering/experiments/studyData.ts";
import type { ReportContent } from "../steering/report/content.ts";
import { type Experiment, reportContent } from "../steering/report/report.ts";
import { writeReport } from "../steering/report/writeReport.ts";
import { InputError } from "../tensor/errors.ts";
import type { Cli } from "./flags.ts";
import { type ReadPart, readParts, studyCommands } from "./studyRun.ts";
import { optionalPng } from "./svgToPng.ts";
import { quoted } from "./values.ts";

export interface ReportRequest {
  /** A run, or a study's folder of runs. */
  readonly run: string;
  readonly out?: string;
  readonly only?: readonly Experiment[];
  readonly layer?: number;
  /** Figures as PNG too, by the optional package. */
  readonly png?: boolean;
}

export interface ReportOutcome {
  readonly folder: string;
  readonly page: string;
  readonly files: readonly string[];
  readonly content: ReportContent;
}

/** @throws InputError where there is no finished unit; FormatError naming a damaged part. */
export async function makeReport(cli: Cli, o: ReportRequest): Promise<ReportOutcome> {
  const parts = await readParts(o.run);
  const missing = parts.reduce((sum, p) => sum + p.missing, 0);
  if (missing > 0) cli.terminal.warn(`${missing} units of ${o.run} are not finished; the report is of the others`);
  const units = parts.flatMap((p) => p.units);
  if (units.length === 0)
    throw new InputError("E_DATA", `${o.run} has no finished unit`, "run the sweep or study first");
  const options: StudyDataOptions = o.layer === undefined ? {} : { layer: o.layer };
  const study = new StudyData(units, options);
  if (o.layer !== undefined) warnOfLayer(cli, parts, o.layer);
  const command = await commandOf(o.run, o.layer);
  const content = reportContent({
    study,
    title: `Steering study ${basename(resolve(o.run))}`,
    facts: factsOf(parts, study),
    command,
    directions: parts.flatMap((p) => p.directions),
    only: o.only,
  });
  // a report of a few experiments leaves the whole one alone
  const folder = o.out ?? join(o.run, o.only ? `report-${o.only.join("-")}` : "report");
  const { svgOf } = await import("./vegaSvg.ts");
  const pngOf = o.png ? await optionalPng() : undefined;
  if (o.png && !pngOf)
    throw new InputError("E_OPTION", "PNG needs the package @resvg/resvg-js", "npm install @resvg/resvg-js");
  // what an earlier report had and this one has not would stay behind
  for (const sub of ["figures", "tables"]) await rm(join(folder, sub), { recursive: true, force: true });
  const files = await writeReport(folder, content, { svgOf, pngOf });
  return { folder, page: join(folder, "index.html"), files, content };
}

/** What ran at another layer alone cannot be shown at this one. */
function warnOfLayer({ terminal }: Cli, parts: readonly ReadPart[], layer: number): void {
  const without = parts.filter((p) => p.units.length > 0 && p.units.every((u) => !u.layers.includes(layer)));
  if (without.length > 0)
    terminal.warn(`left out, since they have no layer ${layer}: ${without.map((p) => p.name).join(", ")}`);
}

async function commandOf(run: string, layer: number | undefined): Promise<(experiment: string) => string> {
  const commands = await studyCommands(run);
  // a study chooses its layers itself
  if (commands.length === 0 || layer !== undefined) {
    const at = layer === undefined ? "" : ` --layer ${layer}`;
    return (experiment) => `trimtab report ${quoted(run)} --only ${experiment}${at}`;
  }
  return (experiment) => commands.map((c) => c.replace("{experiments}", experiment)).join(" && ");
}

/** Slopes of another measure than the paper's do not compare with its numbers in size. */
function paperMeasure(study: StudyData): string {
  const isOther = study.home.some((u) => u.format === "choice" && study.measure(u) !== "logit-sum");
  return isOther ? "; the paper's numbers for choices are of logit-sum" : "";
}

/** "home-choice: 40 train, 50 test, 8 layers" */
function itemsText({ name, units }: ReadPart): string {
  const range = (values: readonly number[]): string => [...new Set(values)].sort((a, b) => a - b).join(" or ");
  const tested = units.map((u) => u.items.filter((item) => !item.swapped).length);
  const layers = units.map((u) => u.layers.length);
  return `${name}: ${range(units.map((u) => u.trainItems))} train, ${range(tested)} test, ${range(layers)} layers`;
}

function factsOf(parts: readonly ReadPart[], study: StudyData): (readonly [string, string])[] {
  const list = (values: readonly (string | number)[]): string => [...new Set(values)].join(", ");
  const { manifest } = parts[0]!;
  const { models, datasets } = {
    models: parts.flatMap((p) => p.manifest.models.map((m) => `${m.name} (${m.layers} layers)`)),
    datasets: parts.flatMap((p) => p.manifest.datasets),
  };
  return [
    ["model", list(models)],
    ["sets", String(new Set(datasets.map((d) => d.name)).size)],
    ["units", String(study.units.length)],
    [
      "split",
      typeof manifest.config.split === "string" ? manifest.config.split : JSON.stringify(manifest.config.split),
    ],
    ["published quirks", manifest.config.published ? "yes" : "no"],
    [
      "items",
      parts
        .filter((p) => p.units.length > 0)
        .map(itemsText)
        .join("; "),
    ],
    ["multipliers", manifest.config.multipliers.join(", ")],
    ["measures", list(study.home.map((u) => `${study.measure(u)} (${u.format})`)) + paperMeasure(study)],
    ["seeds", list(parts.flatMap((p) => p.manifest.config.seeds))],
    ["device", list(parts.map((p) => p.manifest.device))],
    ["trimtab", list(parts.map((p) => p.manifest.trimtab))],
    ["licences", list(datasets.map((d) => d.licence))],
    ["run", manifest.configHash.slice(0, 12)],
  ];
}
