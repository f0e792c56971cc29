/** Hooks as users meet them: names and errors, captures by position, early stop, work counted, JavaScript against declared. */
import { describe, expect, it } from "vitest";
import type { OpName } from "../../src/tensor/backend.ts";
import { BACKENDS } from "../support/backends.ts";
import { maxAbs } from "../support/goldens.ts";
import { loadTiny, tinyIds } from "../support/tiny.ts";

const create = BACKENDS.at(-1)!.create;
const llama = await loadTiny("llama", create());
const gpt2 = await loadTiny("gpt2", create());
const ids = await tinyIds("llama");
const vector = Float32Array.from({ length: 48 }, (_, i) => Math.cos(3 * i));

describe("names", () => {
  it.each([
    ["blocks.1.hook_resid_pots", /nearest: blocks\.1\.hook_resid_post/],
    ["hook_embd", /nearest: hook_embed/],
    ["blocks.3.hook_resid_post", /layer 3 is out of range.*layers are 0 to 2; nearest: blocks\.2\.hook_resid_post/],
    ["blocks.-1.hook_resid_post", /layer -1 is out of range/],
    ["hook_pos_embed", /does not exist on llama/],
    ["nonsense", /unknown hook point/],
  ])("refuses %s", async (hook, message) => {
    await expect(llama.run(ids, { capture: [hook] })).rejects.toThrow(message);
    await expect(llama.run(ids, { hooks: { [hook]: () => {} } })).rejects.toThrow(message);
    await expect(llama.run(ids, { steer: { hook, vector } })).rejects.toThrow(message);
  });

  it.each([
    ["resid_post.1", "blocks.1.hook_resid_post"],
    ["blocks.2.hook_in", "blocks.2.hook_resid_pre"],
    ["blocks.0.attn.q.hook_out", "blocks.0.attn.hook_q"],
    ["unembed.hook_out", "hook_logits"],
  ])("knows %s as %s", async (alias, canonical) => {
    const { captures } = await llama.run(ids, { capture: [alias, canonical] });
    expect(captures[alias]).toEqual(captures[canonical]);
  });

  it("refuses unknown options, vectors of a wrong length, and points where nothing can be added", async () => {
    await expect(llama.run(ids, { captures: [] } as never)).rejects.toThrow(
      /unknown option "captures".*did you mean "capture"/,
    );
    await expect(llama.run(ids, { steer: { hook: "resid_post.0", vector: vector.slice(1) } })).rejects.toThrow(
      /47 elements, the model's residual stream 48/,
    );
    await expect(
      llama.run(ids, { steer: { hook: "resid_post.0", vector: vector.with(5, Number.NaN) } }),
    ).rejects.toThrow(/element 5 of the vector is NaN, expected finite numbers/);
    await expect(llama.run(ids, { steer: { hook: "blocks.0.attn.hook_q", vector } })).rejects.toThrow(
      /cannot be added/,
    );
    await expect(llama.run(ids, { hooks: { "resid_post.0": () => new Float32Array(3) } })).rejects.toThrow(
      /returned 3 numbers, expected a Float32Array of 1104/,
    );
  });
});

describe("captures", () => {
  it("take positions, absolute, from the end, by scope, and per sequence", async () => {
    const hook = "blocks.1.hook_resid_post";
    const whole = (await llama.run(ids, { capture: [hook] })).captures[hook]!;
    const row = (i: number): Float32Array => whole.data.slice(48 * i, 48 * i + 48);
    const at = async (positions: never) => (await llama.run(ids, { capture: [{ hook, positions }] })).captures[hook]!;
    const picked = await at([0, 5, -2] as never);
    expect(picked.shape).toEqual([3, 48]);
    expect(picked.data).toEqual(Float32Array.from([...row(0), ...row(5), ...row(21)]));
    expect((await at("last" as never)).data).toEqual(row(22));
    expect((await at({ from: 20 } as never)).shape).toEqual([3, 48]);
    await expect(at([23] as never)).rejects.toThrow(/position 23 is not among the 23 positions/);
    const batch = await llama.runBatch([ids, ids.slice(0, 4)], {
      capture: [{ hook, positions: { each: [[3], [0, 2]] } }],
    });
    expect(batch.map((r) => r.captures[hook]!.shape)).toEqual([
      [1, 48],
      [2, 48],
    ]);
  });

  it("stop after the last one needed", async () => {
    const backend = create();
    const model = await loadTiny("llama", backend);
    const before = { ...backend.counters.ops };
    const { cache, logits } = await model.run(ids, { capture: ["blocks.0.hook_resid_post"], logits: "none" });
    expect((backend.counters.ops.attention ?? 0) - (before.attention ?? 0)).toBe(1);
    expect(cache).toBeUndefined();
    expect(logits).toBeUndefined();
  });
});

