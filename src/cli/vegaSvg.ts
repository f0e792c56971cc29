/**
 * Vega-Lite specifications to SVG, without a browser. The two libraries are development dependencies: the build bundles them
 * into this one file, which is loaded when a figure is drawn.
 */
import * as vega from "vega";
import { compile, type TopLevelSpec } from "vega-lite";

/** An export that the library's types leave out. */
interface Measured {
  readonly textMetrics: { width: (item: { readonly fontSize?: number }, text: unknown) => number };
}

/** Widths of characters in DejaVu Sans, the widest of our fonts, in ems: what else there is takes OTHER_WIDTH. */
const WIDTHS: readonly (readonly [characters: string, ems: number])[] = [
  ["iljI.,:;|!'` ", 0.32],
  ['ftr()[]{}/-"', 0.4],
  ["mwMW@%—", 0.95],
  ["ABCDEFGHKLNOPQRSTUVXYZ&", 0.7],
];
const OTHER_WIDTH = 0.61;
const widthOf = new Map(WIDTHS.flatMap(([characters, ems]) => [...characters].map((c) => [c, ems] as const)));
// without a canvas the library takes 0.8 em for every character, and leaves margins half as wide again as they need to be
(vega as unknown as Measured).textMetrics.width = (item, text) => {
  let ems = 0;
  for (const c of String(text)) ems += widthOf.get(c) ?? OTHER_WIDTH;
  return ems * (item.fontSize ?? 11);
};

/** @throws Error where the specification is wrong. */
export async function svgOf(spec: object): Promise<string> {
  // the compiler warns of its own optimiser's limits
  const { spec: parts } = compile(spec as TopLevelSpec, { logger: vega.logger(vega.Error) });
  const view = new vega.View(vega.parse(parts), {
    renderer: "none",
    logLevel: vega.Error,
  });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
