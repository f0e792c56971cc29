/**
 * Prints the lines of every source file, longest first, with totals by folder, what is too long, and what the built library
 * weighs gzipped against the budgets of the design. Exits 0 whatever it finds: the architecture test holds the limits.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const LONG_LINES = 300;
const TOO_LONG_LINES = 400;
/** Gzipped kB of modules, their own lines only. */
const BUDGETS = [
  { part: "core", folders: ["tensor", "kernels", "formats"], kB: 60 },
  { part: "library", folders: ["tensor", "kernels", "formats", "model", "steering"], kB: 120 },
  { part: "all with the CLI", folders: [""] },
];

const root = fileURLToPath(new URL("..", import.meta.url));

function read(folder, ending) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending))
    .map((file) => ({ file: `${folder}/${file}`, text: readFileSync(join(root, folder, file), "utf8") }));
}

function row(number, label) {
  console.log(`${String(number).padStart(8)}  ${label}`);
}

const sized = ["src", "test", "bench", "examples", "scripts"]
  .flatMap((folder) => [...read(folder, ".ts"), ...read(folder, ".mjs")])
  .map(({ file, text }) => ({ file, lines: text.split("\n").length - 1 }))
  .sort((a, b) => b.lines - a.lines);
for (const { file, lines } of sized) {
  row(lines, `${file}${lines > TOO_LONG_LINES ? "  TOO LONG" : lines > LONG_LINES ? "  long" : ""}`);
}

const totals = new Map();
for (const { file, lines } of sized) {
  const parts = file.split("/");
  const inFolder = parts[0] === "src" && parts.length > 2;
  for (const key of inFolder ? [parts[0], `${parts[0]}/${parts[1]}`] : [parts[0]]) {
    const { files, lines: before } = totals.get(key) ?? { files: 0, lines: 0 };
    totals.set(key, { files: files + 1, lines: before + lines });
  }
}
console.log("\n   lines  folder");
for (const [folder, { files, lines }] of [...totals].sort()) row(lines, `${folder} (${files} files)`);

const modules = read("dist", ".js");
if (modules.length === 0) console.log("\ndist/ is not built: run `npm run build` for its size");
else {
  console.log("\n gzip kB  dist");
  for (const { part, folders, kB } of BUDGETS) {
    const own = modules.filter(({ file }) => folders.some((folder) => file.startsWith(`dist/${folder}`)));
    const size = gzipSync(own.map((m) => m.text).join("\n")).length / 1000;
    const budget = kB === undefined ? "" : `, budget ${kB}${size > kB ? ": OVER" : ""}`;
    row(size.toFixed(1), `${part} (${own.length} modules${budget})`);
  }
}
