/**
 * Op cases of attention: rope, storeKv, the fused op and its stages, over head layouts, prefixes, windows and ragged
 * batches. Part of the table in opCases.ts.
 */
import { type HeadLayout, type OpCall, SEQ } from "../tensor/backend.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { combine, EXACT, type OpCase } from "./opCase.ts";
import type { CaseBuilder } from "./opCaseData.ts";

/** Query rows, keys that were there before them, and shared prefix rows of one sequence. */
export interface SequenceShape {
  readonly rows: number;
  readonly past: number;
  readonly prefix: number;
}

export interface AttentionShape {
  readonly heads: HeadLayout;
  readonly seqs: readonly SequenceShape[];
  readonly window: number;
}

const HEADS: readonly HeadLayout[] = [
  { H: 1, Hkv: 1, Dh: 1 },
  { H: 3, Hkv: 1, Dh: 3 },
  { H: 4, Hkv: 4, Dh: 17 },
  { H: 9, Hkv: 3, Dh: 64 },
  { H: 14, Hkv: 2, Dh: 65 },
  { H: 2, Hkv: 1, Dh: 130 },
];
const BATCHES: readonly (readonly SequenceShape[])[] = [
  [{ rows: 1, past: 0, prefix: 0 }],
  [{ rows: 1, past: 62, prefix: 0 }],
  [{ rows: 3, past: 5, prefix: 2 }],
  [{ rows: 65, past: 0, prefix: 0 }],
  [{ rows: 63, past: 17, prefix: 129 }],
  [
    { rows: 17, past: 3, prefix: 9 },
    { rows: 1, past: 0, prefix: 9 },
    { rows: 0, past: 4, prefix: 0 },
    { rows: 33, past: 0, prefix: 0 },
  ],
];
const WINDOWS = [0, 1, 7, 40] as const;

const headsName = ({ H, Hkv, Dh }: HeadLayout): string => `H=${H}/${Hkv} Dh=${Dh}`;
const seqsName = (seqs: readonly SequenceShape[]): string =>
  seqs.map((s) => `${s.prefix}+${s.past}+${s.rows}`).join(",");
const queryRows = (seqs: readonly SequenceShape[]): number => seqs.reduce((sum, s) => sum + s.rows, 0);
const keysOf = (s: SequenceShape): number => s.prefix + s.past + s.rows;

/** The tensors that attention reads. Sequences share one prefix range and own ranges after it, apart by one row. */
function cacheAndQueries(b: CaseBuilder, { heads, seqs }: AttentionShape) {
  const { H, Hkv, Dh } = heads;
  const prefixStart = 2;
  let next = prefixStart + Math.max(...seqs.map((s) => s.prefix)) + 1;
  let row = 0;
  const table = seqs.flatMap((s) => {
    const words = Array<number>(SEQ.width).fill(0);
    words[SEQ.rowStart] = row;
    words[SEQ.rows] = s.rows;
    words[SEQ.ownStart] = next;
    words[SEQ.ownLength] = s.past + s.rows;
    words[SEQ.prefixStart] = prefixStart;
    words[SEQ.prefixLength] = s.prefix;
    row += s.rows;
    next += s.past + s.rows + 1;
    return words;
  });
  const qkv = b.f32("qkv", [Math.max(1, row), (H + 2 * Hkv) * Dh]);
  const [kCache, vCache] = [b.f32("k", [next, Hkv * Dh]), b.f32("v", [next, Hkv * Dh])];
  return { qkv, kCache, vCache, seqs: b.i32("seqs", [seqs.length, SEQ.width], table) };
}

const scaleOf = (heads: HeadLayout): number => 1.5 / Math.sqrt(heads.Dh);

function attentionCost({ heads, seqs, window }: AttentionShape): { flops: number; bytes: number } {
  let pairs = 0;
  for (const s of seqs) {
    for (let i = 0; i < s.rows; i++) pairs += Math.min(window || Infinity, s.prefix + s.past + i + 1);
  }
  const keys = seqs.reduce((sum, s) => sum + keysOf(s), 0);
  const { H, Hkv, Dh } = heads;
  return { flops: 4 * H * Dh * pairs, bytes: 8 * keys * Hkv * Dh + 8 * queryRows(seqs) * H * Dh };
}

export function attentionCase(s: AttentionShape): OpCase {
  const maxKeys = Math.max(...s.seqs.map(keysOf));
  return {
    name: `attention ${headsName(s.heads)} seqs=${seqsName(s.seqs)} window=${s.window}`,
    op: "attention",
    ...EXACT,
    ...attentionCost(s),
    record: (b) => {
      const inputs = cacheAndQueries(b, s);
      const z = b.output("z", [inputs.qkv.shape[0]!, s.heads.H * s.heads.Dh]);
      const { heads, window } = s;
      return {
        calls: [{ op: "attention", ...inputs, heads, scale: scaleOf(heads), window, maxKeys, z }],
        outputs: ["z"],
      };
    },
  };
}

