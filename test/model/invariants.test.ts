/**
 * What must hold whatever the weights: hooks that change nothing change nothing, a forward may be split at any layer, caches
 * and packed batches agree with the plain forward, hook points fit together.
 */
import { describe, expect, it } from "vitest";
import type { HookFunction, HostTensor } from "../../src/model/index.ts";
import { BACKENDS } from "../support/backends.ts";
import { maxAbs, worstRowError } from "../support/goldens.ts";
import { loadTiny, TINY_MODELS, tinyIds } from "../support/tiny.ts";

const writeBack: HookFunction = (value) => value.data.slice();
const unitVector = (D: number): Float32Array => Float32Array.from({ length: D }, (_, i) => Math.sin(i + 1));

for (const { name: device, create } of BACKENDS) {
  describe.each(TINY_MODELS)(`%s on ${device}`, async (name) => {
    const model = await loadTiny(name, create());
    const ids = await tinyIds(name);
    const { L, D, V } = model.config;
    const plain = (await model.run(ids)).logits!;

    it("is unchanged by capturing and writing back at every hook point", async () => {
      for (const hook of model.hookNames) {
        const { logits } = await model.run(ids, { hooks: { [hook]: writeBack }, capture: [hook] });
        expect(maxAbs(logits!.data, plain.data), hook).toBe(0);
      }
    });

    it("is unchanged by adding a vector with multiplier 0", async () => {
      const steer = Array.from({ length: L }, (_, l) => ({
        hook: `blocks.${l}.hook_resid_post`,
        vector: unitVector(D),
        scale: 0,
      }));
      expect(maxAbs((await model.run(ids, { steer })).logits!.data, plain.data)).toBe(0);
    });

    it("has resid_post of a layer as resid_pre of the next, to read and to add", async () => {
      const { captures } = await model.run(ids, { capture: ["blocks.*.hook_resid_post", "blocks.*.hook_resid_pre"] });
      for (let l = 0; l + 1 < L; l++) {
        expect(captures[`blocks.${l + 1}.hook_resid_pre`]).toEqual(captures[`blocks.${l}.hook_resid_post`]);
        const add = (hook: string) => ({ hook, vector: unitVector(D), scale: 0.7, positions: { from: 5 } });
        const after = await model.run(ids, { steer: add(`blocks.${l}.hook_resid_post`) });
        const before = await model.run(ids, { steer: add(`blocks.${l + 1}.hook_resid_pre`) });
        expect(after.logits).toEqual(before.logits);
        expect(maxAbs(after.logits!.data, plain.data)).toBeGreaterThan(1e-3);
        expect(maxAbs(after.logits!.data.slice(0, 5 * V), plain.data.slice(0, 5 * V))).toBe(0);
      }
    });

    it("gives equal logits when split at any layer", async () => {
      for (let l = 1; l <= L; l++) {
        const { resid, logits } = await model.run(ids, { stopAtLayer: l });
        expect(logits).toBeUndefined();
        expect(resid!.shape).toEqual([ids.length, D]);
        const rest = await model.run(ids, { startAtLayer: l, resid: resid!.data });
        expect(maxAbs(rest.logits!.data, plain.data)).toBe(0);
      }
    });

    it("decodes with a cache as without", async () => {
      for (const chunk of [1, 5]) {
        let { cache, logits } = await model.run(ids.slice(0, chunk));
        const rows = [logits!.data];
        for (let at = chunk; at < ids.length; at += chunk) {
          ({ cache, logits } = await model.run(ids.slice(at, at + chunk), { cache }));
          rows.push(logits!.data);
        }
        const all = Float32Array.from(rows.flatMap((r) => [...r]));
        expect(worstRowError(all, plain.data, ids.length)).toBeLessThan(1e-5);
        expect(cache!.length).toBe(ids.length);
      }
    });

    it("runs a ragged batch as its sequences one by one", async () => {
      const batch = [ids.slice(0, 9), ids, ids.slice(4, 5), ids.slice(2, 19)];
      const results = await model.runBatch(batch, { capture: ["blocks.1.hook_resid_post"] });
      for (const [s, tokens] of batch.entries()) {
        const alone = await model.run(tokens, { capture: ["blocks.1.hook_resid_post"] });
        expect(results[s]!.logits!.shape).toEqual([tokens.length, V]);
        expect(worstRowError(results[s]!.logits!.data, alone.logits!.data, tokens.length)).toBeLessThan(1e-5);
        const [a, b] = [results[s]!, alone].map((r) => r.captures["blocks.1.hook_resid_post"]!.data) as [
          Float32Array,
          Float32Array,
        ];
        expect(worstRowError(a, b, tokens.length)).toBeLessThan(1e-5);
      }
    });

    it("continues forks independently of each other and of their parent", async () => {
      const { cache } = await model.run(ids.slice(0, 10));
      const [left, right] = [cache!.fork(), cache!.fork()];
      const a = await model.run(ids.slice(10), { cache: left });
      const b = await model.run(ids.slice(12), { cache: right });
      const grandchild = left.fork();
      grandchild.truncate(15);
      const c = await model.run(ids.slice(15), { cache: grandchild });
      const d = await model.run(ids.slice(10), { cache });
      const tail = plain.data.slice(10 * V);
      expect(worstRowError(a.logits!.data, tail, 13)).toBeLessThan(1e-5);
      expect(worstRowError(d.logits!.data, tail, 13)).toBeLessThan(1e-5);
      expect(worstRowError(c.logits!.data, plain.data.slice(15 * V), 8)).toBeLessThan(1e-5);
      const joined = await model.run([...ids.slice(0, 10), ...ids.slice(12)]);
      expect(worstRowError(b.logits!.data, joined.logits!.data.slice(10 * V), 11)).toBeLessThan(1e-5);
    });

    it("does not let a truncated parent overwrite what its fork reads", async () => {
      const { cache } = await model.run(ids.slice(0, 12));
      const fork = cache!.fork();
      cache!.truncate(6);
      await model.run(ids.slice(15, 23), { cache });
      const { logits } = await model.run(ids.slice(12), { cache: fork });
      expect(worstRowError(logits!.data, plain.data.slice(12 * V), 11)).toBeLessThan(1e-5);
    });

    it("computes chosen rows and columns as the whole", async () => {
      const { logits: rows } = await model.run(ids, { logits: [0, -1] });
      expect(
        worstRowError(rows!.data, Float32Array.from([...plain.data.slice(0, V), ...plain.data.slice(-V)]), 2),
      ).toBeLessThan(1e-5);
      const { logits: some } = await model.run(ids, { logits: "last", columns: [7, 0, V - 1] });
      const want = [7, 0, V - 1].map((id) => plain.data[(ids.length - 1) * V + id]!);
      expect(worstRowError(some!.data, Float32Array.from(want), 1)).toBeLessThan(1e-5);
    });
  });
}

