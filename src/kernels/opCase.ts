/**
 * What one row of the op-case table is, and how rows are chosen from the product of their axes. Knows no particular op.
 */
import type { Backend, OpCall, OpName } from "../tensor/backend.ts";
import { type BuiltCase, CaseBuilder, Random } from "./opCaseData.ts";

export interface OpCase {
  readonly name: string;
  readonly op: OpName;
  /** Largest normalised mean square error against the oracle, Σ(y − ŷ)² / Σŷ². */
  readonly nmse: number;
  /** Largest |y − ŷ| / (|ŷ| + rms(ŷ)) of any element. */
  readonly relative: number;
  readonly flops: number;
  /** Bytes that must at least be read and written. */
  readonly bytes: number;
  readonly record: (b: CaseBuilder) => { calls: OpCall[]; outputs: string[] };
}

/** Builds the case on a backend; the same case gives every backend the same inputs. */
export function buildCase(c: OpCase, backend: Backend): BuiltCase {
  const b = new CaseBuilder(backend, new Random(c.name));
  const { calls, outputs } = c.record(b);
  return b.finish(calls, outputs);
}

/** Rounding of float32 arithmetic alone. */
export const EXACT = { nmse: 1e-10, relative: 2e-5 } as const;
/** The same where a case has so few sums that one which cancels to near zero decides it. */
export const EXACT_FEW = { nmse: 1e-8, relative: 1e-4 } as const;

/** Whole product of the axes, or `rounds` passes in which each axis cycles through its values at its own phase. */
export function combine<T extends Record<string, unknown>>(
  axes: { readonly [K in keyof T]: readonly T[K][] },
  full: boolean,
  rounds = 1,
): T[] {
  const entries = Object.entries(axes) as [string, readonly unknown[]][];
  if (full) {
    const product = entries.reduce<object[]>(
      (rows, [key, values]) => rows.flatMap((row) => values.map((v) => ({ ...row, [key]: v }))),
      [{}],
    );
    return product as T[];
  }
  const longest = Math.max(...entries.map(([, values]) => values.length));
  return Array.from({ length: longest * rounds }, (_, i) => {
    const round = Math.floor(i / longest);
    return Object.fromEntries(entries.map(([key, v], axis) => [key, v[(i + round * axis) % v.length]])) as T;
  });
}
