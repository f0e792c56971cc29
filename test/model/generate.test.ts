/** Generation rules on a tiny model: limits, stops, streaming, abort, caches, context. */
import { describe, expect, it } from "vitest";
import { loadModel } from "../../src/steering/index.ts";
import { BACKENDS } from "../support/backends.ts";
import { defaultModelPath, describeNeeding, needModel } from "../support/needs.ts";
import { loadTiny, tinyIds } from "../support/tiny.ts";

const model = await loadTiny("llama", BACKENDS.at(-1)!.create());
const ids = await tinyIds("llama");
const greedy = (await model.generate(ids, { maxTokens: 40, ignoreEos: true }).result()).tokens;

describe("generate", () => {
  it("stops at a token, with it last, and says why", async () => {
    const at = greedy.findIndex((token, i) => i >= 3 && !greedy.slice(0, i).includes(token));
    const result = await model.generate(ids, { maxTokens: 40, ignoreEos: true, stopTokens: [greedy[at]!] }).result();
    expect(result.tokens).toEqual(greedy.slice(0, at + 1));
    expect(result.stopReason).toBe("stop");
  });

  it("ends at the context instead of running past it", async () => {
    const long = Array.from({ length: 120 }, (_, i) => 3 + (i % 200));
    const result = await model.generate(long, { maxTokens: 1000, ignoreEos: true }).result();
    expect(result.tokens).toHaveLength(128 - 120 + 1);
    expect(result.stopReason).toBe("length");
  });

  it("refuses prompts that are empty, too long, or hold unknown ids, before any work", async () => {
    const run = (tokens: number[]) => model.generate(tokens).result();
    await expect(run([])).rejects.toThrow(/no tokens/);
    await expect(run(new Array(129).fill(5))).rejects.toThrow(/129 tokens; the context is 128/);
    await expect(run([3, 211])).rejects.toThrow(/token 1 of the prompt is 211.*0 to 210/);
    await expect(model.run([3, -1])).rejects.toThrow(/token 1 of the prompt is -1/);
    await expect(model.generate(ids, { maxTokens: 0 }).result()).rejects.toThrow(/maxTokens is 0/);
    await expect(model.generate(ids, { maxtokens: 3 } as never).result()).rejects.toThrow(/did you mean "maxTokens"/);
  });

  it("refuses stops and precisions that are none, and keeps no memory", async () => {
    const settled = model.backend.counters.liveBytes;
    const run = (o: object) => model.generate(ids, o as never).result();
    await expect(run({ stop: "###" })).rejects.toThrow(/stop is "###", expected a list of strings/);
    await expect(run({ stop: ["a", ""] })).rejects.toThrow(/a stop string is empty/);
    await expect(run({ stopTokens: 7 })).rejects.toThrow(/stopTokens is 7, expected a list of token ids/);
    await expect(run({ precision: "half" })).rejects.toThrow(/precision "half".*give "exact" or "fast"/);
    expect(model.backend.counters.liveBytes).toBe(settled);
  });

  it("stops when the signal says so and gives what there is", async () => {
    const controller = new AbortController();
    let count = 0;
    const onToken = (): void => void (++count === 5 && controller.abort());
    const result = await model
      .generate(ids, { maxTokens: 40, ignoreEos: true, signal: controller.signal, onToken })
      .result();
    expect(result.stopReason).toBe("abort");
    expect(result.tokens).toEqual(greedy.slice(0, 5));
  });

  it("continues behind a cache as behind the whole prompt", async () => {
    const { cache } = await model.run(ids.slice(0, 15));
    const result = await model.generate(ids.slice(15), { maxTokens: 12, ignoreEos: true, cache }).result();
    expect(result.tokens).toEqual(greedy.slice(0, 12));
    expect(cache!.length).toBe(ids.length + 11);
  });

  it("says what text needs where there is no tokenizer", async () => {
    await expect(model.run("hello")).rejects.toThrow(/text needs a tokenizer.*--tokens/);
    expect(() => model.generate("hello")).toThrow(/needs a tokenizer/);
  });

  it("gives device memory back", async () => {
    const before = model.backend.counters.liveBytes;
    await model.generate(ids, { maxTokens: 5, ignoreEos: true }).result();
    for await (const _ of model.generate(ids, { maxTokens: 5, ignoreEos: true })) break;
    const run = await model.run(ids, { cache: false });
    expect(run.cache).toBeUndefined();
    expect(model.backend.counters.liveBytes).toBeLessThanOrEqual(before + 65536); // shared scratch may have grown
    const settled = model.backend.counters.liveBytes;
    for (let i = 0; i < 5; i++) await model.generate(ids, { maxTokens: 5, ignoreEos: true }).result();
    expect(model.backend.counters.liveBytes).toBe(settled);
  });

  it("says that a model was disposed, before an answer and within one", async () => {
    const gone = await loadTiny("llama", BACKENDS.at(-1)!.create());
    const onToken = (): void => gone.dispose();
    await expect(gone.generate(ids, { maxTokens: 5, ignoreEos: true, onToken }).result()).rejects.toMatchObject({
      code: "E_DISPOSED",
      message: expect.stringMatching(/the model was disposed — load it again/),
    });
    await expect(gone.run(ids)).rejects.toThrow(/the model was disposed/);
    expect(() => gone.dispose()).not.toThrow();
  });

  it("scores tokens by the log-probabilities of the logits", async () => {
    const { logProbs, perplexity } = await model.score(ids);
    const { logits } = await model.run(ids);
    const want = ids.slice(1).map((id, i) => {
      const row = [...logits!.data.subarray(i * 211, (i + 1) * 211)];
      return row[id]! - Math.log(row.reduce((a, x) => a + Math.exp(x), 0));
    });
    expect(logProbs).toHaveLength(22);
    for (const [i, p] of want.entries()) expect(logProbs[i]).toBeCloseTo(p, 4);
    expect(perplexity).toBeCloseTo(Math.exp(-want.reduce((a, b) => a + b) / 22), 2);
  });
});

describeNeeding(needModel, "generating text", () => {
  it("streams what the result holds, and stops before a stop string", { timeout: 120_000 }, async () => {
    const smollm = await loadModel(defaultModelPath()!);
    const prompt = "My favourite season of the year is";
    const generation = smollm.generate(prompt, { raw: true, maxTokens: 14 });
    const pieces: string[] = [];
    for await (const piece of generation) pieces.push(piece);
    const { text, stopReason } = await generation.result();
    expect(pieces.join("")).toBe(text);
    expect(pieces.length).toBeGreaterThan(8);
    expect(text).toBe(" probably the one that has the most people visiting the beach.");
    expect(stopReason).toBe("eos");
    const stopped = await smollm
      .generate(prompt, { raw: true, maxTokens: 14, stop: ["most people", "zebra"] })
      .result();
    expect(stopped).toMatchObject({ text: " probably the one that has the ", stopReason: "stop" });
  });
});
