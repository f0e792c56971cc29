/**
 * How figures look: one palette that colour-blind readers can tell apart, in a light and a dark variant, and the Vega-Lite
 * configuration. Figures are drawn in the light colours; style rules exchange them where the reader's page is dark.
 */

/** Ink, lines and series, with what each becomes on a dark page. All have a contrast of 3 or more to their background. */
export const COLOURS = {
  ink: { light: "#24292f", dark: "#e6edf3" },
  muted: { light: "#57606a", dark: "#a5b0bb" },
  grid: { light: "#d8dee4", dark: "#3a424c" },
  blue: { light: "#0b62a4", dark: "#6cb6ff" },
  orange: { light: "#c24a0a", dark: "#ff9a6b" },
  green: { light: "#1a7f5a", dark: "#5cd1a5" },
  purple: { light: "#7b4ea3", dark: "#c9a0f0" },
  grey: { light: "#7a848e", dark: "#8b96a1" },
  brown: { light: "#7a5c00", dark: "#d9b44a" },
} as const;

type Name = keyof typeof COLOURS;

export const light = (name: Name): string => COLOURS[name].light;

/** In the order in which series take them; never more at once. */
export const SERIES: readonly string[] = [
  light("blue"),
  light("orange"),
  light("green"),
  light("purple"),
  light("grey"),
  light("brown"),
];
export const SHAPES: readonly string[] = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down"];

/** Rules that repaint a figure: attributes of an SVG give way to them. */
export function darkRules(within: string): string {
  return Object.values(COLOURS)
    .flatMap(({ light, dark }) => ["fill", "stroke"].map((what) => `${within} [${what}="${light}"]{${what}:${dark}}`))
    .join("\n");
}

export const FONT = "system-ui, DejaVu Sans, sans-serif";

/** Widest figure, in CSS pixels: one column of a journal, or a phone. */
export const FIGURE_WIDTH = 340;

export type Spec = Readonly<Record<string, unknown>>;

const text = { labelFont: FONT, titleFont: FONT, labelFontSize: 10, titleFontSize: 10, labelColor: light("ink") };

/** Shared by all figures. */
export const CONFIG: Spec = {
  background: null,
  font: FONT,
  padding: 4,
  view: { stroke: null },
  axis: {
    ...text,
    titleColor: light("muted"),
    titleFontWeight: "normal",
    gridColor: light("grid"),
    domainColor: light("grid"),
    tickColor: light("grid"),
    labelLimit: 150,
    labelSeparation: 5,
    titlePadding: 6,
  },
  axisY: { labelPadding: 5 },
  legend: {
    ...text,
    titleColor: light("muted"),
    titleFontWeight: "normal",
    orient: "top",
    direction: "horizontal",
    columns: 3,
    labelLimit: 220,
    symbolStrokeWidth: 1.5,
    symbolOpacity: 1,
    offset: 6,
    padding: 0,
    columnPadding: 10,
    rowPadding: 2,
  },
  header: {
    ...text,
    titleColor: light("muted"),
    titleFontWeight: "normal",
    labelFontSize: 10,
    labelPadding: 3,
    labelLimit: 150,
  },
  range: { category: SERIES, symbol: SHAPES },
};

/** A whole figure. */
export function figureSpec(data: readonly object[], body: Spec): Spec {
  const schema = "https://vega.github.io/schema/vega-lite/v6.json";
  return { $schema: schema, data: { values: data }, ...body, config: CONFIG };
}
