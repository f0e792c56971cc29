/**
 * How far `fast` is from `exact` on the default model: KL divergence per token and agreement of the most likely token, over
 * the golden prompts. docs/BENCHMARKS.md and the README quote these figures.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { logSumExp } from "../../src/model/index.ts";
import { argmax } from "../../src/model/sampling.ts";
import { loadModel } from "../../src/steering/index.ts";
import { BACKENDS } from "../support/backends.ts";
import { defaultModelPath, describeNeeding, fixtures, needModel } from "../support/needs.ts";
import { loadTiny, tinyIds } from "../support/tiny.ts";

interface Info {
  readonly tokens: readonly { readonly ids: number[] }[];
  readonly prompt: string;
  readonly generate: { readonly prompt: string; readonly plain: string };
}

/** KL(p ‖ q) of the softmaxes of two rows of logits, in nats. */
function divergence(exact: Float32Array, fast: Float32Array): number {
  const [zp, zq] = [logSumExp(exact), logSumExp(fast)];
  let sum = 0;
  for (let i = 0; i < exact.length; i++) {
    const logP = exact[i]! - zp;
    sum += Math.exp(logP) * (logP - (fast[i]! - zq));
  }
  return sum;
}

describeNeeding(needModel, "fast precision", () => {
  it("stays close to exact on the golden prompts", { timeout: 240_000 }, async () => {
    const info = JSON.parse(readFileSync(join(fixtures, "smollm2", "info.json"), "utf8")) as Info;
    const model = await loadModel(defaultModelPath()!);
    const { V } = model.config;
    const encode = (text: string): number[] => model.tokenizer!.encode(text);
    const prompts = [
      ...info.tokens.map((t) => t.ids),
      encode(info.prompt),
      encode(info.generate.prompt + info.generate.plain),
    ];
    const divergences: number[] = [];
    let agreed = 0;
    for (const ids of prompts.filter((p) => p.length >= 3 && p.length < 120)) {
      const [exact, fast] = [
        await model.run(ids, { cache: false }),
        await model.run(ids, { cache: false, precision: "fast" }),
      ];
      for (let t = 0; t < ids.length; t++) {
        const [a, b] = [exact, fast].map((r) => r.logits!.data.subarray(t * V, (t + 1) * V)) as [
          Float32Array,
          Float32Array,
        ];
        divergences.push(divergence(a, b));
        if (argmax(a) === argmax(b)) agreed++;
      }
    }
    const mean = divergences.reduce((a, b) => a + b) / divergences.length;
    console.info(
      `fast against exact over ${divergences.length} tokens: mean KL ${mean.toFixed(4)} nats, worst ${Math.max(...divergences).toFixed(3)}, top-1 agreement ${((100 * agreed) / divergences.length).toFixed(1)} %`,
    );
    expect(divergences.length).toBeGreaterThan(300);
    expect(mean).toBeGreaterThan(0); // fast was really another computation
    expect(mean).toBeLessThan(0.02);
    expect(agreed / divergences.length).toBeGreaterThan(0.93);
  });
});

it("fast is exact on weights that are not quantised", async () => {
  const model = await loadTiny("llama", BACKENDS.at(-1)!.create());
  const ids = await tinyIds("llama");
  expect((await model.run(ids, { precision: "fast" })).logits).toEqual((await model.run(ids)).logits);
  await expect(model.run(ids, { precision: "quick" as never })).rejects.toThrow(
    /precision "quick".*give "exact" or "fast"/,
  );
});
