/** Op cases of what is taken from whole sets of rows or columns: the largest of a row, weighted sums of rows. */
import { combine, EXACT, type OpCase } from "./opCase.ts";
import type { CaseBuilder, Fill } from "./opCaseData.ts";

/** Numbers as logits have them; few different ones, so that most are tied; or all that floats can be. */
const TOP_FILLS: Readonly<Record<string, (b: CaseBuilder) => Fill>> = {
  normal: (b) => () => 3 * b.random.normal(),
  tied: (b) => () => b.random.below(3) - 1,
  special: (b) => () =>
    [Number.NaN, -Infinity, 0, -0, 1e-41, -1e-41, 1e38, -3e38][b.random.below(12)] ?? b.random.normal(),
  equal: () => () => 0.25,
  hidden: () => () => Number.NaN,
};

interface TopShape extends Record<string, unknown> {
  readonly R: number;
  readonly N: number;
  readonly K: number;
  readonly data: string;
}

/** Places and values must be exactly the oracle's. */
export function topKCase({ R, N, K, data }: TopShape): OpCase {
  return {
    name: `topK R=${R} N=${N} K=${K} ${data}`,
    op: "topK",
    nmse: 0,
    relative: 0,
    flops: R * N,
    bytes: 4 * R * N + 8 * R * K,
    record: (b) => {
      const x = b.f32("x", [R, N], TOP_FILLS[data]!(b));
      const y = b.i32("y", [R, 2, K], new Array<number>(2 * R * K).fill(-7));
      return { calls: [{ op: "topK", x, y }], outputs: ["y"] };
    },
  };
}

export function sumRowsCase({ K, R, D, add }: { K: number; R: number; D: number; add: boolean }): OpCase {
  return {
    name: `sumRows K=${K} R=${R} D=${D}${add ? " add" : ""}`,
    op: "sumRows",
    ...EXACT,
    flops: 2 * K * R * D,
    bytes: 4 * (R * D + K * R + K * D),
    record: (b) => {
      const y = add ? b.f32("y", [K, D]) : b.output("y", [K, D]);
      return {
        calls: [{ op: "sumRows", x: b.f32("x", [R, D]), weights: b.f32("weights", [K, R]), y, add }],
        outputs: ["y"],
      };
    },
  };
}

export function rowSetCases(full: boolean): OpCase[] {
  const sizes = [1, 3, 17, 63, 65, 129, 700, 3001];
  const tops = combine<TopShape>({ R: [1, 3], N: sizes, K: [1, 3, 64, 256, 5], data: Object.keys(TOP_FILLS) }, full, 5);
  const vocabulary = [
    { R: 1, N: 49152, K: 1, data: "normal" },
    { R: 1, N: 49152, K: 1, data: "tied" },
    { R: 1, N: 49152, K: 41, data: "normal" },
    { R: 1, N: 49152, K: 257, data: "normal" },
    { R: 2, N: 50257, K: 257, data: "special" },
    { R: 1, N: 49152, K: 512, data: "tied" },
  ];
  const fitting = [...tops.map((s) => ({ ...s, K: Math.min(s.K, s.N) })), ...vocabulary];
  const distinct = new Map(fitting.map((s) => [topKCase(s).name, s]));
  const sums = combine<{ K: number; R: number; D: number; add: boolean }>(
    { K: [1, 2, 7], R: [1, 3, 80, 17], D: [1, 3, 17, 63, 65, 129, 576], add: [false, true] },
    full,
    2,
  );
  return [...[...distinct.values()].map(topKCase), ...sums.map(sumRowsCase)];
}
