/** Extraction against its definition, computed from single runs, for every way of reading. */
import { describe, expect, it } from "vitest";
import { loadModel } from "../../src/steering/index.ts";
import { cosine } from "../support/goldens.ts";
import { defaultModelPath, describeNeeding, needModel } from "../support/needs.ts";

const PAIRS = [
  { prompt: "How was it?", positive: "It was great fun.", negative: "It was bad." },
  { prompt: "And the food?", positive: "Tasty and warm", negative: "Cold and stale and grey" },
  { prompt: "The music?", positive: "Lovely!", negative: "Noise!" },
];

describeNeeding(needModel, "extract", async () => {
  const model = needModel.ok ? await loadModel(defaultModelPath()!) : undefined!;
  const hook = "blocks.9.hook_resid_post";

  /** Mean difference at positions that `at` picks from the tokens of both sides. */
  async function byDefinition(
    raw: boolean,
    at: (tokens: number[], other: number[], base: number[]) => number[],
  ): Promise<Float32Array> {
    const sum = new Float32Array(model.config.D);
    for (const { prompt, positive, negative } of PAIRS) {
      const base = raw ? prompt : model.render(prompt, { system: "You are a helpful, honest and concise assistant." });
      const text = (answer: string): string => (raw ? base + answer : `${base} ${answer}`);
      const [p, n] = [positive, negative].map((a) => model.tokenizer!.encode(text(a), { bos: "never" })) as [
        number[],
        number[],
      ];
      for (const [tokens, other, sign] of [
        [p, n, 1],
        [n, p, -1],
      ] as const) {
        const positions = at(tokens, other, model.tokenizer!.encode(base, { bos: "never" }));
        const { data, shape } = (await model.run(tokens, { capture: [{ hook, positions }], logits: "none" })).captures[
          hook
        ]!;
        for (let i = 0; i < data.length; i++) sum[i % model.config.D]! += (sign * data[i]!) / shape[0]! / PAIRS.length;
      }
    }
    return sum;
  }

  it.each([
    ["auto", false, (a: number[], b: number[]) => [a.findIndex((t, i) => t !== b[i])]],
    ["auto", true, (a: number[], b: number[]) => [a.findIndex((t, i) => t !== b[i])]],
    [-2, false, (a: number[]) => [a.length - 2]],
    [
      "mean",
      false,
      (a: number[], _b: number[], base: number[]) =>
        a.flatMap((t, i) => (i >= base.length || t !== base[i] ? [i] : [])),
    ],
  ] as const)("reads at %s, raw %s", { timeout: 120_000 }, async (read, raw, at) => {
    const set = await model.extract(PAIRS, { layers: [9, 20], read, raw });
    expect(set.layers).toEqual([9, 20]);
    const want = await byDefinition(raw, at);
    expect(cosine(set.at(9).vector, want)).toBeGreaterThan(0.999999);
    expect(set.at(9).norm / Math.hypot(...want)).toBeCloseTo(1, 4);
    expect(set.meta).toMatchObject({ method: "meanDiff", read: String(read), pairs: 3, modelSha256: model.sha256 });
    expect(set.at(9).residualNorm).toBeGreaterThan(set.at(9).norm);
  });

  it("reads whole texts where there is no prompt", { timeout: 120_000 }, async () => {
    const set = await model.extract([{ positive: "I am happy", negative: "I am sad" }], { layers: [3] });
    const run = async (text: string) =>
      (await model.run(text, { raw: true, capture: [{ hook: "resid_post.3", positions: [2] }] })).captures[
        "resid_post.3"
      ]!.data;
    const [a, b] = [await run("I am happy"), await run("I am sad")];
    expect(
      cosine(
        set.at(3).vector,
        a.map((x, i) => x - b[i]!),
      ),
    ).toBeGreaterThan(0.999999);
  });

  it("refuses before any work what cannot be read", async () => {
    const extract = (pair: object, o: object = {}) => model.extract([pair as never], o);
    await expect(extract({ positive: "I am", negative: "I am sad" })).rejects.toThrow(
      /pair 1: one text is the beginning of the other/,
    );
    await expect(extract(PAIRS[0]!, { read: 900 })).rejects.toThrow(
      /pair 1: the text has \d+ tokens, read position is 900/,
    );
    await expect(extract(PAIRS[0]!, { layers: [30] })).rejects.toThrow(/layer 30.*0 to 29/);
    await expect(extract(PAIRS[0]!, { layer: 3 })).rejects.toThrow(/did you mean "layers"/);
    await expect(model.extract([])).rejects.toThrow(/no contrast pairs/);
    await expect(model.extract(PAIRS, { signal: AbortSignal.abort(new Error("enough")) })).rejects.toThrow("enough");
  });
});

describe("needs", () => {
  it("are stated", () => expect(needModel.reason).toContain("model pull"));
});
