/**
 * A report's content from a study's units: the gate with its verdicts first, then a section for every experiment that the units
 * have the data of. Knows experiments and sections, no page and no file.
 */
import { type Band, type Gate, gates } from "../experiments/controls.ts";
import type { NamedDirection } from "../experiments/cosines.ts";
import { crossSettings } from "../experiments/shifts.ts";
import type { StudyData } from "../experiments/studyData.ts";
import type { ReportContent, ReportSection } from "./content.ts";
import { number, percent, plural, withInterval } from "./names.ts";
import { curvesSection, layersSection, linearitySection, perSampleSection, rangesSection } from "./sectionsItems.ts";
import { formatsSection, lettersSection, nuisanceSection, varianceSection } from "./sectionsLetters.ts";
import { cosinesSection, matrixSection, modelsSection, shiftsSection, transferSection } from "./sectionsSettings.ts";
import { ablationSection, seedsSection, sizesSection } from "./sectionsVariants.ts";

export interface ReportInput {
  readonly study: StudyData;
  readonly title: string;
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** The command that makes an experiment's section again. */
  readonly command: (experiment: string) => string;
  /** Of vector files, where the units carry none. */
  readonly directions?: readonly NamedDirection[];
  /** These sections only. */
  readonly only?: readonly string[];
}

/** What `only` and `trimtab study` may name. E12 and E13 come with E5 and E15. */
export const EXPERIMENTS = [
  "E1",
  "formats",
  "E2",
  "E3",
  "E4",
  "letters",
  "E5",
  "E6",
  "E7",
  "E8",
  "E9",
  "E10",
  "E11",
  "E15",
  "E16",
  "seeds",
  "sizes",
] as const;
export type Experiment = (typeof EXPERIMENTS)[number];

export function reportContent(input: ReportInput): ReportContent {
  const { study, only } = input;
  const cross = crossSettings(study);
  const make: Readonly<Record<Experiment, () => ReportSection | undefined>> = {
    E1: () => perSampleSection(study),
    formats: () => formatsSection(study),
    E2: () => curvesSection(study),
    E3: () => nuisanceSection(study),
    E4: () => varianceSection(study),
    letters: () => lettersSection(study),
    E5: () => shiftsSection(study, cross),
    E6: () => modelsSection(study, cross),
    E7: () => transferSection(study),
    E8: () => cosinesSection(study, input.directions),
    E9: () => layersSection(study),
    E10: () => rangesSection(study),
    E11: () => linearitySection(study),
    E15: () => matrixSection(study, cross),
    E16: () => ablationSection(study),
    seeds: () => seedsSection(study),
    sizes: () => sizesSection(study),
  };
  const wanted = EXPERIMENTS.filter((name) => only === undefined || only.includes(name));
  const its = gates(study);
  return {
    title: input.title,
    facts: input.facts,
    gates: its,
    verdicts: its.map(verdict),
    sections: wanted
      .flatMap((name) => make[name]() ?? [])
      .filter((s) => s.figures.length > 0 || s.tables.some((t) => t.rows.length > 0)),
    command: input.command,
  };
}

function bandText({ low, high, vectors }: Band): string {
  return Number.isNaN(high) ? `${vectors} of them: no band` : `95 % of them in ${number(low)} to ${number(high)}`;
}

/** A gate in words. */
function verdict(gate: Gate): { passed: boolean; text: string } {
  const {
    model,
    format,
    mass,
    gain,
    sets,
    setsControlled,
    setsBeyondRandom,
    answersInFormat,
    beatsRandom,
    beatsShuffled,
  } = gate;
  const who = `${model}, ${format}:`;
  const answers = {
    yes: `the model answers in the A/B format (median probability of the two letters ${number(mass)})`,
    partly: `the model answers in the A/B format only in part (median probability of the two letters ${number(mass)})`,
    no: `the model does not answer in the A/B format (median probability of the two letters ${number(mass, 3)}), so its letter logits say little`,
    unknown: `the two words have ${percent(mass)} of the probability (completions have many possible words)`,
  }[answersInFormat];
  const beats = {
    yes: `steerability exceeds that of random vectors by ${withInterval(gain)} logits a unit, and lies beyond their band in ${setsBeyondRandom} of ${setsControlled} sets`,
    no: `steerability is NOT distinguishable from that of random vectors: it exceeds it by ${withInterval(gain)} logits a unit, beyond their band in ${setsBeyondRandom} of ${setsControlled} sets`,
    partly: "",
    unknown: "no random vectors were run, so nothing tells steerability from noise",
  }[beatsRandom];
  const labels = {
    yes: `; it lies above that of vectors from shuffled labels (${bandText(gate.shuffled)})`,
    no: `; its mean ${number(gate.slope)} is NOT distinguishable from that of vectors from shuffled labels (${bandText(gate.shuffled)}): what the labels add is less than what they happen to fall on`,
    partly: "",
    unknown: "",
  }[beatsShuffled];
  const passed =
    beatsRandom === "yes" && beatsShuffled !== "no" && (format === "completion" || answersInFormat !== "no");
  const without = sets > setsControlled ? `; ${plural(sets - setsControlled, "set")} had no random vectors` : "";
  const noise = beatsRandom === "no" || beatsShuffled === "no" ? "; read the figures as noise" : "";
  return { passed, text: `${who} ${answers}; ${beats}${labels}${without}${noise}.` };
}
