/** Sections on what is not the concept: E3, E4, letters, both orders, formats. From experiments' rows to figures. */
import { bothOrders, type DebiasedRow, debiasedVectors, type OrderRow } from "../experiments/letters.ts";
import {
  byLetterAndYesNo,
  type LetterGapRow,
  letterGaps,
  type NuisanceRow,
  varianceExplained,
} from "../experiments/nuisance.ts";
import type { StudyData } from "../experiments/studyData.ts";
import { type FormatRow, formats } from "../experiments/variants.ts";
import {
  column,
  type Group,
  groupsOf,
  inGroup,
  modelSuffixes,
  type ReportFigure,
  type ReportSection,
  type ReportTable,
} from "./content.ts";
import { number, percent, plural, shortName, span, withInterval } from "./names.ts";
import { dotChart } from "./rowCharts.ts";
import { nuisanceFigure, varianceByLayer, varianceFigure, varianceTable } from "./sectionsNuisance.ts";
import { antiText, byMean, counted, itemsOf, meanText, overItems, SLOPE } from "./sectionsText.ts";

const choices = (study: StudyData): Group[] => groupsOf(study.groups).filter((g) => g.format === "choice");

export function nuisanceSection(study: StudyData): ReportSection | undefined {
  const rows = byLetterAndYesNo(study);
  if (rows.length === 0) return undefined;
  const gaps = letterGaps(study);
  const figures = choices(study).flatMap((group) =>
    nuisanceFigure(study, group, { rows: inGroup(rows, group), gaps: inGroup(gaps, group) }),
  );
  const table: ReportTable = {
    id: "E3-letters",
    title: "Steerability by letter and Yes/No of the positive answer",
    rows,
    columns: [
      column<NuisanceRow>("set", (r) => shortName(r.dataset)),
      column<NuisanceRow>("letter", (r) => r.letter),
      column<NuisanceRow>("Yes/No", (r) => r.yesNo),
      column<NuisanceRow>("n", (r) => String(r.n)),
      column<NuisanceRow>("mean slope", (r) => withInterval(r)),
      column<NuisanceRow>("slope ≤ 0", antiText),
    ],
  };
  const gapTable: ReportTable = {
    id: "E3-gaps",
    title: "Steerability of items at (A) less that of items at (B)",
    rows: gaps,
    columns: [
      column<LetterGapRow>("set", (r) => shortName(r.dataset)),
      column<LetterGapRow>("A / B", (r) => `${r.a} / ${r.b}`),
      column<LetterGapRow>("A − B", (r) => withInterval({ ...r, mean: r.gap })),
      column<LetterGapRow>("size by chance", (r) => number(r.byChance)),
    ],
  };
  return { experiment: "E3", title: "Letters, and Yes or No", figures, tables: [table, gapTable] };
}

export function varianceSection(study: StudyData): ReportSection | undefined {
  const rows = varianceExplained(study);
  if (rows.length === 0) return undefined;
  const layers = varianceExplained(study, "all");
  const figures = choices(study).flatMap((group) => [
    ...varianceFigure(study, group, inGroup(rows, group)),
    ...varianceByLayer(study, group, inGroup(layers, group)),
  ]);
  const byLayer = { id: "E4-variance-layers", title: "Variance explained by layer", rows: layers, columns: [] };
  return {
    experiment: "E4",
    title: "Variance that is not the concept's",
    figures,
    tables: [varianceTable(rows), byLayer],
  };
}

