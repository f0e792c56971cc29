/** A report of a made-up study with every control: all figures compile and draw, and the page, text and tables say what they should. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { optionalPng } from "../../../src/cli/svgToPng.ts";
import { svgOf } from "../../../src/cli/vegaSvg.ts";
import { MWE_SETS } from "../../../src/steering/datasets/mweHashes.ts";
import { StudyData } from "../../../src/steering/experiments/studyData.ts";
import type { ReportContent } from "../../../src/steering/report/content.ts";
import { tableCsv } from "../../../src/steering/report/markdown.ts";
import { number, percent, pValue, shortName } from "../../../src/steering/report/names.ts";
import { heatChart } from "../../../src/steering/report/planeCharts.ts";
import { EXPERIMENTS, reportContent } from "../../../src/steering/report/report.ts";
import { COLOURS } from "../../../src/steering/report/theme.ts";
import { smaller, writeReport } from "../../../src/steering/report/writeReport.ts";
import { syntheticStudy } from "../../support/syntheticStudy.ts";
import { syntheticUnit, wobble } from "../../support/syntheticUnits.ts";

const folder = mkdtempSync(join(tmpdir(), "trimtab-report-"));
let content: ReportContent;
let page: string;

beforeAll(async () => {
  const study = new StudyData(syntheticStudy(["tiny-a", "tiny-b"]), { bootstrap: { resamples: 50 } });
  content = reportContent({
    study,
    title: "A study <of> tests",
    facts: [["model", "tiny-a"]],
    command: (experiment) => `trimtab study ${experiment} -o "runs/x"`,
  });
  await writeReport(folder, content, { svgOf, pngOf: await optionalPng() });
  page = readFileSync(join(folder, "index.html"), "utf8");
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

describe("the report's folder", () => {
  it("has a section for every experiment", () => {
    expect(content.sections.map((s) => s.experiment)).toEqual([...EXPERIMENTS]);
    const figures = content.sections.flatMap((s) => s.figures.map((f) => f.id));
    expect(new Set(figures).size).toBe(figures.length);
    for (const start of ["E12-variance", "E13-mean-variance", "E1-layers", "E4-layers", "letters-orders"])
      expect(
        figures.some((id) => id.startsWith(start)),
        start,
      ).toBe(true);
  });

  it("has every figure as SVG, PNG and Vega-Lite, every table as CSV", () => {
    const figures = content.sections.flatMap((s) => s.figures);
    for (const { id } of figures) {
      const svg = readFileSync(join(folder, "figures", `${id}.svg`), "utf8");
      expect(svg, id).toMatch(/^<svg [^>]*viewBox/);
      expect(svg, id).not.toContain("NaN");
      const spec = JSON.parse(readFileSync(join(folder, "figures", `${id}.vl.json`), "utf8"));
      expect(spec.$schema, id).toContain("vega-lite/v6");
      const png = readFileSync(join(folder, "figures", `${id}.png`));
      const width = Number(/width="([\d.]+)"/.exec(svg)![1]);
      expect(png.subarray(1, 4).toString(), id).toBe("PNG");
      expect(Math.abs(png.readUInt32BE(16) - 2 * width), id).toBeLessThanOrEqual(2);
    }
    const tables = content.sections.flatMap((s) => s.tables.map((t) => `${t.id}.csv`));
    expect(readdirSync(join(folder, "tables")).sort()).toEqual([...tables].sort());
  });

  it("draws nothing wider than a phone", () => {
    const widths = readdirSync(join(folder, "figures"))
      .filter((file) => file.endsWith(".svg"))
      .map((file) => [
        file,
        Number(/viewBox="0 0 ([\d.]+)/.exec(readFileSync(join(folder, "figures", file), "utf8"))![1]),
      ]);
    expect(widths.filter(([, width]) => Number(width) > 366)).toEqual([]);
  });

  it("keeps specifications small, whatever the number of items", () => {
    for (const { id, spec } of content.sections.flatMap((s) => s.figures))
      expect(JSON.stringify(spec).length, id).toBeLessThan(150_000);
  });
});

describe("the page", () => {
  it("needs no network and escapes what it shows", () => {
    expect(page).not.toMatch(/<(?:script|link|img|iframe)/);
    expect(page).not.toMatch(/(?:src|href)="https?:/);
    expect(page).not.toMatch(/url\(\s*["']?https?:/);
    expect(page).toContain("A study &lt;of&gt; tests");
    expect(page).toContain("trimtab study E1 -o &quot;runs/x&quot;");
  });

  it("says of every figure what it shows, its n, its interval and its command", () => {
    const figures = content.sections.flatMap((s) => s.figures);
    expect(page.match(/<figure /g)).toHaveLength(figures.length);
    expect(page.match(/<code>trimtab study/g)).toHaveLength(figures.length);
    for (const f of figures) {
      expect(f.says, f.id).toMatch(/^[A-Z0-9].*\.$/s);
      expect(f.n.length, f.id).toBeGreaterThan(3);
      expect(f.interval.length, f.id).toBeGreaterThan(3);
      expect(f.says + f.n, f.id).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  it("opens with the gate", () => {
    expect(page.indexOf("Before any figure")).toBeLessThan(page.indexOf("<figure"));
    expect(content.verdicts).toHaveLength(4);
    expect(content.verdicts[0]!.text).toContain("answers in the A/B format");
  });

  it("says so where a model does not answer, or does not beat random vectors", () => {
    const vectors = ["BASE", "BASE/random-0", "BASE/random-1"];
    const units = Array.from({ length: 6 }, (_, d) =>
      syntheticUnit({
        dataset: `d${d}`,
        vectors,
        mass: 0.01,
        slope: (i, v) => wobble(i + 7 * d, v.length + Number(v.at(-1) === "1")) - 0.8 * Number(v === "BASE"),
      }),
    );
    const [verdict] = reportContent({
      study: new StudyData(units),
      title: "",
      facts: [],
      command: () => "",
      only: ["E1"],
    }).verdicts;
    expect(verdict!.passed).toBe(false);
    expect(verdict!.text).toContain("does not answer in the A/B format");
    expect(verdict!.text).toContain("NOT distinguishable");
  });

  it("has the paper's numbers beside ours", () => {
    const e1 = content.sections[0]!.tables[0]!;
    const myopic = e1.rows.find((r) => (r as { dataset: string }).dataset === "myopic-reward") as Record<
      string,
      number
    >;
    expect(myopic).toMatchObject({ paperMedian: 0.36, paperAnti: 0.492 });
    expect(page).toContain("0.891");
  });
});

it("reports a run of one set without controls", async () => {
  const study = new StudyData([syntheticUnit({ slope: (i) => 1 + wobble(i), count: 5 })]);
  const small = reportContent({ study, title: "one", facts: [], command: () => "trimtab report x" });
  expect(small.verdicts[0]!.text).toContain("no random vectors were run");
  for (const { spec } of small.sections.flatMap((s) => s.figures)) expect(await svgOf(spec)).not.toContain("NaN");
});

it.each([
  ["one item", "d", 1],
  ["a set that is named like what every object has", "constructor", 9],
])("draws %s", async (_, dataset, count) => {
  const units = [dataset, "e"].map((name, d) =>
    syntheticUnit({ dataset: name, count, layers: [3, 5], slope: (i) => 1 + wobble(i, d) }),
  );
  const { sections } = reportContent({ study: new StudyData(units), title: "", facts: [], command: () => "" });
  for (const { id, spec } of sections.flatMap((s) => s.figures)) expect(await svgOf(spec), id).not.toContain("NaN");
});

it("gives models files of their own, on file systems that ignore case too", () => {
  const study = new StudyData(syntheticStudy(["org/a", "org_a", "Org/a"]), { bootstrap: { resamples: 20 } });
  const { sections } = reportContent({ study, title: "", facts: [], command: () => "" });
  for (const ids of [sections.flatMap((s) => s.figures), sections.flatMap((s) => s.tables)].map((all) =>
    all.map(({ id }) => id.toLowerCase()),
  ))
    expect(new Set(ids).size).toBe(ids.length);
}, 30_000);

it("leaves out what two multipliers cannot show", () => {
  const study = new StudyData([syntheticUnit({ slope: (i) => 1 + wobble(i), count: 3, multipliers: [-1, 1] })]);
  const { sections } = reportContent({ study, title: "two", facts: [], command: () => "" });
  expect(sections.map((s) => s.experiment)).not.toContain("E10");
});

it("leaves the numbers of axes as they are", () => {
  expect(smaller('<path d="M1.23456,2"/><text>0.002</text>')).toBe('<path d="M1.23,2"/><text>0.002</text>');
});

it("writes CSV with quotes where they are needed, and nothing for NaN", () => {
  const table = {
    id: "t",
    title: "",
    columns: [],
    rows: [
      { a: 'x,"y"', b: Number.NaN },
      { b: 0.1, c: true },
    ],
  };
  expect(tableCsv(table)).toBe('a,b,c\n"x,""y""",,\n,0.1,true\n');
});

it("writes numbers and names for people", () => {
  expect([number(-1.234), number(Number.NaN), number(0.0001), percent(0.126)]).toEqual([
    "−1.23",
    "—",
    "0.0001",
    "13 %",
  ]);
  expect([pValue(0.0004), pValue(0.04), pValue(Number.NaN)]).toEqual(["p < 0.001", "p = 0.040", "p —"]);
  expect(shortName("willingness-to-use-physical-force-to-achieve-benevolent-goals")).toBe("willing-force");
  expect(shortName("a".repeat(40))).toHaveLength(24);
  expect(shortName(`${"a".repeat(20)}b${"a".repeat(20)}`)).not.toBe(shortName("a".repeat(41)));
  expect(shortName("constructor")).toBe("constructor (set)");
  const labels = Object.keys(MWE_SETS).map(shortName);
  expect(new Set(labels).size).toBe(152);
  expect(Math.max(...labels.map((label) => label.length))).toBe(24);
});

function luminance(hex: string): number {
  const [r, g, b] = [1, 3, 5]
    .map((i) => Number.parseInt(hex.slice(i, i + 2), 16) / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high! + 0.05) / (low! + 0.05);
}

it("has colours that stand out from both pages", () => {
  for (const [name, { light, dark }] of Object.entries(COLOURS)) {
    if (name === "grid") continue;
    const least = name === "ink" || name === "muted" ? 4.5 : 2.9;
    expect(contrast(light, "#f6f8fa"), `${name} light`).toBeGreaterThan(least);
    expect(contrast(dark, "#1a2027"), `${name} dark`).toBeGreaterThan(least);
  }
});

it("writes numbers into heat cells that can be read on every colour of the scale", async () => {
  const hex = (colour: string): string =>
    colour.startsWith("rgb")
      ? `#${[...colour.matchAll(/\d+/g)].map(([n]) => Number(n).toString(16).padStart(2, "0")).join("")}`
      : colour.replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3");
  const steps = Array.from({ length: 401 }, (_, i) => i);
  for (const diverging of [false, true]) {
    const cells = steps.map((i) => ({ row: `r${i}`, column: "c", value: diverging ? i / 200 - 1 : i / 400 }));
    const rows = cells.map((c) => c.row);
    const titles = { rowTitle: "", columnTitle: "", legend: "" };
    const svg = await svgOf(heatChart({ cells, rows, columns: ["c"], ...titles, diverging, most: 1 }));
    const grounds = [...svg.matchAll(/ fill="(rgb\([^"]*\))"/g)].map((m) => hex(m[1]!));
    const texts = [...svg.matchAll(/<text[^>]*font-size="9px"[^>]*fill="([^"]*)"/g)].map((m) => hex(m[1]!));
    expect([grounds.length, texts.length]).toEqual([401, 401]);
    expect(Math.min(...steps.map((i) => contrast(grounds[i]!, texts[i]!)))).toBeGreaterThanOrEqual(4.5);
  }
});
