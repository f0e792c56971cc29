/** What scripts rely on: exit codes, messages of at most three lines, data on stdout, and the goldens through the CLI. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { describeNeeding, fixtures, needBuild } from "../support/needs.ts";
import { trimtab } from "./spawn.ts";

const LLAMA = join(fixtures, "tiny", "llama");
const folder = mkdtempSync(join(tmpdir(), "trimtab-cli-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What Vulkan's loader, its drivers and Dawn write to stderr themselves, which nobody can catch. */
const NATIVE_LINES = /^(Warning: .*| - While .*| +at .*\.cpp:\d+\)|error: XDG_RUNTIME_DIR .*|)\n/gm;

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

describeNeeding(needBuild, "exit codes and messages", () => {
  const cases: [string, string[], number, RegExp][] = [
    ["no command", [], 2, /Usage: trimtab/],
    ["an unknown command", ["genrate"], 2, /unknown command 'genrate'\nhint: did you mean generate\?/],
    ["an unknown option", ["generate", "--promt", "x"], 2, /unknown option '--promt'\nhint: did you mean --prompt\?/],
    ["a bad number", ["generate", "--max-tokens", "0"], 2, /--max-tokens <n>.*whole number of 1 or more/],
    ["a bad choice", ["generate", "--device", "tpu"], 2, /Allowed choices are cpu, webgpu, auto/],
    ["no prompt", ["generate", "-m", LLAMA], 2, /there is no prompt\nhint: /],
    ["a prompt twice", ["generate", "-p", "a", "--tokens", "1"], 2, /both --prompt and --tokens/],
    ["text without a tokenizer", ["generate", "-m", LLAMA, "--raw", "-p", "hi"], 2, /no tokenizer.*\nhint: .*--tokens/],
    ["a token out of range", ["generate", "-m", LLAMA, "--tokens", "99999"], 2, /token 0 of the prompt is 99999/],
    ["a context too large", ["generate", "-m", LLAMA, "--tokens", "1", "--context", "9999"], 2, /context 9999/],
    [
      "a prompt too long",
      ["generate", "-m", LLAMA, "--tokens", "1,2,3", "--context", "2"],
      2,
      /3 tokens; the context is 2/,
    ],
    [
      "a layer without a vector",
      ["generate", "-m", LLAMA, "--tokens", "1", "--layer", "1"],
      2,
      /--layer without --vector/,
    ],
    [
      "no such vector file",
      ["generate", "-m", LLAMA, "--tokens", "1", "--vector", "none.st:2"],
      3,
      /no such file: none\.st/,
    ],
    ["no such model", ["generate", "-m", "./nowhere", "--tokens", "1", "--offline"], 3, /nowhere/],
    ["an absent device", ["generate", "-m", LLAMA, "--tokens", "1", "--device", "webgpu"], 4, /webgpu.*\nhint: /],
    ["no such pairs", ["extract", "-m", LLAMA, "--pairs", "none.jsonl", "-o", "v.st"], 3, /no such file: none\.jsonl/],
    [
      "no place to write to",
      ["extract", "-m", LLAMA, "--pairs", file("p.jsonl", '{"positive":"a","negative":"b"}'), "-o", "no/where/v.st"],
      2,
      /there is no folder/,
    ],
    [
      "a bad line of pairs",
      [
        "extract",
        "-m",
        LLAMA,
        "--pairs",
        file("bad.jsonl", '{"positive":"a","negative":"b"}\n{"positive":1}'),
        "-o",
        join(folder, "v.st"),
      ],
      2,
      /bad\.jsonl:2: "positive" is 1/,
    ],
  ];
  it.each(cases)("%s", async (_, args, code, message) => {
    const r = await trimtab(args);
    const said = r.stderr.replaceAll(NATIVE_LINES, "");
    expect(said).toMatch(message);
    expect(r.code).toBe(code);
    expect(r.stdout).toBe("");
    if (args.length > 0) expect(said.trimEnd().split("\n").length).toBeLessThanOrEqual(3);
    expect(said).not.toMatch(/\n\s+at /);
  });

  it("prints the exit codes in the help, on stdout", async () => {
    for (const args of [["--help"], ["model", "info", "--help"]]) {
      const r = await trimtab(args);
      expect(r).toMatchObject({ code: 0, stderr: "" });
      expect(r.stdout).toMatch(/Exit codes: 0 done .* 130 stopped by Ctrl-C · 143 stopped by SIGTERM/s);
    }
  });

  it("shows the stack with -v only", async () => {
    const r = await trimtab(["generate", "-v", "-m", LLAMA, "--tokens", "99999"]);
    expect(r.stderr).toMatch(/\n\s+at /);
  });

  it("colours only where it is wanted", async () => {
    const args = ["generate", "-m", LLAMA];
    const esc = String.fromCharCode(27);
    expect((await trimtab(args)).stderr).not.toContain(esc);
    expect((await trimtab(args, { env: { FORCE_COLOR: "1" } })).stderr).toContain(esc);
    expect((await trimtab(args, { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stderr).not.toContain(esc);
  });

  it("says its version", async () => {
    const { version } = JSON.parse(readFileSync(join(fixtures, "..", "..", "package.json"), "utf8")) as {
      version: string;
    };
    expect(await trimtab(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });
});

describeNeeding(needBuild, "generate on the tiny models", () => {
  it.each(["gpt2", "llama", "llama3-rope", "mistral", "qwen2", "qwen3"])("%s: greedy tokens", async (name) => {
    const model = join(fixtures, "tiny", name);
    const golden = JSON.parse(readFileSync(join(model, "golden.json"), "utf8")) as { ids: number[]; greedy: number[] };
    const promptTokens = golden.ids.slice(0, 8);
    const options = ["--max-tokens", "24", "--temperature", "0", "--ignore-eos", "--json"];
    const r = await trimtab(["generate", "-q", "-m", model, "--tokens", promptTokens.join(","), ...options]);
    expect(r).toMatchObject({ code: 0, stderr: "" });
    const result = JSON.parse(r.stdout) as Record<string, unknown>;
    expect(result).toMatchObject({ promptTokens, tokens: golden.greedy.slice(8), text: "", stopReason: "length" });
    expect(Object.keys(result.timings as object)).toEqual(["loadMs", "prefillMs", "decodeMs", "totalMs"]);
  });

  it("prints ids where there is no tokenizer, and the summary on stderr", async () => {
    const r = await trimtab(["generate", "-m", LLAMA, "--tokens", "109,139,60", "--max-tokens", "3", "--ignore-eos"]);
    expect(r.stdout).toMatch(/^\d+,\d+,\d+\n$/);
    expect(r.stderr).toMatch(/3 prompt tokens in .* · 3 new tokens in .* · stopped by length/);
  });

  it("samples the same tokens from the same seed", async () => {
    const run = async (seed: string): Promise<string> =>
      (
        await trimtab([
          "generate",
          "-m",
          LLAMA,
          "--tokens",
          "5",
          "--temperature",
          "2",
          "--seed",
          seed,
          "--max-tokens",
          "12",
          "--ignore-eos",
        ])
      ).stdout;
    const [a, b, c] = await Promise.all([run("-3"), run("-3"), run("4")]);
    expect(a).toBe(b);
    expect(c).not.toBe(a);
  });

  it("describes a model", async () => {
    const r = await trimtab(["model", "info", "-m", LLAMA, "--json"]);
    expect(JSON.parse(r.stdout)).toMatchObject({
      name: "llama",
      architecture: "llama",
      parameters: 73584,
      layers: 3,
      modelDimension: 48,
      dtypes: { f32: 294336 },
      chatTemplate: false,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect((await trimtab(["model", "info", LLAMA])).stdout).toMatch(/family {5}llama, 0\.1 million parameters/);
  });
});

describeNeeding(needBuild, "doctor", () => {
  it("reports in one JSON object, and as text", async () => {
    const facts = JSON.parse((await trimtab(["doctor", "--json"])).stdout) as Record<string, unknown>;
    expect(facts).toMatchObject({ node: process.versions.node, wasm: { tier: expect.stringMatching(/^wasm-simd/) } });
    const text = await trimtab(["doctor"]);
    expect(text.stdout).toMatch(/^engine +wasm-simd/m);
    expect(text.code).toBe(0);
  });
});
