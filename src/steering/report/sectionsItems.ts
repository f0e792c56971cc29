/**
 * Sections on single items: E1 and its layers, E2, E9, E10, E11. From experiments' rows to figures with their sentences.
 */
import { setGates } from "../experiments/controls.ts";
import { propensityCurves } from "../experiments/curves.ts";
import { type LayerRow, layerCurves } from "../experiments/layers.ts";
import {
  type ItemFit,
  itemFits,
  type LinearityRow,
  linearity,
  multiplierRanges,
  type PerSampleRow,
  perSample,
  type RangeRow,
  slopeDensities,
} from "../experiments/perSample.ts";
import { PUBLISHED_RANGES, PUBLISHED_SETS } from "../experiments/published.ts";
import type { StudyData } from "../experiments/studyData.ts";
import { mean, median } from "../statistics/descriptive.ts";
import {
  column,
  type Group,
  groupsOf,
  inGroup,
  RANDOM_BAND,
  type ReportFigure,
  type ReportSection,
  type ReportTable,
} from "./content.ts";
import { number, percent, plural, shortName, span, withInterval } from "./names.ts";
import { heatChart, panelChart, scatterChart } from "./planeCharts.ts";
import { dotChart, stackedChart, violinChart } from "./rowCharts.ts";
import { byMean, itemsOf, overItems, percentInterval, SLOPE } from "./sectionsText.ts";
import { light } from "./theme.ts";

/** A group's datasets by falling mean slope. */
function orderOf(study: StudyData, { model, format }: Group): string[] {
  return byMean(
    study.homeOf(model, format).map((u) => ({ dataset: u.dataset, mean: mean(study.slopes(u, u.setting)!) })),
  );
}

export function perSampleSection(study: StudyData): ReportSection {
  const rows = perSample(study);
  const figures = groupsOf(study.groups).flatMap((group) => {
    const its = inGroup(rows, group);
    return [slopesFigure(study, group, its), ...antiFigure(study, group, its)];
  });
  return { experiment: "E1", title: "Steerability of single items", figures, tables: [perSampleTable(rows)] };
}

