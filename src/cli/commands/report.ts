/** `trimtab report`: figures, tables and a page from the runs of a study or a sweep. */
import type { Command } from "commander";
import type { Cli } from "../flags.ts";
import { makeReport, type ReportOutcome } from "../reporting.ts";
import { experimentsNamed } from "../studyParts.ts";
import { wholeNumber } from "../values.ts";

interface Flags {
  readonly out?: string;
  readonly only?: string;
  readonly layer?: number;
  readonly png?: boolean;
  readonly json?: boolean;
}

export function addReport(program: Command, cli: Cli): void {
  program
    .command("report")
    .description("write a run's figures and tables as one page (HTML), Markdown, SVG, Vega-Lite and CSV")
    .argument("<run>", "run directory of a sweep, or folder of a study")
    .option("-o, --out <folder>", "where to write (default: RUN/report, or RUN/report-E1-E9 with --only)")
    .option("--only <list>", "experiments such as E1,E9")
    .option(
      "--layer <l>",
      "layer at which sets are compared (default: the one that half of the items choose)",
      wholeNumber(0),
    )
    .option("--png", "figures as PNG too (needs the package @resvg/resvg-js)")
    .option("--json", "one JSON object on stdout")
    .action((run: string, flags: Flags) => report(cli, run, flags));
}

async function report(cli: Cli, run: string, { out, only, layer, png, json }: Flags): Promise<void> {
  const names = only?.split(",").map((name) => name.trim());
  const outcome = await makeReport(cli, { run, out, layer, png, only: names && experimentsNamed(names) });
  showReport(cli, outcome, json === true);
}

/** The gate's verdicts and where the page is. */
export function showReport({ terminal }: Cli, { page, folder, files, content }: ReportOutcome, json: boolean): void {
  const { gates, verdicts } = content;
  if (json) {
    terminal.json({ page, folder, files, gates, verdicts });
    return;
  }
  for (const { passed, text } of verdicts) terminal.note(`${passed ? "passed" : "NOT passed"}: ${text}`);
  terminal.data(`${page}\n`);
}
