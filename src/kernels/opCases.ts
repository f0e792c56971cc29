/**
 * The op-case table: every operation with shapes, types, tolerance and cost. It drives the tests (each backend against the
 * oracle) and the benchmarks. By default each value of each axis appears a few times; `full` takes the whole product.
 */
import type { Activation, NormKind, OpCall, OpName } from "../tensor/backend.ts";
import { BLOCK_DTYPES, byteLength, type DType } from "../tensor/dtype.ts";
import { combine, EXACT, EXACT_FEW, type OpCase } from "./opCase.ts";
import { attentionCases } from "./opCaseAttention.ts";
import type { CaseBuilder, Fill } from "./opCaseData.ts";
import { rowSetCases } from "./opCaseRowSets.ts";

const SIZES = [1, 3, 17, 63, 65, 129] as const;
const ACTIVATIONS: readonly Activation[] = ["gelu", "gelu_tanh", "relu", "silu"];
export const WEIGHT_DTYPES: readonly DType[] = ["f32", "f16", "bf16", ...BLOCK_DTYPES];

/** Row lengths that a type can store: whole blocks. */
function rowLengths(dtype: DType): readonly number[] {
  if (dtype.endsWith("_k")) return [256, 768];
  return dtype.startsWith("q") ? [32, 96, 288] : [1, 17, 65, 129];
}

const describe = (op: string, parts: Readonly<Record<string, unknown>>): string =>
  `${op} ${Object.entries(parts)
    .filter(([, v]) => v !== undefined && v !== false)
    .map(([k, v]) => `${k}=${v}`)
    .join(" ")}`;

/** NaN, both infinities, zeros of both signs and huge numbers among ordinary ones, in the first rows only. */
const special: (b: CaseBuilder) => Fill = (b) => (i) =>
  [Number.NaN, Infinity, -Infinity, 0, -0, 1e30, -1e30][i < 140 ? b.random.below(40) : 99] ?? b.random.normal();

export interface LinearShape {
  dtype: DType | readonly DType[];
  T: number;
  N: number;
  K: number;
  bias?: boolean;
  act?: Activation;
  residual?: "other" | "same";
}

export function linearCase(s: LinearShape): OpCase {
  const { T, N, K } = s;
  const dtypes = typeof s.dtype === "string" ? [s.dtype] : s.dtype;
  return {
    name: describe("linear", { ...s, dtype: dtypes.join("+") }),
    op: "linear",
    ...(T * N < 16 ? EXACT_FEW : EXACT),
    flops: 2 * T * N * K,
    bytes: dtypes.reduce((sum, d) => sum + byteLength(d, N * K), 0) / dtypes.length + 4 * T * (N + K),
    record: (b) => {
      const parts = dtypes.map((dtype, i) => ({
        dtype,
        n: Math.floor(((i + 1) * N) / dtypes.length) - Math.floor((i * N) / dtypes.length),
      }));
      const w = b.matrix("w", parts, K);
      const x = b.f32("x", [T, K]);
      const bias = s.bias ? b.f32("bias", [N]) : undefined;
      const y = s.residual === "same" ? b.f32("y", [T, N]) : b.output("y", [T, N]);
      const residual = s.residual && (s.residual === "same" ? y : b.f32("residual", [T, N]));
      return { calls: [{ op: "linear", x, w, bias, act: s.act, residual, y }], outputs: ["y"] };
    },
  };
}

