/** JavaScript hooks where the device answers later: they see and replace what they do on the CPU, at every kind of point. */
import { expect, it } from "vitest";
import { createCpuBackend } from "../../src/kernels/index.ts";
import type { HookFunction } from "../../src/model/index.ts";
import { worstRowError } from "../support/goldens.ts";
import { needGpu, testGpu } from "../support/gpu.ts";
import { describeNeeding } from "../support/needs.ts";
import { loadTiny, tinyIds } from "../support/tiny.ts";

describeNeeding(needGpu, "JavaScript hooks on the GPU", async () => {
  const backend = await testGpu();
  const enlarged: HookFunction = (value) => value.data.map((x) => 1.5 * x);

  it.each(["gpt2", "qwen3"])("%s: as on the CPU, at every point of a block and around the blocks", async (name) => {
    const [cpu, gpu] = [await loadTiny(name, createCpuBackend({ threads: 1 })), await loadTiny(name, backend)];
    const ids = await tinyIds(name);
    const points = cpu.hookNames.filter((hook) => !/^(blocks|kv)\.[^1]/.test(hook));
    expect(points.length).toBeGreaterThan(20);
    for (const hook of points) {
      const seen: Float32Array[] = [];
      const look: HookFunction = ({ data }) => void seen.push(data.map((x) => Math.max(x, -1e3))); // hidden scores are −∞
      const o = { hooks: { [hook]: [look, enlarged] } };
      const batch = [ids.slice(0, 9), ids.slice(3)];
      const [want, got] = [await cpu.runBatch(batch, o), await gpu.runBatch(batch, o)];
      expect(seen).toHaveLength(4);
      for (const s of [0, 1]) {
        expect(worstRowError(seen[s + 2]!, seen[s]!, 1), hook).toBeLessThan(1e-5);
        const rows = batch[s]!.length;
        expect(worstRowError(got[s]!.logits!.data, want[s]!.logits!.data, rows), hook).toBeLessThan(1e-4);
      }
    }
  });

  it("runs in generation, at every step", async () => {
    const [cpu, gpu] = [await loadTiny("llama", createCpuBackend({ threads: 1 })), await loadTiny("llama", backend)];
    const phases: string[] = [];
    const hooks = {
      "blocks.1.hook_resid_post": ((value, { phase, step }) => {
        phases.push(`${phase} ${step}`);
        return value.data.map((x) => 1.1 * x);
      }) satisfies HookFunction,
    };
    const o = { maxTokens: 6, ignoreEos: true, hooks };
    const ids = await tinyIds("llama");
    const want = await cpu.generate(ids, o).result();
    const got = await gpu.generate(ids, o).result();
    expect(got.tokens).toEqual(want.tokens);
    expect(phases.slice(phases.length / 2)).toEqual(phases.slice(0, phases.length / 2));
    expect(phases).toHaveLength(12);
  });

  it("an error of a hook ends the run, and the next one works", async () => {
    const gpu = await loadTiny("llama", backend);
    const broken: HookFunction = () => new Float32Array(3);
    await expect(gpu.run([1, 2], { hooks: { hook_embed: broken } })).rejects.toThrow(/returned 3 numbers/);
    expect((await gpu.run([1, 2])).logits!.shape).toEqual([2, gpu.config.V]);
  });
});
