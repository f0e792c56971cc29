/**
 * Whole models on the software GPU against PyTorch: the tiny goldens of every family, SmolLM2's residual streams, logits and
 * greedy text, plain and steered, and agreement with the CPU.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { createCpuBackend } from "../../src/kernels/index.ts";
import { type HookName, type LanguageModel, loadModel, type SamplingOptions } from "../../src/model/index.ts";
import { maxAbs, readGoldens, worstRowError } from "../support/goldens.ts";
import { needGpu, testAdapter, testGpu } from "../support/gpu.ts";
import { defaultModelPath, describeNeeding, fixtures, needModel } from "../support/needs.ts";
import { loadTiny, TINY_MODELS } from "../support/tiny.ts";

/** PRODUCT: hidden states and tiny logits, relative error at every position. */
const TOLERANCE = 1e-4;

describeNeeding(needGpu, "tiny models on the GPU", async () => {
  const backend = await testGpu();

  it.each(TINY_MODELS)("%s gives every golden activation", async (name) => {
    const goldens = await readGoldens(join(fixtures, "tiny", name, "golden.safetensors"));
    const model = await loadModel(join(fixtures, "tiny", name), { backend });
    const ids = goldens.get("ids")!.ints;
    const names = [...goldens.keys()].filter((k) => !/^(steer\.|ids$|greedy$)/.test(k)) as HookName[];
    const { captures } = await model.run(ids, { capture: names, cache: false });
    const errors = names.map((hook) => {
      const { shape, data } = goldens.get(hook)!;
      expect(captures[hook]!.shape, hook).toEqual(shape);
      const rows = hook.endsWith("hook_pattern") ? shape[0]! * shape[1]! : shape[0]!;
      return [hook, worstRowError(captures[hook]!.data, data, rows)] as const;
    });
    expect(errors.filter(([, e]) => !(e < TOLERANCE))).toEqual([]);
    expect(names.length).toBeGreaterThan(30);
    model.dispose();
  });

  it.each(TINY_MODELS)("%s gives the logits, plain and steered, and the greedy tokens", async (name) => {
    const goldens = await readGoldens(join(fixtures, "tiny", name, "golden.safetensors"));
    const model = await loadModel(join(fixtures, "tiny", name), { backend });
    const ids = goldens.get("ids")!.ints;
    const { logits } = await model.run(ids, { cache: false });
    expect(worstRowError(logits!.data, goldens.get("hook_logits")!.data, ids.length)).toBeLessThan(TOLERANCE);
    const vector = goldens.get("steer.vector")!.data;
    const steer = { hook: "blocks.1.hook_resid_post", vector, scale: 1.5, positions: { from: 9 } };
    const steered = await model.run(ids, { steer, cache: false });
    const want = goldens.get("steer.logits")!.data;
    expect(worstRowError(steered.logits!.data, want, ids.length)).toBeLessThan(TOLERANCE);
    const result = await model.generate(ids.slice(0, 8), { maxTokens: 24, ignoreEos: true }).result();
    expect([...result.promptTokens, ...result.tokens]).toEqual(goldens.get("greedy")!.ints);
    model.dispose();
  });

  it.each<SamplingOptions>([
    {},
    { temperature: 0.9, topK: 20, seed: 4 },
    { temperature: 1.2, topK: 60, topP: 0.8, minP: 0.05, seed: 5 },
    { temperature: 0.8, topP: 0.9, seed: 6 },
    { temperature: 1, topK: 10, repetitionPenalty: 1.3, seed: 7 },
  ])("generates what the CPU does, %o", async (sampling) => {
    const [cpu, gpu] = [await loadTiny("llama", createCpuBackend({ threads: 1 })), await loadTiny("llama", backend)];
    const o = { ...sampling, maxTokens: 40, ignoreEos: true };
    const want = await cpu.generate([5, 6, 7], o).result();
    expect((await gpu.generate([5, 6, 7], o).result()).tokens).toEqual(want.tokens);
    gpu.dispose();
  });

  it("frees what models and runs took", () => expect(backend.counters.liveBytes).toBe(0));
});

describeNeeding(needGpu, "loading onto the GPU", () => {
  const tiny = join(fixtures, "tiny", "llama");

  it("takes the adapter that was asked for", async () => {
    const model = await loadModel(tiny, { device: "webgpu", adapter: testAdapter });
    expect(model.backend.name).toBe("webgpu");
    model.backend.dispose();
  });

  it("refuses devices and adapters that do not exist, and an adapter for the CPU", async () => {
    const refused = (o: object) => expect(loadModel(tiny, o)).rejects;
    await refused({ device: "webgp" }).toMatchObject({ code: "E_OPTION", hint: 'did you mean "webgpu"?' });
    await refused({ device: "webgpu", adapter: "softwear" }).toMatchObject({ hint: 'did you mean "software"?' });
    await refused({ adapter: "software" }).toThrow(/adapter "software" with device "auto"/);
  });
});

const isFull = process.env.TRIMTAB_GPU_FULL === "1";
const TIMEOUT_MS = isFull ? 1_800_000 : 300_000;

describeNeeding([needGpu, needModel], "SmolLM2 on the GPU", () => {
  const info = JSON.parse(readFileSync(join(fixtures, "smollm2", "info.json"), "utf8"));
  let model: LanguageModel;
  beforeAll(async () => {
    model = await loadModel(defaultModelPath()!, { backend: await testGpu() });
  }, TIMEOUT_MS);

  it("gives every layer's residual stream and the logits", { timeout: TIMEOUT_MS }, async () => {
    const golden = await readGoldens(join(fixtures, "smollm2", "forward.safetensors"));
    const ids = golden.get("ids")!.ints;
    const { logits, captures } = await model.run(ids, { capture: ["blocks.*.hook_resid_post"] });
    const { data: resid, shape } = golden.get("resid_post")!;
    const perLayer = resid.length / shape[0]!;
    const errors = Array.from({ length: model.config.L }, (_, l) => {
      const got = captures[`blocks.${l}.hook_resid_post`]!.data;
      return worstRowError(got, resid.subarray(l * perLayer, (l + 1) * perLayer), ids.length);
    });
    expect(Math.max(...errors)).toBeLessThan(TOLERANCE);
    const { V } = model.config;
    for (const [i, row] of golden.get("logit_rows")!.ints.entries()) {
      const got = logits!.data.subarray(row * V, (row + 1) * V);
      expect(maxAbs(got, golden.get("logits")!.data.subarray(i * V, (i + 1) * V)), `row ${row}`).toBeLessThan(2e-3);
    }
  });

  it("writes the golden greedy text, plain and steered", { timeout: TIMEOUT_MS }, async () => {
    const golden = await readGoldens(join(fixtures, "smollm2", "generate.safetensors"));
    const options = { raw: true, maxTokens: isFull ? 48 : 8, ignoreEos: true, precision: "exact" } as const;
    const steer = { hook: info.generate.hook, vector: golden.get("vector")!.data };
    for (const [name, o] of [["plain", options] as const, ["steered", { ...options, steer }] as const]) {
      const { promptTokens, tokens } = await model.generate(info.generate.prompt, o).result();
      const all = [...promptTokens, ...tokens];
      expect(all, name).toEqual(golden.get(name)!.ints.slice(0, all.length));
    }
  });
});