describe("work", () => {
  const BLOCK: Partial<Record<OpName, number>> = { norm: 2, linear: 4, storeKv: 1, attention: 1 };

  it.each([
    ["llama", { ...BLOCK, rope: 1, glu: 1 }, {}],
    ["gpt2", BLOCK, { embed: 1, add: 1 }],
  ])("of a forward without hooks is exactly its operations: %s", async (name, block, extra) => {
    const backend = create();
    const model = await loadTiny(name, backend);
    const before = { ...backend.counters.ops };
    await model.run(ids);
    const done = Object.fromEntries(Object.entries(backend.counters.ops).map(([op, n]) => [op, n - (before[op] ?? 0)]));
    const want: Record<string, number> = { embed: 1, norm: 1, linear: 1 };
    for (const [op, n] of Object.entries(block)) want[op] = (want[op] ?? 0) + 3 * (n as number);
    for (const [op, n] of Object.entries(extra)) want[op] = (want[op] ?? 0) + (n as number);
    expect(Object.fromEntries(Object.entries(done).filter(([, n]) => n > 0))).toEqual(want);
  });

  it("of a declared addition is one operation, and none in JavaScript", async () => {
    const backend = create();
    const model = await loadTiny("llama", backend);
    const count = async (o: object): Promise<number> => {
      const total = (): number => Object.values(backend.counters.ops).reduce((a, b) => a + b, 0);
      const before = total();
      await model.run(ids, o);
      return total() - before;
    };
    const bare = await count({});
    expect(await count({ steer: { hook: "resid_post.1", vector } })).toBe(bare + 1);
  });
});

describe("JavaScript hooks", () => {
  it("add as the declared addition does, in run and while generating", async () => {
    const add = { hook: "blocks.1.hook_resid_post", vector, scale: 0.5 };
    const fn = ({ data, shape }: { data: Float32Array; shape: readonly number[] }) =>
      data.map((x, i) => x + Math.fround(0.5 * vector[i % shape.at(-1)!]!));
    const declared = await llama.run(ids, { steer: add });
    const scripted = await llama.run(ids, { hooks: { [add.hook]: fn } });
    expect(maxAbs(declared.logits!.data, scripted.logits!.data)).toBeLessThan(1e-4);
    const options = { maxTokens: 12, ignoreEos: true };
    const a = await llama.generate(ids.slice(0, 8), { ...options, steer: add }).result();
    const b = await llama.generate(ids.slice(0, 8), { ...options, hooks: { [add.hook]: fn } }).result();
    expect(a.tokens).toEqual(b.tokens);
    expect(a.tokens).not.toEqual((await llama.generate(ids.slice(0, 8), options).result()).tokens);
  });

  it("are told where they are", async () => {
    const seen: unknown[] = [];
    const hooks = {
      "resid_post.2": (_v: unknown, c: { phase: string; step: number; positions: readonly number[]; layer?: number }) =>
        void seen.push([c.phase, c.step, [...c.positions], c.layer]),
    };
    await llama.generate(ids.slice(0, 3), { maxTokens: 3, ignoreEos: true, hooks }).result();
    expect(seen).toEqual([
      ["prefill", 0, [0, 1, 2], 2],
      ["decode", 0, [3], 2],
      ["decode", 1, [4], 2],
    ]);
  });

  it("may edit the cache between steps", async () => {
    const zero = { "kv.0.hook_v": (v: { data: Float32Array }) => new Float32Array(v.data.length) };
    const [edited, plain] = [await gpt2.run(ids, { hooks: zero }), await gpt2.run(ids)];
    expect(maxAbs(edited.logits!.data, plain.logits!.data)).toBeGreaterThan(1e-3);
    const { captures } = await gpt2.run(ids, { hooks: zero, capture: ["blocks.0.attn.hook_z"] });
    expect(captures["blocks.0.attn.hook_z"]!.data.every((x) => x === 0)).toBe(true);
  });
});
