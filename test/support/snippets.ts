/**
 * The code blocks of a Markdown page, and running them as a reader would: in an empty folder where the package `trimtab` is
 * installed. Knows TypeScript's compiler and a shell, no page.
 *
 * Blocks of `ts`, `js` and `sh` run in the order of the page, all in one folder. Words after the language change that:
 * `no-run` leaves a block out; `continued` goes on in the module of the block before it, with that one's variables.
 * A `ts` block is checked against the package's types before it runs.
 */
import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { root } from "./needs.ts";

export interface Snippet {
  readonly language: "ts" | "js" | "sh";
  readonly code: string;
  /** Line of the page at which the code begins, from 1. */
  readonly line: number;
}

export interface Outcome {
  /** Exit status; 1 where the program was ended by a signal or the types do not fit. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const LANGUAGES: Readonly<Record<string, Snippet["language"]>> = {
  ts: "ts",
  typescript: "ts",
  js: "js",
  javascript: "js",
  sh: "sh",
  bash: "sh",
  shell: "sh",
};
const FENCE = /^(`{3,})([^\n`]*)\n([\s\S]*?)^\1[ \t]*$/gm;

/** The blocks of a page that are to be run. @throws Error for a word after the language that means nothing here. */
export function snippetsOf(markdown: string): Snippet[] {
  const snippets: Snippet[] = [];
  for (const { index, 2: info, 3: code } of markdown.matchAll(FENCE)) {
    const [name, ...words] = info!.trim().split(/\s+/);
    const language = LANGUAGES[name!.toLowerCase()];
    const line = markdown.slice(0, index).split("\n").length + 1;
    if (!language) continue;
    const unknown = words.find((word) => word !== "no-run" && word !== "continued");
    if (unknown) throw new Error(`line ${line - 1}: "${unknown}" after ${name}; known words: no-run, continued`);
    if (words.includes("no-run")) continue;
    const before = snippets.at(-1);
    if (!words.includes("continued")) snippets.push({ language, code: code!, line });
    else if (before?.language === language) snippets[snippets.length - 1] = { ...before, code: before.code + code! };
    else throw new Error(`line ${line - 1}: "continued", but the block before it is not ${language}`);
  }
  return snippets;
}

/** Makes `folder` a package of its own in which the built working tree is installed as `trimtab`, by links. */
export function linkPackage(folder: string): void {
  mkdirSync(join(folder, "node_modules", ".bin"), { recursive: true });
  symlinkSync(root, join(folder, "node_modules", "trimtab"), "dir");
  symlinkSync(join(root, "dist", "cli", "main.js"), join(folder, "node_modules", ".bin", "trimtab"));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "reader", private: true, type: "module" }));
}

/** Runs one block in `folder`. */
export async function runSnippet({ language, code, line }: Snippet, folder: string): Promise<Outcome> {
  if (language === "sh") return runProgram("bash", ["-euo", "pipefail", "-c", code], folder);
  const name = `line${line}`;
  writeFileSync(join(folder, `${name}.${language === "ts" ? "mts" : "mjs"}`), code);
  if (language === "ts") {
    const compiled = await compile(`${name}.mts`, folder);
    if (compiled.code !== 0) return compiled;
  }
  return runProgram(process.execPath, [`${name}.mjs`], folder);
}

function compile(file: string, folder: string): Promise<Outcome> {
  const settings = {
    compilerOptions: {
      strict: true,
      target: "ES2022",
      lib: ["ES2024", "ESNext.Disposable", "DOM", "DOM.AsyncIterable"],
      module: "NodeNext",
      skipLibCheck: true,
      types: ["node"],
      typeRoots: [join(root, "node_modules", "@types")],
    },
    files: [file],
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(settings));
  return runProgram(process.execPath, [join(root, "node_modules", "typescript", "bin", "tsc")], folder);
}

/** Runs a program with no input, the folder's own programs first in its path, and the model source that tests use. */
export function runProgram(program: string, args: readonly string[], folder: string): Promise<Outcome> {
  const env: NodeJS.ProcessEnv = { TRIMTAB_MODEL_SOURCE: "pip", ...process.env, NO_COLOR: "1" };
  env.PATH = [join(folder, "node_modules", ".bin"), process.env.PATH].join(delimiter);
  // `npm test` sets this to the repository, and a nested npm would work there instead of in the folder.
  delete env.npm_config_local_prefix;
  return new Promise((resolve) => {
    const child = execFile(program, args, { cwd: folder, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : typeof error.code === "number" ? error.code : 1, stdout, stderr });
    });
    child.stdin?.end();
  });
}
