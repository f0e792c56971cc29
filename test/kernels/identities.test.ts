/**
 * Fused operations equal their stages as numbers, on the oracle and on each CPU tier: hooks may then look between the
 * stages without changing what the model computes. Also what does not depend on how rows were cut into calls.
 */
import { describe, expect, it } from "vitest";
import { buildCase, type OpCase } from "../../src/kernels/opCase.ts";
import { attentionCase, stagedAttentionCase } from "../../src/kernels/opCaseAttention.ts";
import { CaseBuilder, Random } from "../../src/kernels/opCaseData.ts";
import type { Activation, Backend, NormKind, OpCall } from "../../src/tensor/backend.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { BACKENDS } from "../support/backends.ts";

/** Runs what `record` makes from the same random inputs and returns the tensor it names. */
function compute(backend: Backend, record: (b: CaseBuilder) => { calls: OpCall[]; result: Tensor }): number[] {
  const b = new CaseBuilder(backend, new Random("identities"));
  const { calls, result } = record(b);
  backend.run(calls);
  const values = [...(result.readSync() as Float32Array)];
  b.finish(calls, []).dispose();
  return values;
}

function runCase(backend: Backend, c: OpCase, name: string): number[] {
  const built = buildCase({ ...c, name }, backend);
  backend.run(built.calls);
  const values = [...(built.tensors.get("z")!.readSync() as Float32Array)];
  built.dispose();
  return values;
}

/** 0 and −0 are one number. */
const equal = (a: number[], b: number[]): void => expect(a.map((v) => v + 0)).toEqual(b.map((v) => v + 0));

