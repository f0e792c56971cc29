/** The contract on the real default model: golden greedy runs plain and steered, signals, chat from a pipe, extract. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { loadVectors, SteeringVector, saveVectors, VectorSet } from "../../src/steering/index.ts";
import { readGoldens } from "../support/goldens.ts";
import { describeNeeding, fixtures, needBuild, needModel } from "../support/needs.ts";
import { trimtab } from "./spawn.ts";

const MODEL = ["-m", "smollm2-135m", "--offline"];
const folder = mkdtempSync(join(tmpdir(), "trimtab-model-"));
afterAll(() => rmSync(folder, { recursive: true }));

const GOLDEN = join(fixtures, "smollm2", "generate.safetensors");
const PROMPT = "My favourite season of the year is";
const GREEDY = ["--raw", "--prompt", PROMPT, "--max-tokens", "48", "--temperature", "0", "--ignore-eos", "--json"];
const META = { model: "golden", modelSha256: "", method: "random", read: "none", pairs: 0, createdBy: "test" };

describeNeeding([needBuild, needModel], "the default model", () => {
  it("gives the 48 golden tokens", async () => {
    const golden = await readGoldens(GOLDEN);
    const { code, stdout } = await trimtab(["generate", ...MODEL, ...GREEDY]);
    const result = JSON.parse(stdout) as Record<string, unknown>;
    expect(code).toBe(0);
    expect(result.promptTokens).toEqual(golden.get("ids")!.ints);
    expect(result.tokens).toEqual(golden.get("plain")!.ints.slice(7));
    expect(result.text).toMatch(/^ probably the one that has the most people visiting the beach\.\nassistant\n/);
    expect(result).toMatchObject({ stopReason: "length", precision: "exact" });
  });

  it("gives the 48 golden tokens steered, from a file of two layers", async () => {
    const golden = await readGoldens(GOLDEN);
    const vector = golden.get("vector")!.data;
    const file = join(folder, "two.safetensors");
    const at = (l: number, v: Float32Array) => new SteeringVector(`blocks.${l}.hook_resid_post`, v, META);
    await saveVectors(
      file,
      new VectorSet([
        at(14, vector),
        at(
          20,
          vector.map((x) => -x),
        ),
      ]),
    );
    const expected = golden.get("steered")!.ints.slice(7);
    // At one layer of the file; then with the strength split, and the negated vector of the other layer turned round.
    for (const flags of [
      ["--vector", `${file}@14:1`],
      ["--vector", `${file}@14:3`, "--vector", `${file}:-2`, "--layer", "14"],
    ]) {
      const { stdout } = await trimtab(["generate", ...MODEL, ...GREEDY, ...flags]);
      expect((JSON.parse(stdout) as { tokens: number[] }).tokens).toEqual(expected);
    }
    const unnamed = await trimtab(["generate", ...MODEL, ...GREEDY, "--vector", file]);
    expect(unnamed).toMatchObject({ code: 2, stdout: "" });
    expect(unnamed.stderr).toContain("several layers: 14, 20");
  });

  it("answers a user turn in the template, and ends at eos", async () => {
    const args = ["generate", ...MODEL, "--prompt", "-", "--temperature", "0", "--json", "-q"];
    const { stdout, stderr } = await trimtab(args, { input: "What is the capital of France?\n" });
    const info = JSON.parse(readFileSync(join(fixtures, "smollm2", "info.json"), "utf8")) as { tokens: unknown };
    expect(info.tokens).toBeDefined();
    const result = JSON.parse(stdout) as { tokens: number[]; text: string; stopReason: string; promptTokens: number[] };
    expect(result).toMatchObject({ text: "The capital of France is Paris.", stopReason: "eos" });
    expect(result.tokens.at(-1)).toBe(2);
    expect(result.promptTokens).toEqual(
      (await readGoldens(join(fixtures, "smollm2", "forward.safetensors"))).get("ids")!.ints,
    );
    expect(stderr).toBe("");
  });

  it.each<["SIGINT" | "SIGTERM", number]>([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ])("prints what there is on %s and exits with %i", async (signal, code) => {
    const args = ["generate", ...MODEL, "-p", "Count to 1000.", "--max-tokens", "1500", "--ignore-eos"];
    const r = await trimtab(args, {
      onStart: (child) => child.stdout!.once("data", () => child.kill(signal)),
    });
    expect(r.code).toBe(code);
    expect(r.stdout.length).toBeGreaterThan(0);
    expect(r.stderr).toContain("stopped by abort");
  });

  it("ends quietly when its reader goes away", async () => {
    const args = ["generate", ...MODEL, "-p", "Count to 1000.", "--max-tokens", "1500", "--ignore-eos"];
    const r = await trimtab(args, {
      onStart: (child) => child.stdout!.once("data", () => child.stdout!.destroy()),
    });
    expect(r).toMatchObject({ code: 0, stderr: "" });
  });

  it("chats from a pipe, a turn a line", async () => {
    const input = "What is the capital of France?\n/steer 2\n/nonsense\n\n/quit\nnever said\n";
    const r = await trimtab(["chat", ...MODEL, "--temperature", "0", "--max-tokens", "20"], { input });
    expect(r).toMatchObject({ code: 0, stdout: "The capital of France is Paris.\n" });
    expect(r.stderr).toMatch(/there is no vector to steer with/);
    expect(r.stderr).toMatch(/there is no command \/nonsense/);
  });

  it("extracts vectors that generate takes", async () => {
    const pairs = join(folder, "pairs.jsonl");
    writeFileSync(
      pairs,
      '{"prompt":"How are you?","positive":"Fine!","negative":"Bad."}\n{"positive":"I love it","negative":"I hate it"}\n',
    );
    const out = join(folder, "v.safetensors");
    const args = ["extract", ...MODEL, "--pairs", pairs, "--layers", "3,7-8", "--read", "-1", "-o", out, "--json"];
    const { code, stdout } = await trimtab(args);
    const set = await loadVectors(out);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      layers: [3, 7, 8],
      norms: set.vectors.map((v) => v.norm),
      read: -1,
      pairs: 2,
      file: out,
    });
    expect(set.vectors.map((v) => v.hook)).toEqual([3, 7, 8].map((l) => `blocks.${l}.hook_resid_post`));
    const steered = await trimtab([
      "generate",
      ...MODEL,
      "-p",
      "Hi",
      "--max-tokens",
      "4",
      "--vector",
      `${out}@7:-1`,
      "-q",
    ]);
    expect(steered).toMatchObject({ code: 0, stderr: "" });
  });

  it("runs the demo: three answers to one prompt, of which the steered ones differ", async () => {
    const { code, stdout } = await trimtab(["demo", "--offline", "--json", "-q"]);
    expect(code).toBe(0);
    const demo = JSON.parse(stdout) as {
      answers: { scale: number; text: string }[];
      timings: object;
      peakMemoryBytes: number;
    };
    expect(demo.answers.map((a) => Math.sign(a.scale))).toEqual([-1, 0, 1]);
    expect(new Set(demo.answers.map((a) => a.text)).size).toBe(3);
    expect(demo.answers[0]!.text).toMatch(/cruel|dark|death|scream|despair/);
    expect(demo.answers[2]!.text).toMatch(/vibrant|beautiful|lovely|warm|wonderful/);
    expect(Object.keys(demo.timings)).toEqual(["pullMs", "loadMs", "extractMs", "generateMs", "totalMs"]);
    expect(demo.peakMemoryBytes).toBeLessThan(1e9);
  });

  it("pulls what is there without a download", async () => {
    const r = await trimtab(["model", "pull", "smollm2-135m", "--offline"]);
    expect(r).toMatchObject({ code: 0, stderr: "" });
    expect(r.stdout).toMatch(/SmolLM2-135M-Instruct\.Q4_1\.gguf\n$/);
    const info = await trimtab(["model", "info", ...MODEL, "--json"]);
    expect(JSON.parse(info.stdout)).toMatchObject({
      architecture: "llama",
      parameters: 134515008,
      layers: 30,
      chatTemplate: true,
    });
  });
});