function slopesFigure(study: StudyData, group: Group, rows: readonly PerSampleRow[]): ReportFigure {
  const order = byMean(rows);
  const sorted = order.map((name) => rows.find((r) => shortName(r.dataset) === name)!);
  const outlines = inGroup(slopeDensities(study), group).map((d) => ({ ...d, label: shortName(d.dataset) }));
  const dots = sorted.map((r) => ({
    ...r,
    label: shortName(r.dataset),
    kind: "",
    value: r.mean,
    bandLow: r.randomLow,
    bandHigh: r.randomHigh,
  }));
  const controlled = rows.some((r) => r.randomVectors > 0);
  return {
    id: `E1-slopes${group.suffix}`,
    title: `How far the vector moves each item (${group.label}, layer ${rows[0]!.layer})`,
    says: `Each shape spreads one set's items by their steerability: right of 0 the vector works, left of 0 it backfires${beyondText(study, group)}${balancedText(rows)}.`,
    n: itemsOf(rows),
    interval: `${overItems(study)}${controlled ? `; ${RANDOM_BAND}` : ""}`,
    spec: violinChart({ outlines, rows: dots, x: SLOPE, band: "random vectors" }),
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

function antiFigure(study: StudyData, group: Group, rows: readonly PerSampleRow[]): ReportFigure[] {
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

function perSampleTable(rows: readonly PerSampleRow[]): ReportTable {
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
      column<Row>("slope ≤ 0", (r) => percentInterval({ mean: r.anti, low: r.antiLow, high: r.antiHigh })),
      column<Row>("paper [F]", (r) => percent(r.paperAnti)),
      column<Row>("clearly < 0", (r) => percent(r.antiClear)),
      column<Row>("random vectors", (r) => `${number(r.randomLow)} … ${number(r.randomHigh)}`),
      column<Row>("shuffled labels", (r) => `${number(r.shuffledLow)} … ${number(r.shuffledHigh)}`),
    ],
  };
}

const MOST_PANELS = 12;

export function curvesSection(study: StudyData): ReportSection {
  const rows = propensityCurves(study);
  const figures = groupsOf(study.groups).map((group): ReportFigure => {
    const its = inGroup(rows, group);
    const order = orderOf(study, group);
    const half = Math.floor(MOST_PANELS / 2);
    const shown = order.length <= MOST_PANELS ? order : [...order.slice(0, half), ...order.slice(-half)];
    const visible = its
      .map((r) => ({ ...r, panel: shortName(r.dataset), x: r.multiplier }))
      .filter((r) => shown.includes(r.panel));
    const bands = visible.flatMap((r) => [
      { panel: r.panel, x: r.x, kind: "90 % of items", bandLow: r.q05, bandHigh: r.q95 },
      { panel: r.panel, x: r.x, kind: "half of the items", bandLow: r.q25, bandHigh: r.q75 },
    ]);
    const some =
      order.length > shown.length ? ` The ${half} most and the ${half} least steerable of ${order.length} sets.` : "";
    return {
      id: `E2-curves${group.suffix}`,
      title: `Propensity against the multiplier (${group.label})`,
      says: `A set that steers well has a rising line, and one whose items disagree has a wide band.${some}`,
      n: itemsOf(its),
      interval: `line: mean with ${overItems(study)}; bands: quantiles over items`,
      spec: panelChart({
        points: visible,
        bands,
        bandColours: { "90 % of items": light("grey"), "half of the items": light("green") },
        order: shown,
        x: "multiplier",
        y: "propensity (logits)",
        line: "mean",
        independentY: true,
      }),
    };
  });
  const tables = [{ id: "E2-curves", title: "Propensity by multiplier", rows, columns: [] }];
  return { experiment: "E2", title: "Propensity curves", figures, tables };
}

export function layersSection(study: StudyData): ReportSection {
  const rows = layerCurves(study);
  const figures = groupsOf(study.groups).flatMap((group) => layerFigures(group, inGroup(rows, group), study));
  const tables = [{ id: "E9-layers", title: "Steerability by layer", rows, columns: [] }];
  return { experiment: "E9", title: "Layers", figures, tables };
}

function layerFigures(group: Group, rows: readonly LayerRow[], study: StudyData): ReportFigure[] {
  const layers = [...new Set(rows.map((r) => r.layer))].sort((a, b) => a - b);
  if (layers.length < 2) return [];
  const order = orderOf(study, group);
  const points = rows.map((r) => ({ ...r, panel: shortName(r.dataset), x: r.layer }));
  const bands = points.flatMap((r) => [
    { panel: r.panel, x: r.x, kind: "random vectors", bandLow: r.randomLow, bandHigh: r.randomHigh },
    { panel: r.panel, x: r.x, kind: "shuffled labels", bandLow: r.shuffledLow, bandHigh: r.shuffledHigh },
  ]);
  const chosen = study.layer(group);
  const best = order.map((name) => {
    const its = points.filter((p) => p.panel === name);
    return its.reduce((a, b) => (b.mean > a.mean ? b : a)).layer;
  });
  const anti = points.map((r) => ({ row: r.panel, column: String(r.layer), value: r.anti }));
  return [
    {
      id: `E9-layers${group.suffix}`,
      title: `Steerability by layer (${group.label})`,
      says: `Sets steer best at a median layer of ${number(median(best), 0)}; the report compares them at layer ${chosen}${study.layersChosenFrom(group).length > 1 ? ", which half of the items chose" : ""}.`,
      n: itemsOf(rows),
      interval: `line: mean with ${overItems(study)}; bands of controls: where one more such vector would fall in 95 % of draws (Student's t)`,
      spec: panelChart({
        points,
        bands,
        bandColours: { "random vectors": light("grey"), "shuffled labels": light("orange") },
        order,
        x: "layer",
        y: "mean steerability",
        line: "vector",
        independentY: true,
      }),
    },
    {
      id: `E1-layers${group.suffix}`,
      title: `Items that go the wrong way, by layer (${group.label})`,
      says: "The darker a field, the more of the set's items have a slope of 0 or less at that layer; a vector without effect makes about half of them so.",
      n: itemsOf(rows),
      interval: "none; E1 has intervals at the chosen layer",
      spec: heatChart({
        cells: anti,
        rows: order,
        columns: layers.map(String),
        rowTitle: "",
        columnTitle: "layer",
        percent: true,
        legend: "slope ≤ 0",
        most: 1,
      }),
    },
  ];
}

export function rangesSection(study: StudyData): ReportSection {
  const rows = multiplierRanges(study);
  const figures = groupsOf(study.groups).flatMap((group): ReportFigure[] => {
    const its = inGroup(rows, group);
    // two multipliers make one line, and no range to compare it with
    if (its.length === 0) return [];
    const widest = Math.max(...its.map((r) => r.range));
    const order = byMean(its.filter((r) => r.range === widest));
    const kinds = [...new Set(its.map((r) => `±${r.range}`))];
    const narrowest = Math.min(...its.map((r) => r.range));
    const at = (range: number): number => mean(its.filter((r) => r.range === range).map((r) => r.mean));
    return [
      {
        id: `E10-ranges${group.suffix}`,
        title: `Does the range of multipliers matter? (${group.label})`,
        says: `Over all sets the mean slope is ${number(at(narrowest))} within ±${narrowest} and ${number(at(widest))} within ±${widest}; where the dots of a set lie apart, its curves bend.`,
        n: itemsOf(its),
        interval: overItems(study),
        spec: dotChart({
          dots: its.map((r) => ({ ...r, label: shortName(r.dataset), kind: `±${r.range}`, value: r.mean })),
          order,
          kinds,
          x: SLOPE,
        }),
      },
    ];
  });
  return { experiment: "E10", title: "Range of multipliers", figures, tables: [rangesTable(rows)] };
}

function rangesTable(rows: readonly RangeRow[]): ReportTable {
  const withPaper = rows.map((r) => ({
    ...r,
    paper: PUBLISHED_RANGES[r.dataset]?.[[0.5, 1, 1.5].indexOf(r.range)] ?? Number.NaN,
  }));
  type Row = (typeof withPaper)[number];
  return {
    id: "E10-ranges",
    title: "Mean slope by range of multipliers (paper: Llama-2-7b-Chat [F])",
    rows: withPaper,
    columns: [
      column<Row>("set", (r) => shortName(r.dataset)),
      column<Row>("range", (r) => `±${r.range}`),
      column<Row>("mean slope", (r) => withInterval(r)),
      column<Row>("paper [F]", (r) => number(r.paper)),
    ],
  };
}

export function linearitySection(study: StudyData): ReportSection {
  const rows = linearity(study);
  const figures = groupsOf(study.groups).map((group): ReportFigure => {
    const fits = study.homeOf(group.model, group.format).flatMap((unit) => itemFits(study, unit));
    const drawn = spread(fits);
    const straight = mean(fits.map((f) => +(f.r2 > 0.9)));
    return {
      id: `E11-linearity${group.suffix}`,
      title: `How straight are the curves? (${group.label})`,
      says: `A line explains more than 90 % of the curve of ${percent(straight)} of the items; points high up are items whose curve bends.`,
      n: `${plural(fits.length, "item")} of ${plural(study.homeOf(group.model, group.format).length, "set")}${drawn.length < fits.length ? `, ${drawn.length} of them drawn` : ""}`,
      interval: `none; of the rank correlation of |slope| and residual, in the table: 95 % percentile bootstrap over items (${study.resamples} resamples)`,
      spec: scatterChart({
        points: drawn.map((f) => ({ panel: "", kind: "item", label: "", x: f.slope, y: f.rmse })),
        x: "steerability of the item",
        y: "root mean square residual",
        kinds: ["item"],
      }),
    };
  });
  const table: ReportTable = {
    id: "E11-linearity",
    title: "Straightness of items' curves",
    rows,
    columns: [
      column<LinearityRow>("set", (r) => shortName(r.dataset)),
      column<LinearityRow>("median residual", (r) => number(r.rmse)),
      column<LinearityRow>("median R²", (r) => number(r.r2)),
      column<LinearityRow>("R² > 0.9", (r) => percent(r.r2Above09)),
      column<LinearityRow>("ρ(|slope|, residual)", (r) => withInterval({ ...r, mean: r.rho })),
    ],
  };
  return { experiment: "E11", title: "Linearity", figures, tables: [table] };
}

const MOST_POINTS = 400;

/** Every k-th, so that a figure stays small. */
function spread(fits: readonly ItemFit[]): ItemFit[] {
  const step = Math.ceil(fits.length / MOST_POINTS);
  return fits.filter((f, i) => i % step === 0 && Number.isFinite(f.slope) && Number.isFinite(f.rmse));
}