export function lettersSection(study: StudyData): ReportSection | undefined {
  const [debiased, orders] = [debiasedVectors(study), bothOrders(study)];
  if (debiased.length + orders.length === 0) return undefined;
  const figures = choices(study).flatMap((group) => [
    ...debiasedFigure(study, group, inGroup(debiased, group)),
    ...ordersFigure(study, group, inGroup(orders, group)),
  ]);
  const tables: ReportTable[] = [
    {
      id: "letters-debiased",
      title: "Vectors with the letter taken out",
      rows: debiased,
      columns: [
        column<DebiasedRow>("set", (r) => shortName(r.dataset)),
        column<DebiasedRow>("plain", (r) => withInterval({ mean: r.plain, low: r.plainLow, high: r.plainHigh })),
        column<DebiasedRow>("debiased", (r) =>
          withInterval({ mean: r.debiased, low: r.debiasedLow, high: r.debiasedHigh }),
        ),
        column<DebiasedRow>("difference", (r) => withInterval({ ...r, mean: r.difference })),
        column<DebiasedRow>("letter's effect, plain", (r) =>
          withInterval({ mean: r.letterPlain, low: r.letterPlainLow, high: r.letterPlainHigh }),
        ),
        column<DebiasedRow>("letter's effect, debiased", (r) =>
          withInterval({ mean: r.letterDebiased, low: r.letterDebiasedLow, high: r.letterDebiasedHigh }),
        ),
      ],
    },
    {
      id: "letters-orders",
      title: "Items asked in both orders of their options",
      rows: orders,
      columns: [
        column<OrderRow>("set", (r) => shortName(r.dataset)),
        column<OrderRow>("as asked", (r) => withInterval({ mean: r.asked, low: r.askedLow, high: r.askedHigh })),
        column<OrderRow>("exchanged", (r) =>
          withInterval({ mean: r.exchanged, low: r.exchangedLow, high: r.exchangedHigh }),
        ),
        column<OrderRow>("both", (r) => withInterval({ ...r, mean: r.both })),
        column<OrderRow>("letter's effect", (r) =>
          withInterval({ mean: r.letterEffect, low: r.letterLow, high: r.letterHigh }),
        ),
        column<OrderRow>("slope ≤ 0", (r) => `${percent(r.antiAsked)} → ${percent(r.antiBoth)}`),
      ],
    },
  ];
  return {
    experiment: "letters",
    title: "Taking the letter out",
    figures,
    tables: tables.filter((t) => t.rows.length > 0),
  };
}

function debiasedFigure(study: StudyData, group: Group, rows: readonly DebiasedRow[]): ReportFigure[] {
  if (rows.length === 0) return [];
  const size = (of: (row: DebiasedRow) => number): string =>
    meanText(study.meanOf(rows.map((r) => Math.abs(of(r))).filter(Number.isFinite)));
  return [
    {
      id: `letters-debiased${group.suffix}`,
      title: `Plain and letter-debiased vectors (${group.label})`,
      says: `Where the two dots of a set lie apart, the plain vector carried its training set's surplus of a letter; the letter itself moves items by ${size((r) => r.letterPlain)} logits in the mean size over sets with plain vectors, and by ${size((r) => r.letterDebiased)} with debiased ones.`,
      n: itemsOf(rows),
      interval: overItems(study),
      spec: dotChart({
        dots: rows.flatMap((r) => {
          const label = shortName(r.dataset);
          return [
            { label, kind: "plain", value: r.plain, low: r.plainLow, high: r.plainHigh },
            { label, kind: "debiased", value: r.debiased, low: r.debiasedLow, high: r.debiasedHigh },
          ];
        }),
        order: byMean(rows.map((r) => ({ dataset: r.dataset, mean: r.plain }))),
        kinds: ["plain", "debiased"],
        x: SLOPE,
      }),
    },
  ];
}

