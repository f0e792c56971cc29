/**
 * Every row of the op-case table on every backend against the float64 oracle: values, guard bytes, untouched inputs.
 * TRIMTAB_FULL_CASES=1 takes the whole product of shapes.
 */
import { describe, expect, it } from "vitest";
import { buildCase, type OpCase } from "../../src/kernels/opCase.ts";
import { type BuiltCase, GUARD_BYTE, GUARD_BYTES } from "../../src/kernels/opCaseData.ts";
import { opCases } from "../../src/kernels/opCases.ts";
import type { Backend } from "../../src/tensor/backend.ts";
import { BACKENDS } from "../support/backends.ts";

const cases = opCases({ full: process.env.TRIMTAB_FULL_CASES === "1" });
const reference = BACKENDS.find((b) => b.name === "oracle")!.create();
const backends = BACKENDS.filter((b) => b.name !== "oracle").map(({ name, create }) => ({ name, backend: create() }));

/** Runs a case and returns each tensor's bytes with its guards. */
async function runCase(backend: Backend, c: OpCase): Promise<{ built: BuiltCase; bytes: Map<string, Uint8Array> }> {
  const built = buildCase(c, backend);
  backend.run(built.calls);
  const bytes = new Map<string, Uint8Array>();
  for (const [label, t] of built.tensors) bytes.set(label, await backend.read(t.buffer, 0, t.buffer.bytes));
  built.dispose();
  return { built, bytes };
}

const inner = (bytes: Uint8Array): Float32Array =>
  new Float32Array(bytes.buffer, bytes.byteOffset + GUARD_BYTES, (bytes.byteLength - 2 * GUARD_BYTES) / 4);

function expectGuards(bytes: Uint8Array, what: string): void {
  const guards = [...bytes.subarray(0, GUARD_BYTES), ...bytes.subarray(-GUARD_BYTES)];
  expect(
    guards.every((b) => b === GUARD_BYTE),
    `${what}: wrote outside its tensor`,
  ).toBe(true);
}

/** NaN and the infinities must be in the same places; the rest is compared by NMSE and by the worst element. */
function expectClose(got: Float32Array, want: Float32Array, c: OpCase, what: string): void {
  let [error, power, finite] = [0, 0, 0];
  want.forEach((w, i) => {
    if (!Number.isFinite(w) || !Number.isFinite(got[i]!)) {
      if (!Object.is(got[i], w)) expect.fail(`${what}[${i}] is ${got[i]}, expected ${w}`);
      return;
    }
    error += (got[i]! - w) ** 2;
    power += w ** 2;
    if (Math.abs(w) < 1e15) finite += w ** 2;
  });
  expect(error, `${what}: NMSE ${error / power}`).toBeLessThanOrEqual(c.nmse * power);
  const rms = Math.sqrt(finite / Math.max(1, want.length));
  want.forEach((w, i) => {
    const difference = Math.abs(got[i]! - w);
    if (difference > c.relative * (Math.abs(w) + rms)) expect.fail(`${what}[${i}] is ${got[i]}, expected ${w}`);
  });
}

const byOp = new Map<string, OpCase[]>();
for (const c of cases) byOp.set(c.op, [...(byOp.get(c.op) ?? []), c]);

it("the table covers every op, with distinct names and sane costs", () => {
  const ops = new Set(cases.flatMap((c) => buildCase(c, reference).calls.map((call) => call.op)));
  const expected = "ablate activation add affine attention attnMix attnScores columns copy embed gatherRows glu linear logSumExp norm rope softmax steer storeKv sumRows topK"; // biome-ignore format: one line
  expect([...ops].sort().join(" ")).toBe(expected);
  expect(new Set(cases.map((c) => c.name)).size).toBe(cases.length);
  expect(cases.every((c) => c.flops >= 0 && c.bytes > 0)).toBe(true);
});

it("a fast backend is tested", () => expect(backends.length).toBeGreaterThanOrEqual(1));

describe.each([...byOp])("%s", (_, rows) => {
  it.each(rows.map((c) => [c.name, c] as const))("%s", async (_name, c) => {
    const want = await runCase(reference, c);
    for (const { name, backend } of backends) {
      const got = await runCase(backend, c);
      for (const [label, bytes] of got.bytes) {
        const what = `${name}: ${label}`;
        expectGuards(bytes, what);
        const expected = want.bytes.get(label)!;
        if (got.built.outputs.includes(label)) expectClose(inner(bytes), inner(expected), c, what);
        else expect(Buffer.compare(bytes, expected), `${what}: an input changed`).toBe(0);
      }
    }
  });
});