describe.each(TINY_MODELS)("identities of hook points: %s", async (name) => {
  const model = await loadTiny(name, BACKENDS.at(-1)!.create());
  const ids = await tinyIds(name);
  const { captures } = await model.run(ids, { capture: model.hookNames });
  const { L, H, Hkv, Dh, D, window } = model.config;
  const at = (l: number, hook: string): HostTensor => captures[`blocks.${l}.${hook}`]!;
  const T = ids.length;

  it("has every hook point of its family", () => {
    expect(Object.keys(captures)).toHaveLength(model.hookNames.length);
    for (const hook of model.hookNames) expect(captures[hook]!.data.some(Number.isNaN), hook).toBe(false);
  });

  it("normalises: resid_pre less its mean, divided by hook_scale, is hook_normalized", () => {
    for (let l = 0; l < L; l++) {
      for (const [norm, input] of [
        ["ln1", "hook_resid_pre"],
        ["ln2", "hook_resid_mid"],
      ] as const) {
        const [x, scale] = [at(l, input).data, at(l, `${norm}.hook_scale`).data];
        expect(at(l, `${norm}.hook_scale`).shape).toEqual([T, 1]);
        const want = x.map((v, i) => {
          const row = x.subarray(Math.floor(i / D) * D, Math.floor(i / D) * D + D);
          const mean = model.config.normKind === "layer" ? row.reduce((a, b) => a + b, 0) / D : 0;
          return (v - mean) / scale[Math.floor(i / D)]!;
        });
        expect(worstRowError(at(l, `${norm}.hook_normalized`).data, want, T)).toBeLessThan(1e-5);
      }
    }
  });

  it("attends: scores are scaled products of rotated q and k, hidden ones −∞, and the pattern is their softmax", () => {
    const rotary = model.config.rope !== undefined;
    for (let l = 0; l < L; l++) {
      const [q, k] = [
        at(l, rotary ? "attn.hook_rot_q" : "attn.hook_q").data,
        at(l, rotary ? "attn.hook_rot_k" : "attn.hook_k").data,
      ];
      const [scores, pattern] = [at(l, "attn.hook_attn_scores").data, at(l, "attn.hook_pattern").data];
      for (let h = 0; h < H; h++) {
        const group = Math.floor((h * Hkv) / H);
        for (let i = 0; i < T; i++) {
          const row = scores.subarray((h * T + i) * T, (h * T + i + 1) * T);
          const exps = [...row].map((s) => Math.exp(s - Math.max(...row)));
          const sum = exps.reduce((a, b) => a + b);
          for (let j = 0; j < T; j++) {
            const hidden = j > i || (window > 0 && j <= i - window);
            let dot = 0;
            for (let d = 0; d < Dh; d++) dot += q[(i * H + h) * Dh + d]! * k[(j * Hkv + group) * Dh + d]!;
            if (hidden) expect(row[j]).toBe(Number.NEGATIVE_INFINITY);
            else expect(row[j]).toBeCloseTo(dot / Math.sqrt(Dh), 3);
            expect(pattern[(h * T + i) * T + j]).toBeCloseTo(exps[j]! / sum, 5);
          }
        }
      }
    }
  });

  it("stores in the cache what hook_rot_k (or hook_k) and hook_v show", () => {
    for (let l = 0; l < L; l++) {
      expect(captures[`kv.${l}.hook_k`]!).toEqual(at(l, model.config.rope ? "attn.hook_rot_k" : "attn.hook_k"));
      expect(captures[`kv.${l}.hook_v`]!).toEqual(at(l, "attn.hook_v"));
    }
  });

  it("rotates: pairs (i, i + Dh/2) keep their length, and position 0 stays", () => {
    if (!model.config.rope || model.config.qkNorm) return;
    const [q, rotated] = [at(0, "attn.hook_q").data, at(0, "attn.hook_rot_q").data];
    expect(maxAbs(q.subarray(0, H * Dh), rotated.subarray(0, H * Dh))).toBe(0);
    for (let t = 0; t < T; t++) {
      for (let i = 0; i < Dh / 2; i++) {
        const a = t * H * Dh + i;
        expect(Math.hypot(rotated[a]!, rotated[a + Dh / 2]!)).toBeCloseTo(Math.hypot(q[a]!, q[a + Dh / 2]!), 4);
      }
    }
  });
});
