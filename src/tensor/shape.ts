/** Shapes: row-major, outermost dimension first. Knows no element types. */
import { ShapeError } from "./errors.ts";

export type Shape = readonly number[];

/** Number of elements; 1 for a scalar. @throws ShapeError on a negative or fractional dimension, or past 2^53. */
export function numel(shape: Shape): number {
  let n = 1;
  for (const d of shape) {
    if (!Number.isInteger(d) || d < 0) throw new ShapeError(`shape ${format(shape)} has the dimension ${d}`);
    n *= d;
  }
  if (!Number.isSafeInteger(n)) throw new ShapeError(`shape ${format(shape)} has more than 2^53 elements`);
  return n;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** @throws ShapeError unless `got` equals `expected`; `what` names the operand, as in "linear: x". */
export function expectShape(what: string, got: Shape, expected: Shape): void {
  if (!sameShape(got, expected)) throw new ShapeError(`${what} has shape ${format(got)}, expected ${format(expected)}`);
}

export function format(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}
