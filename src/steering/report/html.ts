/**
 * A report as one HTML page that needs nothing else: figures are inline SVG, colours follow the reader's light or dark page,
 * it prints, and it fits a phone. Knows content, no files.
 */
import type { ReportContent, ReportFigure, ReportSection, ReportTable } from "./content.ts";
import { plural } from "./names.ts";
import { darkRules, FIGURE_WIDTH } from "./theme.ts";

export function reportHtml(content: ReportContent, svgs: ReadonlyMap<string, string>): string {
  const { title, facts, verdicts, sections } = content;
  const body = [
    `<header><h1>${escapeHtml(title)}</h1>`,
    `<dl>${facts.map(([name, value]) => `<div><dt>${escapeHtml(name)}</dt><dd>${escapeHtml(value)}</dd></div>`).join("")}</dl></header>`,
    `<section class="gate"><h2>Before any figure</h2>${verdicts.map((v) => `<p class="${v.passed ? "pass" : "fail"}"><b>${v.passed ? "Passed" : "Not passed"}</b> ${escapeHtml(v.text)}</p>`).join("")}</section>`,
    `<nav>${sections.map((s) => `<a href="#${s.experiment}">${escapeHtml(`${s.experiment} ${s.title}`)}</a>`).join("")}</nav>`,
    ...sections.map((s) => sectionHtml(s, content, svgs)),
    `<footer>Colours and shapes both tell series apart. Figures lie as SVG and Vega-Lite in <code>figures/</code>, all rows of all tables as CSV in <code>tables/</code>. Paper: arXiv 2407.12404; tags: P printed in it, F measured from its repository's figures.</footer>`,
  ].join("\n");
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`;
}

function sectionHtml(s: ReportSection, content: ReportContent, svgs: ReadonlyMap<string, string>): string {
  const command = content.command(s.experiment);
  const figures = s.figures.map((f) => figureHtml(f, command, svgs.get(f.id) ?? "")).join("\n");
  const tables = s.tables.map(tableHtml).join("\n");
  return `<section id="${s.experiment}"><h2><span>${s.experiment}</span> ${escapeHtml(s.title)}</h2>\n<div class="figures">${figures}</div>\n${tables}</section>`;
}

function figureHtml(f: ReportFigure, command: string, svg: string): string {
  return `<figure id="${f.id}"><h3>${escapeHtml(f.title)}</h3>
${inline(svg, f)}
<figcaption><p>${escapeHtml(f.says)}</p><p class="how">n: ${escapeHtml(f.n)}. Interval: ${escapeHtml(f.interval)}. <a href="figures/${f.id}.svg">SVG</a> <a href="figures/${f.id}.vl.json">Vega-Lite</a></p><code>${escapeHtml(command)}</code></figcaption></figure>`;
}

/** Figures are drawn for a phone; on a wide page they grow up to this. */
const LARGEST = 1.4;

/** Its size is the page's to decide; what it shows is told to those who do not see it. */
function inline(svg: string, f: ReportFigure): string {
  return svg.replace(/^<svg[^>]*>/, (tag) => {
    const box = /viewBox="([^"]*)"/.exec(tag)?.[1] ?? `0 0 ${FIGURE_WIDTH} 200`;
    const width = Math.round(Number(box.split(" ")[2]) * LARGEST);
    return `<svg viewBox="${box}" style="max-width:${width}px" role="img" aria-label="${escapeHtml(f.says)}">`;
  });
}

function tableHtml(t: ReportTable): string {
  const file = `<a href="tables/${t.id}.csv">CSV</a>`;
  if (t.columns.length === 0)
    return `<p class="file">${escapeHtml(t.title)}: ${plural(t.rows.length, "row")}, ${file}</p>`;
  const head = t.columns.map((c) => `<th>${escapeHtml(c.title)}</th>`).join("");
  const rows = t.rows.map(
    (r) => `<tr>${t.columns.map((c) => `<td>${escapeHtml(c.of(r as never))}</td>`).join("")}</tr>`,
  );
  return `<details><summary>${escapeHtml(t.title)} (${plural(t.rows.length, "row")})</summary><div class="scroll" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${rows.join("")}</tbody></table></div><p>${file}</p></details>`;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);
}

const STYLE = `
:root{color-scheme:light dark;--ink:#24292f;--soft:#57606a;--line:#d0d7de;--page:#fff;--card:#f6f8fa;--link:#0a58a0;--pass:#116329;--fail:#a40e26}
@media screen and (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#a5b0bb;--line:#3a424c;--page:#12161b;--card:#1a2027;--link:#6cb6ff;--pass:#5cd1a5;--fail:#ff9a8f}
${darkRules("figure svg")}
}
*{box-sizing:border-box}
body{margin:0 auto;padding:16px 10px 40px;max-width:1240px;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,"DejaVu Sans",sans-serif;overflow-wrap:anywhere}
h1{font-size:1.5rem;line-height:1.25;margin:.2em 0 .5em}
h2{font-size:1.2rem;margin:0 0 .6em}h2 span{color:var(--soft);font-weight:400}
h3{font-size:.95rem;margin:0 0 .5em}
a{color:var(--link)}
dl{display:flex;flex-wrap:wrap;gap:4px 20px;margin:0;font-size:.9rem}dl div{display:flex;gap:6px}dt{color:var(--soft);flex:none}dd{margin:0}
section{margin-top:28px}
.gate p{border-left:4px solid;padding:6px 10px;margin:8px 0;background:var(--card)}.gate .pass{border-color:var(--pass)}.gate .fail{border-color:var(--fail)}.pass b{color:var(--pass)}.fail b{color:var(--fail)}
nav{display:flex;flex-wrap:wrap;gap:4px 14px;font-size:.9rem;margin-top:20px}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,380px),1fr));gap:20px}
figure{margin:0;padding:12px 10px;background:var(--card);border-radius:6px;min-width:0}
figure svg{display:block;width:100%;height:auto}
figcaption{font-size:.9rem}figcaption p{margin:.5em 0}.how,.file,footer{color:var(--soft);font-size:.85rem}
figcaption code{display:block;font-size:.8rem;color:var(--soft);overflow-wrap:anywhere}
details{margin:12px 0}summary{cursor:pointer}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.82rem;margin:.5em 0;overflow-wrap:normal}th,td{padding:3px 10px 3px 0;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}th{color:var(--soft);font-weight:600}
footer{margin-top:36px;border-top:1px solid var(--line);padding-top:10px}
@media print{details::details-content{content-visibility:visible;height:auto}.scroll{overflow:visible}th,td{white-space:normal}body{max-width:none;padding:0;font-size:10pt}nav{display:none}figure{break-inside:avoid;background:none;border:1px solid var(--line)}.figures{grid-template-columns:1fr 1fr}h2{break-after:avoid}}
`;
