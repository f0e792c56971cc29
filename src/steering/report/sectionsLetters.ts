/** Sections on what is not the concept: E3, E4, letters, both orders, formats. From experiments' rows to figures. */
import { bothOrders, type DebiasedRow, debiasedVectors, type OrderRow } from "../experiments/letters.ts";
import {
  byLetterAndYesNo,
  type LetterGapRow,
  letterGaps,
  type NuisanceRow,
  type VarianceRow,
  varianceExplained,
} from "../experiments/nuisance.ts";
import { PUBLISHED_SETS } from "../experiments/published.ts";
import type { StudyData } from "../experiments/studyData.ts";
import { type FormatRow, formats } from "../experiments/variants.ts";
import { mean } from "../statistics/descriptive.ts";
import {
  column,
  type Group,
  groupsOf,
  inGroup,
  type ReportFigure,
  type ReportSection,
  type ReportTable,
} from "./content.ts";
import { number, percent, plural, shortName, span, withInterval } from "./names.ts";
import { heatChart } from "./planeCharts.ts";
import { dotChart, stackedChart } from "./rowCharts.ts";
import { byMean, counted, itemsOf, overItems, overSets, percentInterval, SLOPE } from "./sectionsText.ts";
import { light } from "./theme.ts";

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
      column<NuisanceRow>("slope ≤ 0", (r) => percent(r.anti)),
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

/** As many as there are colours. */
const MOST_KINDS = 6;

function nuisanceFigure(
  study: StudyData,
  group: Group,
  { rows, gaps }: { rows: readonly NuisanceRow[]; gaps: readonly LetterGapRow[] },
): ReportFigure[] {
  if (rows.length === 0) return [];
  const kindOf = (r: NuisanceRow): string => `${r.letter}${r.yesNo === "none" ? "" : `, ${r.yesNo}`}`;
  const counts = new Map<string, number>();
  for (const r of rows) counts.set(kindOf(r), (counts.get(kindOf(r)) ?? 0) + r.n);
  const all = [...counts.keys()].sort((a, b) => counts.get(b)! - counts.get(a)!);
  const kinds = all.slice(0, MOST_KINDS).sort();
  const left =
    all.length > kinds.length ? `; ${plural(all.length - kinds.length, "smaller group")} in the table only` : "";
  const drawn = rows.filter((r) => kinds.includes(kindOf(r)));
  return [
    {
      id: `E3-letters${group.suffix}`,
      title: `Steerability by letter and Yes/No (${group.label})`,
      says: gapText(study, gaps),
      n: `${counted(drawn)} items in a group, every item once${left}`,
      interval: overItems(study),
      spec: dotChart({
        dots: drawn.map((r) => ({ ...r, label: shortName(r.dataset), kind: kindOf(r), value: r.mean })),
        order: [...new Set(drawn.map((r) => shortName(r.dataset)))],
        kinds,
        x: SLOPE,
      }),
    },
  ];
}

/** The letter's gap over sets, what items alone would give it, and the widest. */
function gapText(study: StudyData, gaps: readonly LetterGapRow[]): string {
  if (gaps.length === 0)
    return "Each dot is the mean slope of the items whose positive answer is at one letter and says Yes, No or neither.";
  const size = study.meanOf(gaps.map((r) => Math.abs(r.gap)));
  const widest = gaps.reduce((a, b) => (Math.abs(b.gap) > Math.abs(a.gap) ? b : a));
  const chance = mean(gaps.map((r) => r.byChance));
  const widestText = `${shortName(widest.dataset)} ${withInterval({ ...widest, mean: widest.gap })}`;
  return `The same vector moves items whose positive answer is (A) and items whose positive answer is (B) differently: by ${withInterval(size)} logits in the mean over sets, where a letter without effect would give ${number(chance)}; widest, A less B, in ${widestText}.`;
}

const PARTS = ["letter", "Yes/No", "both together", "rest"] as const;

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

