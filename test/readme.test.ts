/**
 * Runs the code blocks of README.md and the programs of examples/ against the build, each in turn, in an empty folder
 * (support/snippets.ts tells which blocks run). Blocks of `npm ci && ...` would start these very tests: their scripts are
 * looked up instead.
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { describeNeeding, needBuild, needModel, root } from "./support/needs.ts";
import { linkPackage, runProgram, runSnippet, type Snippet, snippetsOf } from "./support/snippets.ts";

const BLOCK_TIMEOUT_MS = 300_000;
const readme = existsSync(join(root, "README.md")) ? readFileSync(join(root, "README.md"), "utf8") : "";
/** `npm ci && npm run demo` and its like, alone in a block. */
const CHECKOUT_COMMANDS = /^(npm ci && npm (run [\w:]+|test)\s*)+$/;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "trimtab-readme-"));
  linkPackage(folder);
  symlinkSync(join(root, "examples"), join(folder, "examples"), "dir");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function expectToRun(snippet: Snippet): Promise<void> {
  const { code, stdout, stderr } = await runSnippet(snippet, folder);
  expect(code, `line ${snippet.line}:\n${snippet.code}\n${stdout}\n${stderr}`).toBe(0);
}

describe("README.md", () => {
  const snippets = snippetsOf(readme);
  const checkout = snippets.filter((s) => CHECKOUT_COMMANDS.test(s.code));

  it("shows on its first screen the two commands to try and to test a checkout", () => {
    const firstScreen = readme.split("\n").slice(0, 40).join("\n");
    expect(firstScreen).toContain("npm ci && npm run demo");
    expect(firstScreen).toContain("npm ci && npm test");
  });

  it("names scripts that are there", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const named = [...readme.matchAll(/npm (?:run ([\w:]+)|(test))/g)].map((m) => m[1] ?? m[2]!);
    expect(named.length).toBeGreaterThan(1);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });

  it("has blocks that run", () => {
    expect(new Set(snippets.map((s) => s.language))).toContain("ts");
    expect(new Set(snippets.map((s) => s.language))).toContain("sh");
  });

  describeNeeding([needBuild, needModel], "blocks", () => {
    for (const snippet of snippets.filter((s) => !checkout.includes(s))) {
      it(`line ${snippet.line} (${snippet.language})`, () => expectToRun(snippet), BLOCK_TIMEOUT_MS);
    }
  });
});

describeNeeding([needBuild, needModel], "examples/", () => {
  const programs = readdirSync(join(root, "examples")).filter((file) => file.endsWith(".mjs"));
  it.each(programs)(
    "%s",
    async (file) => {
      const { code, stdout, stderr } = await runProgram(process.execPath, [join("examples", file)], folder);
      expect(code, `${stdout}\n${stderr}`).toBe(0);
      expect(stdout).not.toBe("");
    },
    BLOCK_TIMEOUT_MS,
  );
});

describe("finding code blocks", () => {
  it("takes languages, no-run and continued as they are meant", () => {
    const page = [
      "# Title",
      "```ts",
      "const a = 1;",
      "```",
      "text `code`",
      "```ts continued",
      "a;",
      "```",
      "```sh no-run",
      "rm -rf x",
      "```",
      "```json",
      "{}",
      "```",
      "````bash",
      "echo '```'",
      "````",
    ].join("\n");
    expect(snippetsOf(page)).toEqual([
      { language: "ts", code: "const a = 1;\na;\n", line: 3 },
      { language: "sh", code: "echo '```'\n", line: 16 },
    ]);
  });

  it("refuses words it does not know", () => {
    expect(() => snippetsOf("```ts norun\n1;\n```\n")).toThrow(/line 1: "norun"/);
    expect(() => snippetsOf("```sh\nls\n```\n```ts continued\n1;\n```\n")).toThrow(/line 4: "continued"/);
  });
});

describeNeeding(needBuild, "running code blocks", () => {
  const run = (language: Snippet["language"], code: string) => runSnippet({ language, code, line: 1 }, folder);

  it("runs TypeScript with the package's types", async () => {
    const outcome = await run(
      "ts",
      'import { ARCHITECTURES } from "trimtab";\nconst names: readonly string[] = ARCHITECTURES;\nconsole.log(names.includes("llama"));\n',
    );
    expect(outcome).toMatchObject({ code: 0, stdout: "true\n" });
  });

  it("fails where the types do not fit", async () => {
    const outcome = await run("ts", 'import { loadModel } from "trimtab";\nconst wrong: number = loadModel;\n');
    expect(outcome).toMatchObject({
      code: expect.not.toSatisfy((c) => c === 0),
      stdout: expect.stringContaining("TS2322"),
    });
  });

  it("fails where a program throws, and where a command in the middle fails", async () => {
    expect(await run("js", 'throw new Error("thrown");\n')).toMatchObject({ code: 1 });
    expect(await run("sh", "false\necho after\n")).toMatchObject({ code: 1, stdout: "" });
  });

  it("finds the program by its name and through npx", async () => {
    const { version } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    expect(await run("sh", "trimtab --version\nnpx trimtab --version\n")).toMatchObject({
      code: 0,
      stdout: `${version}\n${version}\n`,
    });
  });
});