/** attnScores → softmax → attnMix of each sequence; the outputs are scores, pattern and z. */
export function stagedAttentionCase(s: AttentionShape): OpCase {
  const { heads, window } = s;
  return {
    name: `attnScores+softmax+attnMix ${headsName(heads)} seqs=${seqsName(s.seqs)} window=${window}`,
    op: "attnScores",
    ...EXACT,
    ...attentionCost(s),
    record: (b) => {
      const { qkv, kCache, vCache, seqs } = cacheAndQueries(b, s);
      const z = b.output("z", [qkv.shape[0]!, heads.H * heads.Dh]);
      const calls: OpCall[] = [];
      const outputs = ["z"];
      s.seqs.forEach((q, seq) => {
        if (q.rows === 0) return;
        const shape = [heads.H, q.rows, keysOf(q)];
        const [scores, pattern] = [b.output(`scores${seq}`, shape), b.output(`pattern${seq}`, shape)];
        outputs.push(`scores${seq}`, `pattern${seq}`);
        calls.push(
          { op: "attnScores", qkv, heads, kCache, seqs, seq, scale: scaleOf(heads), window, scores },
          { op: "softmax", x: scores, y: pattern },
          { op: "attnMix", pattern, heads, vCache, seqs, seq, z },
        );
      });
      return { calls, outputs };
    },
  };
}

/** A pattern that no mask made: hooks may write any. */
function freeMixCase(s: AttentionShape): OpCase {
  const { heads } = s;
  return {
    name: `attnMix free pattern ${headsName(heads)} seqs=${seqsName(s.seqs)}`,
    op: "attnMix",
    ...EXACT,
    ...attentionCost(s),
    record: (b) => {
      const { qkv, vCache, seqs } = cacheAndQueries(b, s);
      const z = b.output("z", [qkv.shape[0]!, heads.H * heads.Dh]);
      const seq = 0;
      const pattern = b.f32("pattern", [heads.H, s.seqs[seq]!.rows, keysOf(s.seqs[seq]!)]);
      return { calls: [{ op: "attnMix", pattern, heads, vCache, seqs, seq, z }], outputs: ["z"] };
    },
  };
}

function ropeCase(heads: HeadLayout, T: number, gains: boolean): OpCase {
  const { H, Hkv, Dh } = heads;
  const P = 2 * T + 3;
  return {
    name: `rope ${headsName(heads)} T=${T}${gains ? " with head norm" : ""}`,
    op: "rope",
    ...EXACT,
    flops: 3 * T * (H + Hkv) * Dh,
    bytes: 8 * T * (H + Hkv) * Dh,
    record: (b) => {
      const angle = (i: number): number => Math.floor((2 * i) / Dh) / 10_000 ** ((i % (Dh / 2)) / (Dh / 2));
      const table = (label: string, wave: (x: number) => number): Tensor =>
        b.f32(label, [P, Dh / 2], (i) => wave(angle(i)));
      const call: OpCall = {
        op: "rope",
        qkv: b.f32("qkv", [T, (H + 2 * Hkv) * Dh]),
        heads,
        positions: b.i32(
          "positions",
          [T],
          Array.from({ length: T }, () => b.random.below(P)),
        ),
        cos: table("cos", Math.cos),
        sin: table("sin", Math.sin),
        qGain: gains ? b.f32("qGain", [Dh]) : undefined,
        kGain: gains ? b.f32("kGain", [Dh]) : undefined,
        eps: 1e-6,
      };
      return { calls: [call], outputs: ["qkv"] };
    },
  };
}

function storeKvCase(heads: HeadLayout, T: number): OpCase {
  const { H, Hkv, Dh } = heads;
  return {
    name: `storeKv ${headsName(heads)} T=${T}`,
    op: "storeKv",
    ...EXACT,
    flops: 0,
    bytes: 16 * T * Hkv * Dh,
    record: (b) => {
      const qkv = b.f32("qkv", [T, (H + 2 * Hkv) * Dh]);
      const slots = b.i32(
        "slots",
        [T],
        Array.from({ length: T }, (_, t) => 2 * (T - 1 - t)),
      );
      const [kCache, vCache] = [b.f32("k", [2 * T, Hkv * Dh]), b.f32("v", [2 * T, Hkv * Dh])];
      return { calls: [{ op: "storeKv", qkv, heads, slots, kCache, vCache }], outputs: ["k", "v"] };
    },
  };
}

export function attentionCases(full: boolean): OpCase[] {
  const shapes = combine<{ heads: HeadLayout; seqs: readonly SequenceShape[]; window: number }>(
    { heads: HEADS, seqs: BATCHES, window: WINDOWS },
    full,
    4,
  );
  const rows = combine<{ heads: HeadLayout; T: number }>({ heads: HEADS, T: [1, 3, 17] }, full);
  const even = (heads: HeadLayout): HeadLayout => ({ ...heads, Dh: 2 * heads.Dh });
  return [
    ...shapes.flatMap((s) => [attentionCase(s), stagedAttentionCase(s)]),
    ...shapes.filter((s) => s.window === 0).map(freeMixCase),
    ...rows.flatMap(({ heads, T }) => [
      ropeCase(even(heads), T, false),
      ropeCase(even(heads), T, true),
      storeKvCase(heads, T),
    ]),
  ];
}