function ordersFigure(study: StudyData, group: Group, rows: readonly OrderRow[]): ReportFigure[] {
  if (rows.length === 0) return [];
  const asked = rows.filter((r) => r.askedLow > 0).length;
  const both = rows.filter((r) => r.low > 0).length;
  const letter = study.meanOf(rows.map((r) => Math.abs(r.letterEffect)));
  return [
    {
      id: `letters-orders${group.suffix}`,
      title: `Both orders of the options (${group.label})`,
      says: `The interval of the mean slope lies above 0 in ${asked} of ${rows.length} sets as asked, and in ${both} averaged over both orders, where the letter cancels; the letter's effect is ${meanText(letter)} logits in the mean size over sets. No random vectors were asked in both orders, so that an interval above 0 here does not say more than a random vector does.`,
      n: itemsOf(rows),
      interval: overItems(study),
      spec: dotChart({
        dots: rows.flatMap((r) => {
          const label = shortName(r.dataset);
          return [
            { label, kind: "as asked", value: r.asked, low: r.askedLow, high: r.askedHigh },
            { label, kind: "exchanged", value: r.exchanged, low: r.exchangedLow, high: r.exchangedHigh },
            { label, kind: "mean of both", value: r.both, low: r.low, high: r.high },
          ];
        }),
        order: byMean(rows.map((r) => ({ dataset: r.dataset, mean: r.both }))),
        kinds: ["as asked", "exchanged", "mean of both"],
        x: SLOPE,
      }),
    },
  ];
}

export function formatsSection(study: StudyData): ReportSection | undefined {
  const rows = formats(study);
  if (rows.length === 0) return undefined;
  const suffixes = modelSuffixes(study.models);
  const figures = study.models.flatMap((model): ReportFigure[] => {
    const its = rows.filter((r) => r.model === model);
    if (its.length === 0) return [];
    const more = its.filter((r) => r.completionLow > r.choiceHigh).length;
    return [
      {
        id: `formats${suffixes.get(model)!}`,
        title: "The same concept as a choice and as a completion",
        says: `In ${more} of ${plural(its.length, "concept")} the plain completion is steered more than the A/B choice, with intervals apart: so much of steerability is the format, with what comes with it (template, layer, length of the vector).`,
        n: `${plural(its.length, "concept")}, ${counted(its)} items, the same sentences in both formats; ${formatText(its, "choice")}; ${formatText(its, "completion")}`,
        interval: overItems(study),
        spec: dotChart({
          dots: its.flatMap((r) => [
            { label: shortName(r.concept), kind: "A/B choice", value: r.choice, low: r.choiceLow, high: r.choiceHigh },
            {
              label: shortName(r.concept),
              kind: "completion",
              value: r.completion,
              low: r.completionLow,
              high: r.completionHigh,
            },
          ]),
          order: byMean(its.map((r) => ({ dataset: r.concept, mean: r.completion }))),
          kinds: ["A/B choice", "completion"],
          x: SLOPE,
        }),
      },
    ];
  });
  const table: ReportTable = {
    id: "formats",
    title: "Choice against completion",
    rows,
    columns: [
      column<FormatRow>("concept", (r) => shortName(r.concept)),
      column<FormatRow>("choice", (r) => withInterval({ mean: r.choice, low: r.choiceLow, high: r.choiceHigh })),
      column<FormatRow>("layer, norm", (r) => `${r.choiceLayer}, ${number(r.choiceNorm)}`),
      column<FormatRow>("slope ≤ 0", (r) => percent(r.choiceAnti)),
      column<FormatRow>("random up to", (r) => number(r.choiceRandomHigh)),
      column<FormatRow>("completion", (r) =>
        withInterval({ mean: r.completion, low: r.completionLow, high: r.completionHigh }),
      ),
      column<FormatRow>("layer, norm", (r) => `${r.completionLayer}, ${number(r.completionNorm)}`),
      column<FormatRow>("slope ≤ 0", (r) => percent(r.completionAnti)),
      column<FormatRow>("random up to", (r) => number(r.completionRandomHigh)),
    ],
  };
  return { experiment: "formats", title: "How much of steerability is the format?", figures, tables: [table] };
}

/** choice in the setting BASE, layer 19, vectors of length 0.5 to 1.2 */
function formatText(rows: readonly FormatRow[], format: "choice" | "completion"): string {
  const settings = [...new Set(rows.map((r) => r[`${format}Setting`]))].join(" or ");
  const norms = span(rows.map((r) => r[`${format}Norm`]));
  return `${format} in the setting ${settings}, layer ${rows[0]![`${format}Layer`]}, vectors of length ${norms}`;
}
