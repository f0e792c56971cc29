/** What E1 draws: every item's steerability, and those that go the wrong way. From experiments' rows to figures. */
import { setGates } from "../experiments/controls.ts";
import { type PerSampleRow, slopeDensities } from "../experiments/perSample.ts";
import { PUBLISHED_SETS } from "../experiments/published.ts";
import type { StudyData } from "../experiments/studyData.ts";
import { mean } from "../statistics/descriptive.ts";
import { column, type Group, inGroup, RANDOM_BAND, type ReportFigure, type ReportTable } from "./content.ts";
import { number, percent, plural, shortName, span, withInterval } from "./names.ts";
import { stackedChart, violinChart } from "./rowCharts.ts";
import { antiText, byMean, itemsOf, overItems, SLOPE } from "./sectionsText.ts";
import { light } from "./theme.ts";

export function slopesFigure(study: StudyData, group: Group, rows: readonly PerSampleRow[]): ReportFigure {
  const order = byMean(rows);
  const sorted = [...rows].sort((a, b) => order.indexOf(shortName(a.dataset)) - order.indexOf(shortName(b.dataset)));
  const outlines = inGroup(slopeDensities(study), group).map((d) => ({ ...d, label: shortName(d.dataset) }));
  const dots = sorted.map((r) => ({
    ...r,
    label: shortName(r.dataset),
    kind: "",
    value: r.mean,
    random: { bandLow: r.randomLow, bandHigh: r.randomHigh },
    shuffled: { bandLow: r.shuffledLow, bandHigh: r.shuffledHigh },
  }));
  const controlled = rows.some((r) => r.randomVectors > 0);
  return {
    id: `E1-slopes${group.suffix}`,
    title: `How far the vector moves each item (${group.label}, layer ${rows[0]!.layer})`,
    says: `Each shape spreads one set's items by their steerability: right of 0 the vector works, left of 0 it backfires${beyondText(study, group)}${balancedText(rows)}.`,
    n: itemsOf(rows),
    interval: `${overItems(study)}${controlled ? `; ${RANDOM_BAND}` : ""}`,
    spec: violinChart({ outlines, rows: dots, x: SLOPE }),
  };
}

/** The gate's count, so that one report has one. */
function beyondText(study: StudyData, group: Group): string {
  const sets = inGroup(setGates(study), group).filter((s) => s.randomVectors > 0);
  if (sets.length === 0) return "";
  const chosen = study.layersChosenFrom(group).length > 1;
  const of = chosen ? "the mean of the items that did not choose the layer" : "the mean of every other item";
  return `; in ${sets.filter((s) => s.beyondRandom).length} of ${plural(sets.length, "set")} ${of} lies above what random vectors do at this layer`;
}

/** Sets whose mean says something else when a surplus of one letter among the test items is taken out. */
function balancedText(rows: readonly PerSampleRow[]): string {
  const verdict = (value: { mean: number; low: number; high: number }): number =>
    value.low > 0 ? 1 : value.high < 0 ? -1 : 0;
  const other = rows.filter((r) => {
    if (Number.isNaN(r.balanced)) return false;
    const balanced = { mean: r.balanced, low: r.balancedLow, high: r.balancedHigh };
    return Math.sign(r.mean) !== Math.sign(r.balanced) || verdict(r) !== verdict(balanced);
  });
  const balanced = rows.filter((r) => Number.isFinite(r.balanced));
  if (balanced.length === 0) return "";
  const [plain, equal] = [mean(balanced.map((r) => r.mean)), mean(balanced.map((r) => r.balanced))];
  const names = other.slice(0, MOST_NAMED).map((r) => shortName(r.dataset));
  const more = other.length > names.length ? ` and ${other.length - names.length} more` : "";
  const sets =
    other.length === 0
      ? ""
      : `, and in ${plural(other.length, "set")} (${names.join(", ")}${more}) its sign or whether its interval excludes 0 is another`;
  return `; with items at (A) and at (B) weighted equally, the mean over sets is ${number(equal)} instead of ${number(plain)}${sets}`;
}

const MOST_NAMED = 3;

export function antiFigure(study: StudyData, group: Group, rows: readonly PerSampleRow[]): ReportFigure[] {
  // two multipliers leave no residual to tell noise by
  const known = rows.filter((r) => Number.isFinite(r.antiClear));
  if (known.length === 0) return [];
  return [
    {
      id: `E1-anti${group.suffix}`,
      title: `Items that go the wrong way (${group.label}, layer ${rows[0]!.layer})`,
      says: `${span(
        known.map((r) => r.anti),
        percent,
      )} of a set's items have a slope of 0 or less; the middle part is items whose sign the bend of their own curve leaves open.`,
      n: itemsOf(known),
      interval: `95 % interval of Wilson; threshold of an item: 95 % of a residual bootstrap of its slope (${study.resamples} resamples)`,
      spec: stackedChart({
        parts: known.flatMap((r) => [
          { label: shortName(r.dataset), part: "wrong way", share: r.antiClear },
          { label: shortName(r.dataset), part: "unclear", share: r.unclear },
          { label: shortName(r.dataset), part: "right way", share: 1 - r.antiClear - r.unclear },
        ]),
        order: byMean(known),
        kinds: ["wrong way", "unclear", "right way"],
        colours: [light("orange"), light("grey"), light("blue")],
        x: "share of items",
        dots: {
          name: "slope ≤ 0",
          rows: known.map((r) => ({ label: shortName(r.dataset), value: r.anti, low: r.antiLow, high: r.antiHigh })),
        },
      }),
    },
  ];
}

export function perSampleTable(rows: readonly PerSampleRow[]): ReportTable {
  const withPaper = rows.map((r) => ({
    ...r,
    paperMedian: PUBLISHED_SETS[r.dataset]?.median ?? Number.NaN,
    paperAnti: PUBLISHED_SETS[r.dataset]?.anti ?? Number.NaN,
  }));
  type Row = (typeof withPaper)[number];
  return {
    id: "E1-per-sample",
    title: "Steerability and anti-steerable share (paper: Llama-2-7b-Chat, figures of its repository [F])",
    rows: withPaper,
    columns: [
      column<Row>("set", (r) => shortName(r.dataset)),
      column<Row>("n", (r) => String(r.n)),
      column<Row>("mean slope", (r) => withInterval(r)),
      column<Row>("letters weighted equally", (r) =>
        Number.isNaN(r.balanced) ? "—" : withInterval({ mean: r.balanced, low: r.balancedLow, high: r.balancedHigh }),
      ),
      column<Row>("A / B", (r) => (r.a + r.b > 0 ? `${r.a} / ${r.b}` : "—")),
      column<Row>("median", (r) => number(r.median)),
      column<Row>("paper [F]", (r) => number(r.paperMedian)),
      column<Row>("slope ≤ 0", antiText),
      column<Row>("paper [F]", (r) => percent(r.paperAnti)),
      column<Row>("clearly < 0", (r) => percent(r.antiClear)),
      column<Row>("random vectors", (r) => `${number(r.randomLow)} … ${number(r.randomHigh)}`),
      column<Row>("shuffled labels", (r) => `${number(r.shuffledLow)} … ${number(r.shuffledHigh)}`),
    ],
  };
}
