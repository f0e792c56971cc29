/**
 * Sections on single items: E1 and its layers, E2, E9, E10, E11. From experiments' rows to figures with their sentences.
 */
import { propensityCurves } from "../experiments/curves.ts";
import { type LayerRow, layerCurves } from "../experiments/layers.ts";
import {
  type ItemFit,
  itemFits,
  type LinearityRow,
  linearity,
  multiplierRanges,
  perSample,
  type RangeRow,
} from "../experiments/perSample.ts";
import { PUBLISHED_LAYERS, PUBLISHED_RANGES } from "../experiments/published.ts";
import type { StudyData } from "../experiments/studyData.ts";
import { mean, median } from "../statistics/descriptive.ts";
import {
  column,
  type Group,
  groupsOf,
  inGroup,
  type ReportFigure,
  type ReportSection,
  type ReportTable,
} from "./content.ts";
import { number, percent, plural, shortName, withInterval } from "./names.ts";
import { heatChart, panelChart, scatterChart } from "./planeCharts.ts";
import { dotChart } from "./rowCharts.ts";
import { antiFigure, perSampleTable, slopesFigure } from "./sectionsPerSample.ts";
import { byMean, itemsOf, overItems, SLOPE } from "./sectionsText.ts";
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
  const tables = [
    {
      id: "E9-layers",
      title: `Steerability by layer (paper, where most sets peak: ${PUBLISHED_LAYERS})`,
      rows,
      columns: [],
    },
  ];
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
