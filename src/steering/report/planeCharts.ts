/**
 * Figures on a plane, as Vega-Lite over pre-aggregated rows: lines in small panels, scatter plots, heat maps. All fit a column of
 * 340 pixels. Knows no experiment.
 */
import { fitLine } from "../statistics/association.ts";
import { FIGURE_WIDTH, figureSpec, light, SERIES, SHAPES, type Spec } from "./theme.ts";

const PLOT = FIGURE_WIDTH - 158;

export interface LinePoint {
  readonly panel: string;
  readonly x: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** A stretch of a panel's background, such as quantiles or controls. */
export interface LineBand {
  readonly panel: string;
  readonly x: number;
  readonly kind: string;
  readonly bandLow: number;
  readonly bandHigh: number;
}

/** A line with its interval in a small panel for each set, bands behind it; two panels side by side. */
export function panelChart(o: {
  points: readonly LinePoint[];
  bands: readonly LineBand[];
  bandColours: Readonly<Record<string, string>>;
  order: readonly string[];
  x: string;
  y: string;
  line: string;
  independentY?: boolean;
}): Spec {
  const bands = o.bands.filter((b) => Number.isFinite(b.bandLow) && Number.isFinite(b.bandHigh));
  const kinds = Object.keys(o.bandColours).filter((kind) => bands.some((b) => b.kind === kind));
  const names = [o.line, ...kinds];
  const scale = { domain: names, range: [light("blue"), ...kinds.map((k) => o.bandColours[k]!)] };
  const legend = { title: null, columns: 2, symbolType: "square" };
  const x = {
    type: "quantitative",
    field: "x",
    title: o.x,
    axis: { tickCount: 5, grid: false },
    scale: { nice: false, zero: false },
  };
  const y = { type: "quantitative", title: null, axis: { tickCount: 4 } };
  const rows = [...bands, ...o.points.filter((p) => Number.isFinite(p.mean)).map((p) => ({ ...p, kind: o.line }))];
  const only = (kind: string): Spec[] => [{ filter: { field: "kind", equal: kind } }];
  const layers: Spec[] = [
    ...kinds.map((kind) => ({
      transform: only(kind),
      mark: { type: "area", opacity: 0.3 },
      encoding: {
        x,
        y: { ...y, field: "bandLow" },
        y2: { field: "bandHigh" },
        color: { field: "kind", type: "nominal", scale, legend },
      },
    })),
    {
      // one line, not one for each row
      transform: [{ aggregate: [{ op: "count", as: "rows" }] }],
      mark: { type: "rule", color: light("ink"), strokeDash: [3, 2], strokeWidth: 0.8 },
      encoding: { y: { datum: 0 } },
    },
    {
      transform: [...only(o.line), { filter: "isFinite(datum.low) && isFinite(datum.high)" }],
      mark: { type: "area", opacity: 0.35 },
      encoding: {
        x,
        y: { ...y, field: "low" },
        y2: { field: "high" },
        color: { field: "kind", type: "nominal", scale, legend },
      },
    },
    {
      transform: only(o.line),
      mark: { type: "line", strokeWidth: 1.6, point: { size: 12, filled: true } },
      encoding: { x, y: { ...y, field: "mean" }, color: { field: "kind", type: "nominal", scale, legend } },
    },
  ];
  return figureSpec(rows, {
    facet: {
      field: "panel",
      type: "nominal",
      sort: o.order,
      title: o.y,
      header: { titleAnchor: "start", titlePadding: 8, labelAnchor: "start" },
    },
    columns: 2,
    spacing: 12,
    spec: { width: 126, height: 84, layer: layers },
    ...(o.independentY ? { resolve: { scale: { y: "independent" } } } : {}),
  });
}

export interface ScatterPoint {
  readonly panel: string;
  readonly kind: string;
  readonly label: string;
  readonly x: number;
  readonly y: number;
  readonly xLow?: number;
  readonly xHigh?: number;
  readonly yLow?: number;
  readonly yHigh?: number;
}

/** Points that a line of least squares needs to say anything. */
const LEAST_FOR_A_LINE = 3;

/** Kind of the rows that hold a line's ends. */
const FIT = "least squares";

/** Both ends of the line of least squares through a panel's points; none where there are too few, or one above the other. */
function lineEnds(points: readonly ScatterPoint[]): { panel: string; kind: string; x: number; y: number }[] {
  const xs = points.map((p) => p.x);
  const { slope, intercept } = fitLine(
    xs,
    points.map((p) => p.y),
  );
  if (points.length < LEAST_FOR_A_LINE || !Number.isFinite(slope)) return [];
  const { panel } = points[0]!;
  return [Math.min(...xs), Math.max(...xs)].map((x) => ({ panel, kind: FIT, x, y: intercept + slope * x }));
}

/** Points with their intervals; panels two abreast where there are several. @throws Error for more kinds than there are colours. */
export function scatterChart(o: {
  points: readonly ScatterPoint[];
  x: string;
  y: string;
  kinds: readonly string[];
  /** Dashed: y equals x. */
  diagonal?: boolean;
  /** Solid: least squares through the points of a kind, in each panel with three or more. */
  regression?: string;
}): Spec {
  if (o.kinds.length > SERIES.length) throw new Error(`${o.kinds.length} kinds, there are ${SERIES.length} colours`);
  const points = o.points.filter((p) => Number.isFinite(p.x) && Number.isFinite(p.y));
  const panels = [...new Set(points.map((p) => p.panel))];
  const single = panels.length === 1;
  const scale = { domain: o.kinds, range: SERIES.slice(0, o.kinds.length) };
  const legend = o.kinds.length > 1 ? { title: null, columns: o.kinds.some((k) => k.length > 12) ? 2 : 3 } : null;
  const colour = { field: "kind", type: "nominal", scale, legend };
  const x = { type: "quantitative", title: o.x, axis: { tickCount: single ? 5 : 3 } };
  const y = { type: "quantitative", title: o.y, axis: { tickCount: 5 } };
  const ends = points.flatMap((p) => [p.x, p.y]);
  const [least, most] = [Math.min(0, ...ends), Math.max(...ends)];
  const fits = panels.flatMap((panel) => lineEnds(points.filter((p) => p.panel === panel && p.kind === o.regression)));
  const measured = [{ filter: { field: "kind", oneOf: o.kinds } }];
  const layer: Spec[] = [
    ...(o.diagonal
      ? [
          {
            data: {
              values: [
                { x: least, y: least },
                { x: most, y: most },
              ],
            },
            mark: { type: "line", color: light("muted"), strokeDash: [4, 3], strokeWidth: 1 },
            encoding: { x: { ...x, field: "x" }, y: { ...y, field: "y" } },
          },
        ]
      : []),
    ...(fits.length > 0
      ? [
          {
            transform: [{ filter: { field: "kind", equal: FIT } }],
            mark: { type: "line", color: light("ink"), strokeWidth: 1 },
            encoding: { x: { ...x, field: "x" }, y: { ...y, field: "y" } },
          },
        ]
      : []),
    ...(o.points.some((p) => p.xLow !== undefined)
      ? [
          {
            transform: measured,
            mark: { type: "rule", opacity: 0.5 },
            encoding: { x: { ...x, field: "xLow" }, x2: { field: "xHigh" }, y: { ...y, field: "y" }, color: colour },
          },
        ]
      : []),
    ...(o.points.some((p) => p.yLow !== undefined)
      ? [
          {
            transform: measured,
            mark: { type: "rule", opacity: 0.5 },
            encoding: { x: { ...x, field: "x" }, y: { ...y, field: "yLow" }, y2: { field: "yHigh" }, color: colour },
          },
        ]
      : []),
    {
      transform: measured,
      mark: { type: "point", filled: true, size: 30, opacity: 0.8 },
      encoding: {
        x: { ...x, field: "x" },
        y: { ...y, field: "y" },
        color: colour,
        shape: {
          field: "kind",
          type: "nominal",
          scale: { domain: o.kinds, range: SHAPES.slice(0, o.kinds.length) },
          legend,
        },
        tooltip: { field: "label" },
      },
    },
  ];
  const rows = [...points, ...fits];
  if (single) return figureSpec(rows, { width: 270, height: 220, layer });
  return figureSpec(rows, {
    facet: { field: "panel", type: "nominal", sort: panels, title: null, header: { labelAnchor: "start" } },
    columns: 2,
    spacing: 12,
    spec: { width: 118, height: 118, layer },
  });
}

/** Shares of the scale beyond which white text has more contrast than black: 4.58 at both, where they are equal. */
const [DARK_BLUE, DARK_ORANGE] = [0.788, 0.904];

export interface HeatCell {
  readonly row: string;
  readonly column: string;
  readonly value: number;
}

/** A table of colours with its numbers in it. `diverging` centres on 0. */
export function heatChart(o: {
  cells: readonly HeatCell[];
  rows: readonly string[];
  columns: readonly string[];
  rowTitle: string;
  columnTitle: string;
  /** Values are shares. Else as many decimals as the largest needs. */
  percent?: boolean;
  legend: string;
  diverging?: boolean;
  most?: number;
}): Spec {
  const cells = o.cells.filter((c) => Number.isFinite(c.value));
  const most = o.most ?? Math.max(1e-9, ...cells.map((c) => Math.abs(c.value)));
  const diverging = { domain: [-most, 0, most], range: ["#b8430a", "#f4f4f2", "#0a5a96"] };
  const sequential = { domain: [0, most], range: ["#f4f4f2", "#0a5a96"] };
  const decimals = Math.min(4, Math.max(2, 1 - Math.floor(Math.log10(most))));
  const number = o.percent ? ".0%" : `.${decimals}f`;
  const size = Math.min(34, Math.floor(PLOT / o.columns.length));
  const encoding = {
    x: {
      field: "column",
      type: "nominal",
      sort: o.columns,
      title: o.columnTitle,
      axis: { labelAngle: o.columns.some((c) => c.length > 3) ? -45 : 0, ticks: false, domain: false, grid: false },
    },
    y: {
      field: "row",
      type: "nominal",
      sort: o.rows,
      title: o.rowTitle,
      axis: { ticks: false, domain: false, grid: false },
    },
  };
  return figureSpec(cells, {
    width: size * o.columns.length,
    height: { step: size < 20 ? 16 : 24 },
    encoding,
    layer: [
      {
        mark: { type: "rect" },
        encoding: {
          color: {
            field: "value",
            type: "quantitative",
            scale: o.diverging ? diverging : sequential,
            legend: { title: o.legend, gradientLength: 120, gradientThickness: 8, format: number, tickCount: 3 },
          },
        },
      },
      ...(size < 20
        ? []
        : [
            {
              mark: { type: "text", fontSize: 9 },
              encoding: {
                // the legend has the percent sign, for which a cell has no room
                text: o.percent
                  ? { value: { expr: "format(100 * datum.value, '.0f')" } }
                  : { field: "value", format: number },
                color: {
                  condition: {
                    test: `datum.value > ${DARK_BLUE * most} || datum.value < ${-DARK_ORANGE * most}`,
                    value: "#fff",
                  },
                  value: "#000",
                },
              },
            },
          ]),
    ],
  });
}
