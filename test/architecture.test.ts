/**
 * Holds the structure: import arrows (tensor <- kernels, formats <- model <- steering <- cli), no cycles, Node's modules only
 * where a browser never loads them, headers, exact versions, a clean lock file.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./support/needs.ts";

const src = join(root, "src");
/** What each folder may import besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  tensor: [],
  kernels: ["tensor"],
  formats: ["tensor"],
  model: ["tensor", "kernels", "formats"],
  steering: ["tensor", "kernels", "formats", "model"],
  "index.ts": ["tensor", "kernels", "formats", "model", "steering"],
  cli: ["tensor", "kernels", "formats", "model", "steering", "index.ts"],
};
/** Files that only Node loads. Everything else must import node: modules dynamically. */
const NODE_ONLY = /^(cli\/|model\/hub\/|.*\/node[A-Z]\w*\.ts$)/;

const files = readdirSync(src, { recursive: true, encoding: "utf8" }).filter((f) => f.endsWith(".ts"));
const text = new Map(files.map((f) => [f, readFileSync(join(src, f), "utf8")]));
const IMPORT = /(?:^|\n)\s*(?:import|export)\s(type\s)?(?:[^"';]*?\sfrom\s+)?"([^"]+)"|import\("([^"]+)"\)/g;

interface Import {
  readonly file: string;
  readonly specifier: string;
  /** Runs when the file is loaded: neither `import type` nor `import()`. */
  readonly isStatic: boolean;
  readonly target: string | undefined;
}

const imports: Import[] = files.flatMap((file) =>
  [...text.get(file)!.matchAll(IMPORT)].map(([, isType, fixed, dynamic]) => {
    const specifier = (fixed ?? dynamic)!;
    const target = specifier.startsWith(".") ? relative(src, resolve(join(src, dirname(file)), specifier)) : undefined;
    return { file, specifier, isStatic: fixed !== undefined && !isType, target };
  }),
);
const folder = (file: string): string => file.split("/")[0]!;

describe("architecture", () => {
  it("finds the sources", () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(100);
  });

  it("imports only downward", () => {
    const wrong = imports.filter(
      ({ file, target }) =>
        target && folder(target) !== folder(file) && !MAY_IMPORT[folder(file)]?.includes(folder(target)),
    );
    expect(wrong.map((i) => `${i.file} -> ${i.target}`)).toEqual([]);
  });

  it("has no import cycles", () => {
    const edges = new Map(
      files.map((f) => [f, imports.filter((i) => i.file === f && i.isStatic && i.target).map((i) => i.target!)]),
    );
    const cycles: string[] = [];
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
      else if (!done.has(file)) for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
    expect(cycles).toEqual([]);
  });

  it("imports Node's modules statically only where a browser never goes", () => {
    const wrong = imports.filter((i) => i.isStatic && i.specifier.startsWith("node:") && !NODE_ONLY.test(i.file));
    expect(wrong.map((i) => `${i.file}: ${i.specifier}`)).toEqual([]);
  });

  it("opens every file with a header", () => {
    expect(files.filter((f) => !/^(#!.*\n)?\/\*\*/.test(text.get(f)!))).toEqual([]);
  });

  it("keeps files short", () => {
    expect(files.filter((f) => text.get(f)!.split("\n").length > 400)).toEqual([]);
  });
});

describe("package", () => {
  const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const lock = readFileSync(join(root, "package-lock.json"), "utf8");

  it("pins exact versions", () => {
    const all = Object.entries({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(String(version)))).toEqual([]);
  });

  it("depends at run time only on what the design names", () => {
    expect(Object.keys(manifest.dependencies).sort()).toEqual([
      "@huggingface/jinja",
      "@huggingface/tokenizers",
      "commander",
      "picocolors",
    ]);
  });

  it("records no download addresses", () => {
    expect(lock).not.toContain('"resolved"');
  });
});
