/**
 * Writes a report's folder: `index.html`, `report.md`, `figures/*.svg` and `*.vl.json` (and `*.png`), `tables/*.csv`. How a
 * specification becomes a picture is given, so that only the CLI carries those libraries. Node only; its modules are imported when something is written.
 */
import type { ReportContent } from "./content.ts";
import { escapeHtml, reportHtml } from "./html.ts";
import { reportMarkdown, tableCsv } from "./markdown.ts";
import { COLOURS, darkRules } from "./theme.ts";

/** A Vega-Lite specification as SVG, and that as PNG where it can be. */
export interface Draw {
  readonly svgOf: (spec: object) => Promise<string>;
  readonly pngOf?: (svg: string) => Uint8Array;
}

/** The files written, relative to the folder. */
export async function writeReport(folder: string, content: ReportContent, { svgOf, pngOf }: Draw): Promise<string[]> {
  const { mkdir, writeFile } = await import("node:fs/promises");
  const { join } = await import("node:path");
  const written: string[] = [];
  const write = async (name: string, text: string | Uint8Array): Promise<void> => {
    await writeFile(join(folder, name), text);
    written.push(name);
  };
  for (const sub of ["figures", "tables"]) await mkdir(join(folder, sub), { recursive: true });
  const svgs = new Map<string, string>();
  for (const figure of content.sections.flatMap((s) => s.figures)) {
    const svg = smaller(await svgOf(figure.spec));
    svgs.set(figure.id, svg);
    await write(`figures/${figure.id}.svg`, standalone(svg, figure.says));
    await write(`figures/${figure.id}.vl.json`, `${JSON.stringify(figure.spec)}\n`);
    if (pngOf) await write(`figures/${figure.id}.png`, pngOf(svg));
  }
  for (const table of content.sections.flatMap((s) => s.tables)) await write(`tables/${table.id}.csv`, tableCsv(table));
  await write("index.html", reportHtml(content, svgs));
  await write("report.md", reportMarkdown(content));
  return written;
}

/** Numbers in tags to a hundredth of a pixel, and no repeated descriptions of every mark for screen readers. */
export function smaller(svg: string): string {
  return svg.replaceAll(/<[^>]*>/g, (tag) =>
    tag
      .replaceAll(/ aria-(?:label|roledescription|hidden)="[^"]*"| role="[^"]*"| pointer-events="[^"]*"/g, "")
      .replaceAll(/(\d+\.\d{2})\d+/g, "$1"),
  );
}

/** A file of its own follows the reader's light or dark page too. */
function standalone(svg: string, says: string): string {
  const dark = `${darkRules("svg")}\nsvg{background:#12161b}`;
  const light = COLOURS.ink.light;
  const style = `<style>svg{color:${light}}@media (prefers-color-scheme:dark){${dark}}</style>`;
  return svg.replace(/(<svg[^>]*>)/, `$1<title>${escapeHtml(says)}</title>${style}`);
}
