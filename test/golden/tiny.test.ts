/**
 * Six tiny random models against PyTorch: every activation that the goldens hold, logits, steered logits, greedy tokens,
 * sharded and half-precision files, on the oracle and on every CPU tier.
 */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type HookName, type LanguageModel, loadModel } from "../../src/model/index.ts";
import { BACKENDS } from "../support/backends.ts";
import { readGoldens, worstRowError } from "../support/goldens.ts";
import { fixtures } from "../support/needs.ts";

const MODELS = ["gpt2", "llama", "llama3-rope", "qwen2", "qwen3", "mistral"];
/** PRODUCT: hidden states and tiny logits, relative error at every position. */
const TOLERANCE = 1e-4;

for (const { name: device, create } of BACKENDS) {
  for (const name of MODELS) {
    describe(`${name} on ${device}`, async () => {
      const goldens = await readGoldens(join(fixtures, "tiny", name, "golden.safetensors"));
      const model: LanguageModel = await loadModel(join(fixtures, "tiny", name), { backend: create() });
      const ids = goldens.get("ids")!.ints;

      it("gives every golden activation", async () => {
        const names = [...goldens.keys()].filter((k) => !/^(steer\.|ids$|greedy$)/.test(k)) as HookName[];
        const { captures } = await model.run(ids, { capture: names });
        const errors = names.map((hook) => {
          const { shape, data } = goldens.get(hook)!;
          expect(captures[hook]!.shape, hook).toEqual(shape);
          const rows = hook.endsWith("hook_pattern") ? shape[0]! * shape[1]! : shape[0]!;
          return [hook, worstRowError(captures[hook]!.data, data, rows)] as const;
        });
        expect(errors.filter(([, e]) => !(e < TOLERANCE))).toEqual([]);
        expect(names.length).toBeGreaterThan(30);
      });

      it("gives the logits without hooks and with a vector added", async () => {
        const { logits } = await model.run(ids);
        expect(worstRowError(logits!.data, goldens.get("hook_logits")!.data, ids.length)).toBeLessThan(TOLERANCE);
        const vector = goldens.get("steer.vector")!.data;
        const steer = { hook: "blocks.1.hook_resid_post", vector, scale: 1.5, positions: { from: 9 } };
        const steered = await model.run(ids, { steer });
        expect(worstRowError(steered.logits!.data, goldens.get("steer.logits")!.data, ids.length)).toBeLessThan(
          TOLERANCE,
        );
      });

      it("continues with the golden greedy tokens", async () => {
        const greedy = goldens.get("greedy")!.ints;
        const result = await model.generate(ids.slice(0, 8), { maxTokens: 24, ignoreEos: true }).result();
        expect([...result.promptTokens, ...result.tokens]).toEqual(greedy);
        expect(result.stopReason).toBe("length");
      });
    });
  }

  describe(`half precision on ${device}`, () => {
    it.each(["bf16", "f16"])("qwen2 %s logits", async (dtype) => {
      const folder = join(fixtures, "tiny", "qwen2", dtype);
      const goldens = await readGoldens(join(folder, "golden.safetensors"));
      const model = await loadModel(folder, { backend: create() });
      expect(model.weights.dtypes).toContain(dtype);
      const ids = goldens.get("ids")!.ints;
      const { logits } = await model.run(ids);
      expect(worstRowError(logits!.data, goldens.get("hook_logits")!.data, ids.length)).toBeLessThan(TOLERANCE);
    });
  });
}
