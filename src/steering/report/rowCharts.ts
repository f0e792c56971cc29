/**
 * Figures with a line for each set, as Vega-Lite over pre-aggregated rows: dots with intervals, violins, stacked bars. All fit a
 * column of 340 pixels. Knows no experiment.
 */
import { FIGURE_WIDTH, figureSpec, light, SERIES, SHAPES, type Spec } from "./theme.ts";

const LABELS = 138;
const PLOT = FIGURE_WIDTH - LABELS - 20;
const ROW = 18;

const zeroLine = (channel: "x" | "y"): Spec => ({
  data: { values: [{}] },
  mark: { type: "rule", color: light("ink"), strokeDash: [3, 2], strokeWidth: 1 },
  encoding: { [channel]: { datum: 0 } },
});

/** One row of a dot chart: `label` names the line, `kind` the series. */
export interface Dot {
  readonly label: string;
  readonly kind: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** A grey stretch behind the dots of a line. */
export interface Stretch {
  readonly label: string;
  readonly bandLow: number;
  readonly bandHigh: number;
}

/** Dots with their intervals, a line for each label, series beside one another; grey stretches behind. */
export function dotChart(o: {
  dots: readonly Dot[];
  order: readonly string[];
  kinds: readonly string[];
  x: string;
  bands?: { readonly name: string; readonly rows: readonly Stretch[] };
  zero?: boolean;
}): Spec {
  const { order, kinds } = o;
  if (kinds.length > SERIES.length) throw new Error(`${kinds.length} series, there are ${SERIES.length} colours`);
  const bands = (o.bands?.rows ?? []).filter((b) => Number.isFinite(b.bandLow) && Number.isFinite(b.bandHigh));
  const offset = kinds.length > 1 ? { yOffset: { field: "kind", sort: kinds } } : {};
  const y = { field: "label", type: "nominal", sort: order, title: null, axis: { grid: false, ticks: false } };
  const names = bands.length > 0 ? [...kinds, o.bands!.name] : kinds;
  const scale = { domain: names, range: [...SERIES.slice(0, kinds.length), light("grey")].slice(0, names.length) };
  const colour = {
    field: "kind",
    type: "nominal",
    scale,
    title: null,
    legend: names.length > 1 ? {} : null,
  };
  const x = { type: "quantitative", title: o.x };
  const layers: Spec[] = [
    ...(bands.length > 0
      ? [
          {
            data: { values: bands.map((b) => ({ ...b, kind: o.bands!.name })) },
            mark: { type: "bar", opacity: 0.35, cornerRadius: 2 },
            encoding: { y, x: { ...x, field: "bandLow" }, x2: { field: "bandHigh" }, color: colour },
          },
        ]
      : []),
    ...(o.zero === false ? [] : [zeroLine("x")]),
    {
      mark: { type: "rule", strokeWidth: 1.5 },
      encoding: { y, ...offset, x: { ...x, field: "low" }, x2: { field: "high" }, color: colour },
    },
    {
      mark: { type: "point", filled: true, size: 34, opacity: 1 },
      encoding: {
        y,
        ...offset,
        x: { ...x, field: "value" },
        color: colour,
        shape: {
          field: "kind",
          scale: { domain: names, range: [...SHAPES.slice(0, kinds.length), "square"].slice(0, names.length) },
          title: null,
          legend: names.length > 1 ? {} : null,
        },
      },
    },
  ];
  const step = Math.max(ROW, 10 * kinds.length + 4);
  return figureSpec(o.dots, {
    width: PLOT,
    height: { step, for: "position" },
    layer: layers,
  });
}

export interface Outline {
  readonly label: string;
  readonly slope: number;
  readonly density: number;
}

/** Violins laid flat, a row each, with mean and interval, median, and the stretches that both kinds of control cover. */
export function violinChart(o: {
  outlines: readonly Outline[];
  rows: readonly (Dot & {
    readonly median: number;
    readonly random: Pick<Stretch, "bandLow" | "bandHigh">;
    readonly shuffled: Pick<Stretch, "bandLow" | "bandHigh">;
  })[];
  x: string;
}): Spec {
  const labels = o.rows.map((r) => r.label);
  const place = new Map(labels.map((label, k) => [label, k]));
  const HALF = 0.44;
  const outlines = o.outlines.map(({ label, slope, density }) => {
    const k = place.get(label)!;
    return { label, slope, top: round(k - HALF * density), bottom: round(k + HALF * density) };
  });
  const rows = o.rows.map((r) => ({ ...r, k: place.get(r.label)! }));
  const y = {
    type: "quantitative",
    scale: { domain: [-0.6, labels.length - 0.4], reverse: true, nice: false, zero: false },
    axis: {
      values: labels.map((_, k) => k),
      labelExpr: `${JSON.stringify(labels)}[datum.value]`,
      grid: false,
      ticks: false,
      domain: false,
    },
    title: null,
  };
  const x = { type: "quantitative", title: o.x };
  const bands = [
    { name: "random vectors", half: HALF, of: (r: (typeof rows)[number]) => r.random },
    { name: "shuffled labels", half: HALF / 2, of: (r: (typeof rows)[number]) => r.shuffled },
  ];
  const kinds = ["items", "mean, 95 %", "median", ...bands.map((b) => b.name)];
  const colour = (kind: string): Spec => ({
    datum: kind,
    type: "nominal",
    scale: { domain: kinds, range: ["blue", "ink", "orange", "grey", "purple"].map((name) => light(name as "blue")) },
    legend: { title: null, columns: 2, symbolType: "square" },
  });
  const stretch = ({ name, half, of }: (typeof bands)[number]): Spec[] => {
    const values = rows
      .map((r) => ({ ...of(r), from: r.k - half, to: r.k + half }))
      .filter((r) => Number.isFinite(r.bandLow) && Number.isFinite(r.bandHigh));
    const encoding = {
      x: { ...x, field: "bandLow" },
      x2: { field: "bandHigh" },
      y: { ...y, field: "from" },
      y2: { field: "to" },
      color: colour(name),
    };
    return values.length === 0 ? [] : [{ data: { values }, mark: { type: "rect", opacity: 0.35 }, encoding }];
  };
  return figureSpec(outlines, {
    width: PLOT,
    height: Math.max(60, 30 * labels.length),
    layer: [
      ...bands.flatMap(stretch),
      {
        mark: { type: "area", opacity: 0.45, interpolate: "monotone", orient: "vertical" },
        encoding: {
          x: { ...x, field: "slope" },
          y: { ...y, field: "top" },
          y2: { field: "bottom" },
          detail: { field: "label" },
          color: colour("items"),
        },
      },
      zeroLine("x"),
      {
        data: { values: rows },
        mark: { type: "rule", strokeWidth: 2 },
        encoding: {
          x: { ...x, field: "low" },
          x2: { field: "high" },
          y: { ...y, field: "k" },
          color: colour("mean, 95 %"),
        },
      },
      {
        data: { values: rows },
        mark: { type: "point", filled: true, size: 26, opacity: 1 },
        encoding: { x: { ...x, field: "value" }, y: { ...y, field: "k" }, color: colour("mean, 95 %") },
      },
      {
        data: { values: rows },
        mark: { type: "tick", orient: "vertical", thickness: 2, size: 14 },
        encoding: { x: { ...x, field: "median" }, y: { ...y, field: "k" }, color: colour("median") },
      },
    ],
  });
}

export interface Part {
  readonly label: string;
  readonly part: string;
  readonly share: number;
}

/** Bars of parts that make a whole, with an optional dot and interval in each. */
export function stackedChart(o: {
  parts: readonly Part[];
  order: readonly string[];
  kinds: readonly string[];
  colours: readonly string[];
  x: string;
  dots?: { readonly name: string; readonly rows: readonly Omit<Dot, "kind">[] };
}): Spec {
  const y = { field: "label", type: "nominal", sort: o.order, title: null, axis: { grid: false, ticks: false } };
  const x = {
    type: "quantitative",
    title: o.x,
    axis: { format: "%", values: [0, 0.25, 0.5, 0.75, 1] },
    scale: { domain: [0, 1] },
  };
  const names = o.dots ? [...o.kinds, o.dots.name] : o.kinds;
  const scale = { domain: names, range: [...o.colours, light("ink")].slice(0, names.length) };
  const legend = { title: null, columns: 2, symbolType: "square" };
  const parts = o.parts.map((p) => ({ ...p, place: o.kinds.indexOf(p.part) }));
  return figureSpec(parts, {
    width: PLOT,
    height: { step: ROW },
    layer: [
      {
        mark: { type: "bar", opacity: 0.75 },
        encoding: {
          y,
          x: { ...x, field: "share", stack: "zero" },
          color: { field: "part", type: "nominal", scale, legend },
          order: { field: "place", type: "quantitative" },
        },
      },
      ...(o.dots
        ? [
            {
              data: { values: o.dots.rows },
              mark: { type: "rule", strokeWidth: 1.5 },
              encoding: { y, x: { ...x, field: "low" }, x2: { field: "high" }, color: { datum: o.dots.name } },
            },
            {
              data: { values: o.dots.rows },
              mark: { type: "point", filled: true, size: 24, opacity: 1 },
              encoding: { y, x: { ...x, field: "value" }, color: { datum: o.dots.name } },
            },
          ]
        : []),
    ],
  });
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
