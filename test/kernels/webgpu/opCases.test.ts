/**
 * Every row of the op-case table on the GPU against the float64 oracle, and those whose kernels depend on the device
 * also without optional features. TRIMTAB_FULL_CASES=1 takes the whole product.
 */
import { describe, expect, it } from "vitest";
import type { OpCase } from "../../../src/kernels/opCase.ts";
import { opCases } from "../../../src/kernels/opCases.ts";
import type { Backend } from "../../../src/tensor/backend.ts";
import { disagreements } from "../../support/agreement.ts";
import { needGpu, testGpu } from "../../support/gpu.ts";
import { describeNeeding } from "../../support/needs.ts";

async function expectAgreement(backend: Backend, c: OpCase): Promise<void> {
  expect(await disagreements(backend, c)).toEqual([]);
}

const byOp = new Map<string, OpCase[]>();
for (const c of opCases({ full: process.env.TRIMTAB_FULL_CASES === "1" }))
  byOp.set(c.op, [...(byOp.get(c.op) ?? []), c]);

describeNeeding(needGpu, "the op-case table on the GPU", async () => {
  const backend = await testGpu();
  describe.each([...byOp])("%s", (_, rows) => {
    it.each(rows.map((c) => [c.name, c] as const))("%s", (_, c) => expectAgreement(backend, c));
  });
});

describeNeeding(needGpu, "without optional features", async () => {
  const backend = await testGpu({ without: ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix"] });
  const simple = await testGpu({ simpleKernels: true });
  const rows = ["linear", "attention"].flatMap((op) => byOp.get(op)!.filter((_, i) => i % 3 === 0));
  it.each(rows.map((c) => [c.name, c] as const))("%s", (_, c) => expectAgreement(backend, c));
  // where software plays the GPU, rows are reduced by fewer threads than a GPU has, but in simple kernels
  const reduced = ["norm", "softmax", "logSumExp", "ablate", "columns", "rope"].flatMap((op) => byOp.get(op)!);
  it.each([...rows, ...reduced].map((c) => [c.name, c] as const))("%s, simple kernels", (_, c) =>
    expectAgreement(simple, c),
  );
  it("has none", () => expect(backend.caps.tier).toBe("webgpu"));
});
