/**
 * The panel layout of weight matrices: 16 rows of w (16 columns of y) side by side. A stored block of one row is a run of
 * fields, 32-bit words or f16 scalars; a panel block holds, field after field and word after word, the 16 rows' values next
 * to each other. So a vector load gives one word of 4 rows, every bit of the file is kept, and a panel takes exactly 16
 * times the stored bytes. Offsets of fields as in ggml-common.h.
 */
import { blockLayout, type DType } from "../../../tensor/dtype.ts";

export const PANEL = 16;

export interface PanelFormat {
  readonly dtype: DType;
  /** Elements along K of one block. */
  readonly elems: number;
  /** Bytes of one block of one row. */
  readonly bytes: number;
  /** Byte offsets of the f16 scalars of a stored block. */
  readonly halves: readonly number[];
  /** Runs of 32-bit words of a stored block: [byte offset, count]. */
  readonly words: readonly (readonly [at: number, count: number])[];
  /** Index of a word whose bits are regrouped while packing (see pack.ts): the fifth bits of q5_0 and q5_1. */
  readonly regroup?: number;
}

const block = (
  dtype: DType,
  halves: PanelFormat["halves"],
  words: PanelFormat["words"],
  regroup?: number,
): PanelFormat => ({ dtype, ...blockLayout(dtype), halves, words, regroup });

/** Two elements a word, so that one vector holds k and k + 1 of 4 rows. */
const pairs = (dtype: DType): PanelFormat => ({ dtype, elems: 2, bytes: 4, halves: [], words: [[0, 1]] });

const FORMATS: Partial<Record<DType, PanelFormat>> = {
  f32: block("f32", [], [[0, 1]]),
  f16: pairs("f16"),
  bf16: pairs("bf16"),
  q4_0: block("q4_0", [0], [[2, 4]]),
  q4_1: block("q4_1", [0, 2], [[4, 4]]),
  q5_0: block("q5_0", [0], [[2, 5]], 0),
  q5_1: block("q5_1", [0, 2], [[4, 5]], 0),
  q8_0: block("q8_0", [0], [[2, 8]]),
  q2_k: block("q2_k", [80, 82], [[0, 20]]),
  q3_k: block("q3_k", [108], [[0, 27]]),
  q4_k: block("q4_k", [0, 2], [[4, 35]]),
  q5_k: block("q5_k", [0, 2], [[4, 43]]),
  q6_k: block("q6_k", [208], [[0, 52]]),
};

/** The layout for weights of this type, or undefined where they cannot be weights. */
export function panelFormat(dtype: DType): PanelFormat | undefined {
  return FORMATS[dtype];
}

/** Byte offset of f16 scalar `index` within a panel block. */
export function halfOffset(index: number): number {
  return index * 2 * PANEL;
}

/** Byte offset of word `index`, counted over all runs, within a panel block. */
export function wordOffset(format: PanelFormat, index: number): number {
  return format.halves.length * 2 * PANEL + index * 4 * PANEL;
}

export function blockCount(format: PanelFormat, k: number): number {
  return Math.ceil(k / format.elems);
}

/** Bytes of a panel: 16 rows of `k` elements, the last block filled up with zeros. */
export function panelBytes(format: PanelFormat, k: number): number {
  return blockCount(format, k) * format.bytes * PANEL;
}
