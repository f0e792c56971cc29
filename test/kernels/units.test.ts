/** Units do not depend on each other: three threads give the bytes of one, for every row of the op-case table. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { createCpuBackend } from "../../src/kernels/cpu/backend.ts";
import { buildCase } from "../../src/kernels/opCase.ts";
import { opCases } from "../../src/kernels/opCases.ts";
import type { Backend } from "../../src/tensor/backend.ts";

const one = createCpuBackend({ threads: 1 });
const three = createCpuBackend({ threads: 3 });
beforeAll(() => three.threadsReady());
afterAll(() => three.dispose());

const ops = [...new Set(opCases().map((c) => c.op))];

it.each(ops)("%s", async (op) => {
  for (const c of opCases().filter((each) => each.op === op)) {
    const run = async (backend: Backend): Promise<Uint8Array[]> => {
      const built = buildCase(c, backend);
      backend.run(built.calls);
      const read = await Promise.all([...built.tensors.values()].map((t) => backend.read(t.buffer, 0, t.buffer.bytes)));
      built.dispose();
      return read;
    };
    const [a, b] = [await run(one), await run(three)];
    expect(
      a.every((bytes, i) => Buffer.compare(bytes, b[i]!) === 0),
      c.name,
    ).toBe(true);
  }
});
