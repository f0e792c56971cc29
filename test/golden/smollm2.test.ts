/**
 * The default model against PyTorch: token lists, chat renderings, the residual stream of every layer, logits, greedy text
 * plain and steered, vectors. On the fast path and on the float64 oracle.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { loadModel, type SteerableModel } from "../../src/steering/index.ts";
import { BACKENDS } from "../support/backends.ts";
import { cosine, type Golden, maxAbs, readGoldens, worstRowError } from "../support/goldens.ts";
import { defaultModelPath, describeNeeding, fixtures, needModel, shared } from "../support/needs.ts";

interface Info {
  readonly tokens: { text: string; ids: number[] }[];
  readonly chats: { messages: { role: string; content: string }[]; rendered: string }[];
  readonly prompt: string;
  readonly greedyText: string;
  readonly generate: { prompt: string; plain: string; steered: string; hook: string };
}

const info = JSON.parse(readFileSync(join(fixtures, "smollm2", "info.json"), "utf8")) as Info;
const MODEL_TIMEOUT_MS = 300_000;

/** The whole golden where ../shared is there, the cut of it otherwise. */
async function forwardGolden(): Promise<Map<string, Golden>> {
  const whole = shared && join(shared, "golden", "smollm2", "forward.safetensors");
  return readGoldens(whole && existsSync(whole) ? whole : join(fixtures, "smollm2", "forward.safetensors"));
}

describeNeeding(needModel, "SmolLM2's tokenizer", () => {
  let model: SteerableModel;
  beforeAll(async () => {
    model = await loadModel(defaultModelPath()!);
  });

  it.each(info.tokens)("$text", ({ text, ids }) => {
    expect(model.tokenizer!.encode(text)).toEqual(ids);
    if (!ids.includes(0)) expect(model.tokenizer!.decode(ids)).toBe(text);
  });

  it.each(info.chats)("renders $messages", ({ messages, rendered }) => {
    expect(model.render(messages)).toBe(rendered);
  });
});

for (const { name, create } of BACKENDS) {
  describeNeeding(needModel, `SmolLM2 on ${name}`, () => {
    let model: SteerableModel;
    beforeAll(async () => {
      model = await loadModel(defaultModelPath()!, { backend: create() });
    }, MODEL_TIMEOUT_MS);

    it("gives every layer's residual stream and the logits", { timeout: MODEL_TIMEOUT_MS }, async () => {
      const golden = await forwardGolden();
      const ids = golden.get("ids")!.ints;
      expect(model.tokenize(info.chats[0]!.messages)).toEqual(ids);
      const { logits, captures } = await model.run(ids, { capture: ["blocks.*.hook_resid_post"] });
      const { data: resid, shape } = golden.get("resid_post")!;
      const perLayer = resid.length / shape[0]!;
      const errors = Array.from({ length: model.config.L }, (_, l) => {
        const got = captures[`blocks.${l}.hook_resid_post`]!.data;
        return worstRowError(got, resid.subarray(l * perLayer, (l + 1) * perLayer), ids.length);
      });
      expect(Math.max(...errors)).toBeLessThan(1e-4);
      const rows = golden.get("logit_rows")?.ints ?? ids.map((_, i) => i);
      const { V } = model.config;
      for (const [i, row] of rows.entries()) {
        const got = logits!.data.subarray(row * V, (row + 1) * V);
        const want = golden.get("logits")!.data.subarray(i * V, (i + 1) * V);
        expect(maxAbs(got, want), `row ${row}`).toBeLessThan(2e-3);
        expect(cosine(got, want), `row ${row}`).toBeGreaterThan(0.999999);
      }
    });

    it("answers the chat prompt word for word", { timeout: MODEL_TIMEOUT_MS }, async () => {
      const golden = await forwardGolden();
      const { tokens, text, stopReason, promptTokens } = await model
        .generate("What is the capital of France?", { precision: "exact" })
        .result();
      expect([...promptTokens, ...tokens]).toEqual(golden.get("greedy")!.ints);
      expect(`${text}<|im_end|>`).toBe(info.greedyText);
      expect(stopReason).toBe("eos");
    });

    it("writes the 48-token runs, plain and steered", { timeout: MODEL_TIMEOUT_MS }, async () => {
      const golden = await readGoldens(join(fixtures, "smollm2", "generate.safetensors"));
      const options = { raw: true, maxTokens: 48, ignoreEos: true, precision: "exact" } as const;
      const plain = await model.generate(info.generate.prompt, options).result();
      expect([...plain.promptTokens, ...plain.tokens]).toEqual(golden.get("plain")!.ints);
      const steer = { hook: info.generate.hook, vector: golden.get("vector")!.data };
      const steered = await model.generate(info.generate.prompt, { ...options, steer }).result();
      expect([...steered.promptTokens, ...steered.tokens]).toEqual(golden.get("steered")!.ints);
      const { logits } = await model.run(info.generate.prompt, { raw: true, logits: "last", steer });
      expect(maxAbs(logits!.data, golden.get("steered.last_logits")!.data)).toBeLessThan(2e-3);
    });
  });
}

interface SteeringGolden {
  readonly train: { prompt: string; positive: string; negative: string }[];
}

async function compareVectors(model: SteerableModel, folder: string, name: string, raw: boolean): Promise<void> {
  const { train } = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as SteeringGolden;
  const golden = (await readGoldens(join(folder, `${name}.safetensors`))).get("vectors")!;
  const { D, L } = model.config;
  const set = await model.extract(train, { raw });
  const cosines = set.vectors.map((v) => cosine(v.vector, golden.data.subarray(v.layer * D, (v.layer + 1) * D)));
  expect(cosines).toHaveLength(L);
  expect(Math.min(...cosines)).toBeGreaterThanOrEqual(0.99999);
}

describeNeeding(needModel, "extraction", () => {
  it("gives PyTorch's completion vectors at every layer", { timeout: MODEL_TIMEOUT_MS }, async () => {
    await compareVectors(await loadModel(defaultModelPath()!), join(fixtures, "steering"), "completion", true);
  });

  describeNeeding({ ok: shared !== undefined, reason: "../shared is not there" }, "of the paper's A/B sets", () => {
    it.each(["agreeableness", "believes-in-gun-rights"])("%s", { timeout: MODEL_TIMEOUT_MS }, async (name) => {
      await compareVectors(await loadModel(defaultModelPath()!), join(shared!, "golden", "steering"), name, false);
    });
  });
});

describe("goldens", () => {
  it("hold the cut rows", async () => {
    const cut = await readGoldens(join(fixtures, "smollm2", "forward.safetensors"));
    expect(cut.get("logit_rows")!.ints).toHaveLength(3);
  });
});
