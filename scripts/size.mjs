/** Prints the lines of every source file, longest first, with totals by folder, and the gzipped size of dist. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (folder, ending) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((f) => f.endsWith(ending))
    .map((f) => ({ file: `${folder}/${f}`, text: readFileSync(join(root, folder, f), "utf8") }));

const rows = ["src", "test", "bench"].filter((f) => existsSync(join(root, f))).flatMap((f) => read(f, ".ts"));
const sized = rows
  .map(({ file, text }) => ({ file, lines: text.split("\n").length }))
  .sort((a, b) => b.lines - a.lines);
for (const { file, lines } of sized)
  console.log(`${String(lines).padStart(6)}  ${file}${lines > 300 ? "  (long)" : ""}`);

const folders = new Map();
for (const { file, lines } of sized) {
  const key = file
    .split("/")
    .slice(0, file.startsWith("src/") ? 2 : 1)
    .join("/");
  folders.set(key, (folders.get(key) ?? 0) + lines);
}
console.log("");
for (const [folder, lines] of [...folders].sort((a, b) => b[1] - a[1]))
  console.log(`${String(lines).padStart(6)}  ${folder}`);
if (existsSync(join(root, "dist"))) {
  const js = read("dist", ".js");
  const bytes = gzipSync(js.map((f) => f.text).join("\n")).length;
  console.log(`\ndist: ${js.length} modules, ${(bytes / 1024).toFixed(1)} kB gzipped together`);
}
