/**
 * What a report is made of, before it is a page or a text: sections with figures that say what they show, tables, the gate.
 * Types and small helpers only.
 */
import type { Gate } from "../experiments/controls.ts";
import type { Format } from "../experiments/studyData.ts";
import type { Spec } from "./theme.ts";

export interface ReportFigure {
  /** Name of its files: `E1-slopes-choice`. */
  readonly id: string;
  readonly title: string;
  /** What it shows, in one sentence of plain words. */
  readonly says: string;
  /** How much it rests on: "50 items in each of 6 sets". */
  readonly n: string;
  /** How its intervals were made. */
  readonly interval: string;
  readonly spec: Spec;
}

export interface ReportTable {
  readonly id: string;
  readonly title: string;
  /** Every column of every row goes to the CSV file. */
  readonly rows: readonly object[];
  /** What the page and the text show. */
  readonly columns: readonly Column[];
}

export interface Column {
  readonly title: string;
  readonly of: (row: never) => string;
}

export interface ReportSection {
  /** `E1`, or the name of what the paper lacks: `letters`. */
  readonly experiment: string;
  readonly title: string;
  readonly figures: readonly ReportFigure[];
  readonly tables: readonly ReportTable[];
}

export interface ReportContent {
  readonly title: string;
  /** Facts of the run, a line each. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly gates: readonly Gate[];
  /** What the gate means for a reader, a sentence for each model and format. */
  readonly verdicts: readonly { readonly passed: boolean; readonly text: string }[];
  readonly sections: readonly ReportSection[];
  /** The command that makes a section again. */
  readonly command: (experiment: string) => string;
}

/** A column of a table whose rows are of type R. */
export function column<R>(title: string, of: (row: R) => string): Column {
  return { title, of: of as (row: never) => string };
}

/** Figures are drawn for each model and format apart. */
export interface Group {
  readonly model: string;
  readonly format: Format;
  /** Behind a figure's name, where there are several groups; else empty. */
  readonly suffix: string;
  /** For titles. */
  readonly label: string;
}

export function groupsOf(all: readonly { readonly model: string; readonly format: Format }[]): Group[] {
  const models = [...new Set(all.map((g) => g.model))];
  const suffixes = modelSuffixes(models);
  return all.map(({ model, format }) => {
    const words = [...(models.length > 1 ? [model] : []), format];
    return {
      model,
      format,
      suffix: all.length > 1 ? `${suffixes.get(model)!}-${format}` : "",
      label: words.join(" · "),
    };
  });
}

/** What names a model's files: nothing for one, else its name; all are numbered where a file system would take two for the same. */
export function modelSuffixes(models: readonly string[]): ReadonlyMap<string, string> {
  const words = models.map((model) => model.replace(/[^A-Za-z0-9.-]+/g, "_"));
  const apart = new Set(words.map((word) => word.toLowerCase())).size === models.length;
  const suffix = (k: number): string => (models.length < 2 ? "" : apart ? `-${words[k]}` : `-${k + 1}-${words[k]}`);
  return new Map(models.map((model, k) => [model, suffix(k)]));
}

export function inGroup<R extends { readonly model: string; readonly format: Format }>(
  rows: readonly R[],
  { model, format }: Group,
): R[] {
  return rows.filter((r) => r.model === model && r.format === format);
}

export const OVER_ITEMS = "95 % percentile bootstrap over items";
export const OVER_SETS = "95 % percentile bootstrap over sets";
export const RANDOM_BAND = "band: where the mean of one more random vector would fall in 95 % of draws (Student's t)";