function varianceFigure(study: StudyData, group: Group, rows: readonly VarianceRow[]): ReportFigure[] {
  const known = rows.filter((r) => Number.isFinite(r.rest));
  if (known.length === 0) return [];
  const sorted = [...known].sort((a, b) => a.unexplained - b.unexplained);
  const plain = mean(known.map((r) => 1 - r.rest));
  const adjusted = study.meanOf(known.map((r) => r.adjusted));
  return [
    {
      id: `E4-variance${group.suffix}`,
      title: `What explains the spread of steerability? (${group.label}, layer ${rows[0]!.layer})`,
      says: `On average over sets ${percentInterval(adjusted)} of the differences between items come from the letter of the positive answer and its Yes or No, not from what the item asks; the bars have ${percent(plain)}, from which that leaves out what these would explain of noise.`,
      n: itemsOf(known),
      interval: `of shares, in the table: 95 % percentile bootstrap over items (${study.resamples} resamples); of the mean: ${overSets(study)}`,
      spec: stackedChart({
        parts: sorted.flatMap((r) => {
          const label = shortName(r.dataset);
          const shares = [r.letter, r.yesNo, r.interaction, r.rest];
          return PARTS.map((part, i) => ({ label, part, share: Math.max(0, shares[i]!) }));
        }),
        order: sorted.map((r) => shortName(r.dataset)),
        kinds: PARTS,
        colours: [light("orange"), light("purple"), light("green"), light("grey")],
        x: "share of the variance of slopes",
      }),
    },
  ];
}

function varianceByLayer(study: StudyData, group: Group, rows: readonly VarianceRow[]): ReportFigure[] {
  const layers = [...new Set(rows.map((r) => r.layer))].sort((a, b) => a - b);
  if (layers.length < 2) return [];
  return [
    {
      id: `E4-layers${group.suffix}`,
      title: `Share of letter and Yes/No, by layer (${group.label})`,
      says: "The darker a field, the more of the spread of steerability at that layer is due to letter and Yes or No.",
      n: itemsOf(rows),
      interval: `none shown; the CSV table has one for every field (95 % percentile bootstrap over items, ${study.resamples} resamples)`,
      spec: heatChart({
        cells: rows.map((r) => ({ row: shortName(r.dataset), column: String(r.layer), value: 1 - r.rest })),
        rows: [...new Set(rows.map((r) => shortName(r.dataset)))],
        columns: layers.map(String),
        rowTitle: "",
        columnTitle: "layer",
        percent: true,
        legend: "explained",
        most: 1,
      }),
    },
  ];
}

function varianceTable(rows: readonly VarianceRow[]): ReportTable {
  const withPaper = rows.map((r) => {
    const paper = PUBLISHED_SETS[r.dataset];
    const [paperUnexplained, paperYesNo, paperLetter] = (paper?.shares ?? []).map((x) => x / 100);
    const none = Number.NaN;
    const shares = {
      paperUnexplained: paperUnexplained ?? none,
      paperYesNo: paperYesNo ?? none,
      paperLetter: paperLetter ?? none,
    };
    return { ...r, paperVariance: paper?.variance ?? none, ...shares };
  });
  type Row = (typeof withPaper)[number];
  return {
    id: "E4-variance",
    title:
      "Variance of slopes and its parts (paper: Llama-2-7b-Chat [F], which never measured Yes/No in the xrisk sets)",
    rows: withPaper,
    columns: [
      column<Row>("set", (r) => shortName(r.dataset)),
      column<Row>("variance", (r) => number(r.variance)),
      column<Row>("paper [F]", (r) => number(r.paperVariance)),
      column<Row>("letter", (r) => percentInterval({ mean: r.letter, low: r.letterLow, high: r.letterHigh })),
      column<Row>("paper [F]", (r) => percent(r.paperLetter)),
      column<Row>("Yes/No", (r) => percentInterval({ mean: r.yesNo, low: r.yesNoLow, high: r.yesNoHigh })),
      column<Row>("by the original's detector", (r) => percent(r.originalYesNo)),
      column<Row>("paper [F]", (r) => percent(r.paperYesNo)),
      column<Row>("interaction", (r) =>
        percentInterval({ mean: r.interaction, low: r.interactionLow, high: r.interactionHigh }),
      ),
      column<Row>("all three, less chance", (r) => percent(r.adjusted)),
      column<Row>("unexplained", (r) => percentInterval({ ...r, mean: r.unexplained })),
      column<Row>("paper [F]", (r) => percent(r.paperUnexplained)),
    ],
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
    withInterval(study.meanOf(rows.map((r) => Math.abs(of(r))).filter(Number.isFinite)));
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
      says: `The interval of the mean slope lies above 0 in ${asked} of ${rows.length} sets as asked, and in ${both} averaged over both orders, where the letter cancels; the letter's effect is ${withInterval(letter)} logits in the mean size over sets. No random vectors were asked in both orders, so that an interval above 0 here does not say more than a random vector does.`,
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
  const figures = study.models.flatMap((model): ReportFigure[] => {
    const its = rows.filter((r) => r.model === model);
    if (its.length === 0) return [];
    const more = its.filter((r) => r.completionLow > r.choiceHigh).length;
    return [
      {
        id: `formats${study.models.length > 1 ? `-${model.replace(/[^A-Za-z0-9.-]+/g, "_")}` : ""}`,
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
