/**
 * The paper's statistics of per-item slopes (EXPERIMENTS 5.3, 5.5): the share that goes the wrong way, and how much of the
 * variance two nuisance factors explain. Pure functions; NaN among the slopes gives NaN. Knows no model and no dataset.
 */
import { ShapeError } from "../../tensor/errors.ts";
import { variance } from "./descriptive.ts";

export interface SignShares {
  /** Share of slopes at or below -noise. */
  readonly anti: number;
  /** Share of slopes above noise. */
  readonly steerable: number;
  /** The rest, whose sign the noise could have made; 0 where noise is 0. */
  readonly unclear: number;
}

/**
 * Shares by sign. `noise` is one threshold or one per item, in units of slope; with 0, the default, a slope of 0 is
 * anti-steerable as in the paper. @throws ShapeError unless there is one threshold per slope.
 */
export function signShares(slopes: ArrayLike<number>, noise: number | ArrayLike<number> = 0): SignShares {
  const n = slopes.length;
  if (typeof noise !== "number" && noise.length !== n)
    throw new ShapeError(`signShares: ${noise.length} thresholds for ${n} slopes, expected as many`);
  let [anti, steerable] = [0, 0];
  for (let i = 0; i < n; i++) {
    const [slope, threshold] = [slopes[i]!, typeof noise === "number" ? noise : noise[i]!];
    if (Number.isNaN(slope) || !(threshold >= 0))
      return { anti: Number.NaN, steerable: Number.NaN, unclear: Number.NaN };
    if (slope > threshold) steerable++;
    else if (slope <= -threshold) anti++;
  }
  return { anti: anti / n, steerable: steerable / n, unclear: (n - anti - steerable) / n };
}

export type Level = string | number | boolean;

export interface VarianceShares {
  /** Variance of the values, with n - 1, as are all others. */
  readonly total: number;
  /** Explained by the first factor (A or B). */
  readonly first: number;
  /** Further explained by the second factor (Yes or No): the marginal part. */
  readonly second: number;
  /** What the paper calls unexplained: total - first - second. */
  readonly unexplained: number;
  /** The part of `unexplained` that the interaction of the two explains. */
  readonly interaction: number;
  /** Of the model with both and their interaction: constant and independent directions. */
  readonly parameters: number;
}

/**
 * Sequential least-squares decomposition (Type I): 1 + first, + second, + their interaction, for factors of any number of
 * levels. A factor that adds no direction (constant, or equal to the other) explains 0. NaN for fewer than two values.
 * @throws ShapeError unless each factor has one level per value.
 */
export function decomposeVariance(
  values: ArrayLike<number>,
  first: ArrayLike<Level>,
  second: ArrayLike<Level>,
): VarianceShares {
  if (first.length !== values.length || second.length !== values.length)
    throw new ShapeError(
      `decomposeVariance: ${values.length} values, but factors of ${first.length} and ${second.length} levels`,
    );
  return varianceDecomposer(first, second)(values);
}

/**
 * `decomposeVariance` of any choice of the values' indices, for a bootstrap: factors are constant within a combination of their
 * levels, so that each resample needs only counts and sums of those.
 */
export function varianceDecomposer(
  first: ArrayLike<Level>,
  second: ArrayLike<Level>,
): (values: ArrayLike<number>, pick?: ArrayLike<number>) => VarianceShares {
  const keys = Array.from(first, (level, i) => `${typeof level} ${level} ${typeof second[i]} ${second[i]}`);
  const names = [...new Set(keys)];
  const cellOf = Uint32Array.from(keys, (key) => names.indexOf(key));
  const example = names.map((key) => keys.indexOf(key));
  const everything = Uint32Array.from(keys, (_, i) => i);
  return (values, pick = everything) => {
    const counts = new Float64Array(names.length);
    const sums = new Float64Array(names.length);
    const picked = Float64Array.from(pick, (i) => values[i]!);
    for (let k = 0; k < pick.length; k++) {
      const cell = cellOf[pick[k]!]!;
      counts[cell] = counts[cell]! + 1;
      sums[cell] = sums[cell]! + picked[k]!;
    }
    const cells = names.flatMap((key, c) =>
      counts[c] === 0
        ? []
        : [{ first: first[example[c]!]!, second: second[example[c]!]!, both: key, count: counts[c]!, sum: sums[c]! }],
    );
    return decomposeCells(cells, picked);
  };
}

/** Values that share both levels. */
interface Cell {
  readonly first: Level;
  readonly second: Level;
  readonly both: Level;
  readonly count: number;
  readonly sum: number;
}

/** Least squares on the cells' means, weighted by their counts. */
function decomposeCells(cells: readonly Cell[], values: Float64Array): VarianceShares {
  const n = values.length;
  const total = variance(values);
  const roots = Float64Array.from(cells, (c) => Math.sqrt(c.count));
  const basis: Float64Array[] = [];
  orthogonalise(basis, roots.slice());
  const residual = Float64Array.from(cells, (c, i) => c.sum / roots[i]!);
  removeDirections(residual, basis, 0);
  const factors = [cells.map((c) => c.first), cells.map((c) => c.second), cells.map((c) => c.both)];
  const explained = factors.map((factor) => {
    const from = basis.length;
    const before = sumOfSquares(residual);
    for (const level of new Set(factor))
      orthogonalise(
        basis,
        roots.map((root, i) => (factor[i] === level ? root : 0)),
      );
    removeDirections(residual, basis, from);
    return n < 2 ? Number.NaN : (before - sumOfSquares(residual)) / (n - 1);
  });
  const [a, b, interaction] = explained as [number, number, number];
  return { total, first: a, second: b, unexplained: total - a - b, interaction, parameters: basis.length };
}

/** A column whose part outside the basis is smaller than this, relative to it, is dependent: rounding left it. */
const DEPENDENT = 1e-10;

/** Adds the part of `column` outside the basis to it, as a unit vector (modified Gram-Schmidt). */
function orthogonalise(basis: Float64Array[], column: Float64Array): void {
  const before = sumOfSquares(column);
  removeDirections(column, basis, 0);
  const rest = sumOfSquares(column);
  if (!(rest > DEPENDENT * before)) return;
  const scale = 1 / Math.sqrt(rest);
  basis.push(column.map((x) => x * scale));
}

function removeDirections(vector: Float64Array, basis: readonly Float64Array[], from: number): void {
  for (const unit of basis.slice(from)) {
    let dot = 0;
    for (let i = 0; i < vector.length; i++) dot += vector[i]! * unit[i]!;
    for (let i = 0; i < vector.length; i++) vector[i] = vector[i]! - dot * unit[i]!;
  }
}

function sumOfSquares(vector: Float64Array): number {
  return vector.reduce((sum, x) => sum + x * x, 0);
}