function matrixCases(full: boolean): OpCase[] {
  const rows = full ? SIZES : [1, 2, 3, 8, 17, 65];
  const linear = WEIGHT_DTYPES.flatMap((dtype) => {
    const axes = { T: rows, N: SIZES, K: rowLengths(dtype) };
    return combine<{ T: number; N: number; K: number }>(axes, full).map((s, i) => {
      const residual = ([undefined, "other", "same"] as const)[i % 3];
      const act = ([undefined, ...ACTIVATIONS, undefined] as const)[i % 6];
      return linearCase({ dtype, ...s, bias: i % 2 === 1, act, residual });
    });
  });
  const mixed = [1, 5].map((T) => linearCase({ dtype: ["q4_1", "q8_0", "f32"], T, N: 99, K: 64, bias: true }));
  const lookups = WEIGHT_DTYPES.flatMap((dtype) =>
    combine<{ T: number; N: number; K: number }>({ T: [1, 5, 17], N: [19, 65], K: rowLengths(dtype) }, full).flatMap(
      (s) => [embedCase(dtype, s), columnsCase(dtype, s)],
    ),
  );
  return [...linear, ...mixed, ...lookups];
}

function embedCase(dtype: DType, s: { T: number; N: number; K: number }): OpCase {
  return {
    name: describe("embed", { dtype, ...s }),
    op: "embed",
    ...EXACT,
    flops: 0,
    bytes: byteLength(dtype, s.T * s.K) + 4 * s.T * s.K,
    record: (b) => {
      const table = b.matrix("table", [{ dtype, n: s.N }], s.K);
      const ids = b.i32("ids", [s.T], [s.N - 1, 0, ...Array.from({ length: s.T }, () => b.random.below(s.N))].slice(0, s.T)); // biome-ignore format: one line
      return { calls: [{ op: "embed", table, ids, y: b.output("y", [s.T, s.K]) }], outputs: ["y"] };
    },
  };
}

function columnsCase(dtype: DType, s: { T: number; N: number; K: number }): OpCase {
  const C = 7;
  return {
    name: describe("columns", { dtype, ...s, C }),
    op: "columns",
    ...(s.T * C < 16 ? EXACT_FEW : EXACT),
    flops: 2 * s.T * C * s.K,
    bytes: byteLength(dtype, C * s.K) + 4 * s.T * (s.K + C),
    record: (b) => {
      const w = b.matrix("w", [{ dtype, n: s.N }], s.K);
      const ids = b.i32("ids", [C], [s.N - 1, 0, ...Array.from({ length: C - 2 }, () => b.random.below(s.N))]);
      return { calls: [{ op: "columns", x: b.f32("x", [s.T, s.K]), w, ids, y: b.output("y", [s.T, C]) }], outputs: ["y"] }; // biome-ignore format: one line
    },
  };
}

type NormForm = "plain" | "gain" | "gain+bias" | "scaleOut" | "scaleOnly" | "scaleIn";

export function normCase(s: {
  kind: NormKind;
  T: number;
  D: number;
  form: NormForm;
  data?: "outlier" | "special";
}): OpCase {
  const { kind, T, D, form } = s;
  // A residual stream as the default model has it: one element of 25,000 among ones of 1.
  const outlier =
    (b: CaseBuilder): Fill =>
    (i) =>
      i % D === D >> 1 ? 24926 : b.random.normal();
  return {
    name: describe("norm", s),
    op: "norm",
    ...EXACT,
    flops: 5 * T * D,
    bytes: 8 * T * D,
    record: (b) => {
      const fill = s.data === "outlier" ? outlier(b) : s.data === "special" ? special(b) : undefined;
      const x = b.f32("x", [T, D], fill);
      const gain = form.startsWith("gain") ? b.f32("gain", [D]) : undefined;
      const bias = form === "gain+bias" ? b.f32("bias", [D]) : undefined;
      const scaleIn = form === "scaleIn" ? b.f32("scaleIn", [T, 1], () => 0.5 + b.random.uniform()) : undefined;
      const scaleOut = form === "scaleOut" || form === "scaleOnly" ? b.output("scale", [T, 1]) : undefined;
      const y = form === "scaleOnly" ? undefined : b.output("y", [T, D]);
      const outputs = [...(y ? ["y"] : []), ...(scaleOut ? ["scale"] : [])];
      return { calls: [{ op: "norm", kind, eps: 1e-5, x, y, gain, bias, scaleOut, scaleIn }], outputs };
    },
  };
}

