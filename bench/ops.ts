/**
 * Times operations: every row of the op-case table, and the matrix products of the default model. GFLOP/s and GB/s with
 * their shares of the measured roofline. Knows the table and the backend, no model.
 */

import type { CpuBackend } from "../src/kernels/index.ts";
import { buildCase, type OpCase } from "../src/kernels/opCase.ts";
import { linearCase, opCases } from "../src/kernels/opCases.ts";
import type { Row } from "./report.ts";
import type { Roofline } from "./roofline.ts";
import { bestOfBatches } from "./timing.ts";

/** [N, K] of SmolLM2-135M's products: q|k|v, out, gate|up, down. */
const MODEL_SHAPES = [
  [960, 576],
  [576, 576],
  [3072, 576],
  [576, 1536],
] as const;

function modelCases(): OpCase[] {
  const linear = [1, 256].flatMap((T) =>
    MODEL_SHAPES.flatMap(([N, K]) => (["f32", "q4_1", "q8_0"] as const).map((dtype) => linearCase({ dtype, T, N, K }))),
  );
  return [
    ...linear,
    linearCase({ dtype: "q8_0", T: 1, N: 49152, K: 576 }),
    linearCase({ dtype: "f32", T: 256, N: 1536, K: 576 }),
  ];
}

export function benchOps(backend: CpuBackend, roof: Roofline, filter: string, onRow: (name: string) => void): Row[] {
  const { threads } = backend.caps;
  const cases = [...modelCases(), ...opCases({ full: false })].filter((c) => c.name.includes(filter));
  return cases.map((c) => {
    onRow(c.name);
    const built = buildCase(c, backend);
    const ms = bestOfBatches(() => backend.run(built.calls), 5, 4);
    built.dispose();
    const [gflops, gbytes] = [c.flops / ms / 1e6, c.bytes / ms / 1e6];
    const also = {
      "GFLOP/s": gflops,
      "of peak": gflops / (roof.gflops * threads),
      "GB/s": gbytes,
      "of copy": gbytes / roof.gbytesPerSecond,
    };
    return { name: c.name, unit: "ms", value: ms, also };
  });
}
