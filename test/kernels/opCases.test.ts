/**
 * Every row of the op-case table on every backend against the float64 oracle: values, guard bytes, untouched inputs.
 * TRIMTAB_FULL_CASES=1 takes the whole product of shapes.
 */
import { describe, expect, it } from "vitest";
import { buildCase, type OpCase } from "../../src/kernels/opCase.ts";
import { opCases } from "../../src/kernels/opCases.ts";
import { disagreements } from "../support/agreement.ts";
import { BACKENDS } from "../support/backends.ts";

const cases = opCases({ full: process.env.TRIMTAB_FULL_CASES === "1" });
const reference = BACKENDS.find((b) => b.name === "oracle")!.create();
const backends = BACKENDS.filter((b) => b.name !== "oracle").map(({ name, create }) => ({ name, backend: create() }));

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
    for (const { name, backend } of backends) expect(await disagreements(backend, c), name).toEqual([]);
  });
});