function normCases(full: boolean): OpCase[] {
  const kinds: readonly NormKind[] = ["rms", "layer"];
  const forms: readonly NormForm[] = ["plain", "gain", "gain+bias", "scaleOut", "scaleOnly", "scaleIn"];
  const shapes = combine<{ T: number; D: number; form: NormForm }>({ T: [1, 3, 17], D: SIZES, form: forms }, full, 2);
  const plain = kinds.flatMap((kind) => shapes.map((s) => normCase({ kind, ...s })));
  const odd = kinds.flatMap((kind) => [
    normCase({ kind, T: 3, D: 576, form: "gain+bias", data: "outlier" }),
    normCase({ kind, T: 30, D: 17, form: "gain+bias", data: "special" }),
  ]);
  return [...plain, ...odd];
}

/** An elementwise case on rows of `D`; `record` gets the builder, the shape and what fills the first operand. */
function rowCase(
  op: OpName,
  s: { T: number; D: number; data?: "special" } & Readonly<Record<string, unknown>>,
  cost: { flops: number; operands: number },
  record: (b: CaseBuilder, fill: Fill | undefined) => { calls: OpCall[]; outputs: string[] },
): OpCase {
  return {
    name: describe(op, s),
    op,
    ...EXACT,
    flops: cost.flops * s.T * s.D,
    bytes: 4 * cost.operands * s.T * s.D,
    record: (b) => record(b, s.data && special(b)),
  };
}

interface RowShape extends Record<string, unknown> {
  T: number;
  D: number;
  data?: "special";
}

function elementwiseCases(full: boolean): OpCase[] {
  const shapes: RowShape[] = combine<{ T: number; D: number }>({ T: [1, 3, 17], D: SIZES }, full);
  const all: RowShape[] = [...shapes, { T: 9, D: 65, data: "special" }];
  return all.flatMap((s) => {
    const { T, D } = s;
    return [
      ...ACTIVATIONS.flatMap((act) => [activationCase(s, act, false), activationCase(s, act, true), gluCase(s, act)]),
      ...[false, true].map((bias) =>
        rowCase("affine", { ...s, bias }, { flops: 2, operands: 2 }, (b, fill) => {
          const x = b.f32("x", [T, D], fill);
          const gain = b.f32("gain", [D]);
          const y = b.output("y", [T, D]);
          return { calls: [{ op: "affine", x, gain, bias: bias ? b.f32("bias", [D]) : undefined, y }], outputs: ["y"] };
        }),
      ),
      ...[false, true].map((inPlace) =>
        rowCase("add", { ...s, inPlace }, { flops: 1, operands: 3 }, (b, fill) => {
          const [a, other] = [b.f32("a", [T, D], fill), b.f32("b", [T, D])];
          const y = inPlace ? a : b.output("y", [T, D]);
          return { calls: [{ op: "add", a, b: other, y }], outputs: [inPlace ? "a" : "y"] };
        }),
      ),
      softmaxCase(s),
      logSumExpCase(s),
      steerCase(s),
      ablateCase(s),
      gatherCase(s),
      copyCase(s),
    ];
  });
}

function activationCase(s: RowShape, act: Activation, inPlace: boolean): OpCase {
  return rowCase("activation", { act, ...s, inPlace }, { flops: 20, operands: 2 }, (b, fill) => {
    const x = b.f32("x", [s.T, s.D], fill ?? (() => 4 * b.random.normal()));
    const y = inPlace ? x : b.output("y", [s.T, s.D]);
    return { calls: [{ op: "activation", act, x, y }], outputs: [inPlace ? "x" : "y"] };
  });
}