describe.each(BACKENDS)("$name", ({ create }) => {
  const backend = create();

  it.each(
    (["rms", "layer"] satisfies NormKind[]).flatMap((kind) =>
      [1, 6, 63, 576].flatMap((D) => [false, true].map((bias) => [kind, D, bias] as const)),
    ),
  )("%s norm of %i, bias %s: fused = scale → normalized → affine", (kind, D, withBias) => {
    const inputs = (b: CaseBuilder) => ({
      x: b.f32("x", [5, D], (i) => (i % D === 3 ? 24926 : b.random.normal())),
      gain: b.f32("gain", [D]),
      bias: withBias ? b.f32("bias", [D]) : undefined,
    });
    const fused = compute(backend, (b) => {
      const [i, y] = [inputs(b), b.output("y", [5, D])];
      return { calls: [{ op: "norm", kind, eps: 1e-5, ...i, y }], result: y };
    });
    const staged = compute(backend, (b) => {
      const { x, gain, bias } = inputs(b);
      const [scale, n, y] = [b.output("scale", [5, 1]), b.output("n", [5, D]), b.output("y", [5, D])];
      const calls: OpCall[] = [
        { op: "norm", kind, eps: 1e-5, x, scaleOut: scale },
        { op: "norm", kind, eps: 1e-5, x, y: n, scaleIn: scale },
        { op: "affine", x: n, gain, bias, y },
      ];
      return { calls, result: y };
    });
    equal(fused, staged);
  });

  const heads = { H: 6, Hkv: 2, Dh: 18 };
  it.each([
    ["prefill", [{ rows: 70, past: 0, prefix: 0 }], 0],
    ["prefill after a past and a prefix", [{ rows: 37, past: 11, prefix: 13 }], 0],
    ["a window", [{ rows: 70, past: 20, prefix: 5 }], 19],
    ["decode", [{ rows: 1, past: 130, prefix: 7 }], 0],
    ["three rows", [{ rows: 3, past: 9, prefix: 2 }], 4],
    ["a ragged batch", [{ rows: 40, past: 0, prefix: 3 }, { rows: 1, past: 9, prefix: 3 }, { rows: 5, past: 1, prefix: 0 }], 0], // biome-ignore format: one line
  ] as const)("attention = attnScores → softmax → attnMix: %s", (name, seqs, window) => {
    const shape = { heads, seqs, window };
    equal(runCase(backend, attentionCase(shape), name), runCase(backend, stagedAttentionCase(shape), name));
  });

  it.each(["gelu", "gelu_tanh", "relu", "silu"] satisfies Activation[])(
    "linear with %s = linear → activation",
    (act) => {
      const inputs = (b: CaseBuilder) => ({
        w: b.matrix("w", [{ dtype: "f32", n: 37 }], 29),
        x: b.f32("x", [7, 29]),
        bias: b.f32("bias", [37]),
      });
      const fused = compute(backend, (b) => {
        const [i, y] = [inputs(b), b.output("y", [7, 37])];
        return { calls: [{ op: "linear", ...i, act, y }], result: y };
      });
      const staged = compute(backend, (b) => {
        const [i, y] = [inputs(b), b.output("y", [7, 37])];
        return { calls: [{ op: "linear", ...i, y }, { op: "activation", act, x: y, y }], result: y }; // biome-ignore format: one line
      });
      equal(fused, staged);
    },
  );

  it("linear with a residual = linear → add", () => {
    const inputs = (b: CaseBuilder) => ({ w: b.matrix("w", [{ dtype: "q8_0", n: 37 }], 64), x: b.f32("x", [7, 64]) });
    const fused = compute(backend, (b) => {
      const [i, y] = [inputs(b), b.f32("y", [7, 37])];
      return { calls: [{ op: "linear", ...i, residual: y, y }], result: y };
    });
    const staged = compute(backend, (b) => {
      const [i, y, product] = [inputs(b), b.f32("y", [7, 37]), b.output("product", [7, 37])];
      return { calls: [{ op: "linear", ...i, y: product }, { op: "add", a: product, b: y, y }], result: y }; // biome-ignore format: one line
    });
    equal(fused, staged);
  });

  it("steering by 0 changes nothing", () => {
    const steer = (on: boolean): number[] =>
      compute(backend, (b) => {
        const x = b.f32("x", [4, 33]);
        const call: OpCall = {
          op: "steer",
          x,
          vectors: b.f32("v", [1, 33]),
          index: b.i32("index", [4], [0, 0, 0, 0]),
          coeffs: b.f32("coeffs", [4], () => 0),
        };
        return { calls: on ? [call] : [], result: x };
      });
    equal(steer(true), steer(false));
  });

  it("the sequence table, positions and slots are read at run time: one list serves every step", () => {
    const b = new CaseBuilder(backend, new Random("steps"));
    const [Dh, capacity] = [8, 40];
    const layout = { H: 2, Hkv: 1, Dh };
    const qkv = b.f32("qkv", [1, 4 * Dh]);
    const [kCache, vCache] = [b.f32("k", [capacity, Dh]), b.f32("v", [capacity, Dh])];
    const [seqs, slots, z] = [b.i32("seqs", [1, 6], [0, 1, 0, 1, 0, 0]), b.i32("slots", [1], [0]), b.output("z", [1, 16])]; // biome-ignore format: one line
    const calls: OpCall[] = [
      { op: "storeKv", qkv, heads: layout, slots, kCache, vCache },
      { op: "attention", qkv, heads: layout, kCache, vCache, seqs, scale: 0.4, window: 0, maxKeys: capacity, z },
    ];
    const same: number[] = [];
    for (let step = 0; step < capacity; step++) {
      seqs.write(Int32Array.from([0, 1, 0, step + 1, 0, 0]));
      slots.write(Int32Array.from([step]));
      // every value row is the same, so every mixture of them is that row
      backend.run(calls);
      const [out, v] = [z.readSync() as Float32Array, (qkv.readSync() as Float32Array).subarray(3 * Dh)];
      same.push(Math.max(...v.map((x, d) => Math.abs(x - out[d]!))));
    }
    expect(Math.max(...same)).toBeLessThan(1e-5);
    b.finish(calls, []).dispose();
  });
});
