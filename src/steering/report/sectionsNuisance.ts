/** What E3 and E4 draw: slopes by letter and Yes/No, and the variance these explain. From experiments' rows to figures. */
import type { LetterGapRow, NuisanceRow, VarianceRow } from "../experiments/nuisance.ts";
import { PUBLISHED_SETS } from "../experiments/published.ts";
import type { StudyData } from "../experiments/studyData.ts";
import { mean } from "../statistics/descriptive.ts";
import { column, type Group, type ReportFigure, type ReportTable } from "./content.ts";
import { number, percent, plural, shortName, withInterval } from "./names.ts";
import { heatChart } from "./planeCharts.ts";
import { dotChart, stackedChart } from "./rowCharts.ts";
import { counted, itemsOf, meanText, overItems, overSets, percentInterval, SLOPE } from "./sectionsText.ts";
import { light } from "./theme.ts";

/** As many as there are colours. */
const MOST_KINDS = 6;

export function nuisanceFigure(
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
  const named = (kind: string): string => `${kind}: ${counts.get(kind)}`;
  const left =
    all.length > kinds.length ? `; ${plural(all.length - kinds.length, "smaller group")} in the table only` : "";
  const drawn = rows.filter((r) => kinds.includes(kindOf(r)));
  return [
    {
      id: `E3-letters${group.suffix}`,
      title: `Steerability by letter and Yes/No (${group.label})`,
      says: gapText(study, gaps),
      n: `${counted(drawn)} items in a group (all sets: behind its name), every item once${left}`,
      interval: overItems(study),
      spec: dotChart({
        dots: drawn.map((r) => ({ ...r, label: shortName(r.dataset), kind: named(kindOf(r)), value: r.mean })),
        order: [...new Set(drawn.map((r) => shortName(r.dataset)))],
        kinds: kinds.map(named),
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
  return `The same vector moves items whose positive answer is (A) and items whose positive answer is (B) differently: by ${meanText(size)} logits in the mean over sets, where a letter without effect would give ${number(chance)}; widest, A less B, in ${widestText}.`;
}

const PARTS = ["letter", "Yes/No", "both together", "rest"] as const;

export function varianceFigure(study: StudyData, group: Group, rows: readonly VarianceRow[]): ReportFigure[] {
  const known = rows.filter((r) => Number.isFinite(r.rest));
  if (known.length === 0) return [];
  const sorted = [...known].sort((a, b) => a.unexplained - b.unexplained);
  const plain = mean(known.map((r) => 1 - r.rest));
  const adjusted = study.meanOf(known.map((r) => r.adjusted));
  return [
    {
      id: `E4-variance${group.suffix}`,
      title: `What explains the spread of steerability? (${group.label}, layer ${rows[0]!.layer})`,
      says: `On average over sets ${meanText(adjusted, percentInterval)} of the differences between items come from the letter of the positive answer and its Yes or No, not from what the item asks; the bars have ${percent(plain)}, from which that leaves out what these would explain of noise.`,
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

export function varianceByLayer(study: StudyData, group: Group, rows: readonly VarianceRow[]): ReportFigure[] {
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

export function varianceTable(rows: readonly VarianceRow[]): ReportTable {
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