function gluCase(s: RowShape, act: Activation): OpCase {
  return rowCase("glu", { act, ...s }, { flops: 21, operands: 3 }, (b, fill) => {
    const x = b.f32("x", [s.T, 2 * s.D], fill ?? (() => 3 * b.random.normal()));
    return { calls: [{ op: "glu", act, x, y: b.output("y", [s.T, s.D]) }], outputs: ["y"] };
  });
}

function softmaxCase(s: RowShape): OpCase {
  return rowCase("softmax", s, { flops: 25, operands: 2 }, (b, fill) => {
    // Every fifth score or so is hidden, but never a row's first.
    const hidden: Fill = (i) => (i % s.D > 0 && b.random.below(5) === 0 ? -Infinity : 5 * b.random.normal());
    const x = b.f32("x", [s.T, s.D], fill ?? hidden);
    return { calls: [{ op: "softmax", x, y: b.output("y", [s.T, s.D]) }], outputs: ["y"] };
  });
}

function steerCase(s: RowShape): OpCase {
  return rowCase("steer", s, { flops: 2, operands: 3 }, (b, fill) => {
    const x = b.f32("x", [s.T, s.D], fill);
    const vectors = b.f32("vectors", [3, s.D]);
    const index = b.i32(
      "index",
      [s.T],
      Array.from({ length: s.T }, (_, t) => ((t + 1) % 4) - 1),
    );
    return { calls: [{ op: "steer", x, vectors, index, coeffs: b.f32("coeffs", [s.T]) }], outputs: ["x"] };
  });
}

function ablateCase(s: RowShape): OpCase {
  const D = s.D + 1; // of a row of one number nothing would be left
  return rowCase("ablate", { T: s.T, D }, { flops: 4, operands: 3 }, (b, fill) => {
    const x = b.f32("x", [s.T, D], fill);
    const vectors = b.f32("vectors", [3, D], (i) => (i < 2 * D ? b.random.normal() : 0));
    const index = b.i32(
      "index",
      [s.T],
      Array.from({ length: s.T }, (_, t) => ((t + 1) % 4) - 1),
    );
    return { calls: [{ op: "ablate", x, vectors, index }], outputs: ["x"] };
  });
}

function logSumExpCase(s: RowShape): OpCase {
  return rowCase("logSumExp", s, { flops: 22, operands: 1 }, (b, fill) => {
    // all of a row's first numbers may be hidden, never the last
    const hidden: Fill = (i) => (i % s.D < s.D - 1 && b.random.below(3) === 0 ? -Infinity : 8 * b.random.normal());
    const x = b.f32("x", [s.T, s.D], fill ?? hidden);
    return { calls: [{ op: "logSumExp", x, y: b.output("y", [s.T, 1]) }], outputs: ["y"] };
  });
}

function gatherCase(s: RowShape): OpCase {
  return rowCase("gatherRows", s, { flops: 0, operands: 2 }, (b, fill) => {
    const x = b.f32("x", [5, s.D], fill);
    const rows = b.i32(
      "rows",
      [s.T],
      Array.from({ length: s.T }, () => b.random.below(5)),
    );
    return { calls: [{ op: "gatherRows", x, rows, y: b.output("y", [s.T, s.D]) }], outputs: ["y"] };
  });
}

function copyCase(s: RowShape): OpCase {
  return rowCase("copy", s, { flops: 0, operands: 2 }, (b, fill) => {
    const src = b.f32("src", [s.T, s.D + 3], fill);
    const dst = b.output("dst", [s.T, s.D + 2]);
    return { calls: [{ op: "copy", src, srcColumn: 2, dst, dstColumn: 1, columns: s.D }], outputs: ["dst"] };
  });
}

/** The table. */
export function opCases(o: { full?: boolean } = {}): OpCase[] {
  const full = o.full ?? false;
  return [
    ...matrixCases(full),
    ...normCases(full),
    ...elementwiseCases(full),
    ...rowSetCases(full),
    ...attentionCases(full),
  ];
}
