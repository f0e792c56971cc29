/**
 * Two samples of equal length: a least-squares line, and correlations. Pure functions; a constant where variation is needed, too
 * few points, or a NaN gives NaN. Knows nothing of steering.
 */
import { ShapeError } from "../../tensor/errors.ts";
import { mean } from "./descriptive.ts";

export interface LineFit {
  /** NaN for fewer than two points or constant x. */
  readonly slope: number;
  readonly intercept: number;
  /** Sum of squared residuals, not divided by anything. */
  readonly residual: number;
  /** Standard error of the slope, sqrt(residual / (n - 2) / Sxx); NaN for fewer than three points. */
  readonly slopeError: number;
}

/** Least-squares line of y on x. @throws ShapeError for unequal lengths. */
export function fitLine(x: ArrayLike<number>, y: ArrayLike<number>): LineFit {
  requireEqualLength("fitLine", x, y);
  const n = x.length;
  const { sxx, sxy } = moments(x, y);
  const slope = isConstant(x) ? Number.NaN : sxy / sxx;
  const intercept = mean(y) - slope * mean(x);
  let residual = 0;
  for (let i = 0; i < n; i++) residual += (y[i]! - intercept - slope * x[i]!) ** 2;
  if (Number.isNaN(slope)) residual = Number.NaN;
  return { slope, intercept, residual, slopeError: n < 3 ? Number.NaN : Math.sqrt(residual / (n - 2) / sxx) };
}

/** Pearson's correlation; NaN where either sample is constant. @throws ShapeError for unequal lengths. */
export function pearson(x: ArrayLike<number>, y: ArrayLike<number>): number {
  requireEqualLength("pearson", x, y);
  if (isConstant(x) || isConstant(y)) return Number.NaN;
  const { sxx, syy, sxy } = moments(x, y);
  return Math.max(-1, Math.min(1, sxy / Math.sqrt(sxx) / Math.sqrt(syy)));
}

/** Spearman's correlation, with average ranks for ties; NaN where either is constant. @throws ShapeError for unequal lengths. */
export function spearman(x: ArrayLike<number>, y: ArrayLike<number>): number {
  requireEqualLength("spearman", x, y);
  return pearson(averageRanks(x), averageRanks(y));
}

/** Ranks from 1; ties share the mean of their ranks. All NaN where one value is. */
export function averageRanks(values: ArrayLike<number>): Float64Array {
  const n = values.length;
  const ranks = new Float64Array(n);
  for (let i = 0; i < n; i++) if (Number.isNaN(values[i])) return ranks.fill(Number.NaN);
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) =>
    values[a]! < values[b]! ? -1 : +(values[a]! > values[b]!),
  );
  for (let from = 0; from < n; ) {
    let to = from + 1;
    while (to < n && values[order[to]!] === values[order[from]!]) to++;
    for (let k = from; k < to; k++) ranks[order[k]!] = (from + 1 + to) / 2;
    from = to;
  }
  return ranks;
}

function moments(x: ArrayLike<number>, y: ArrayLike<number>): { sxx: number; syy: number; sxy: number } {
  const [mx, my] = [mean(x), mean(y)];
  let [sxx, syy, sxy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i]! - mx, y[i]! - my];
    sxx += dx * dx;
    syy += dy * dy;
    sxy += dx * dy;
  }
  return { sxx, syy, sxy };
}

/** Compared by value: the mean of equal numbers may be off by a rounding, which would leave a tiny false variance. */
function isConstant(values: ArrayLike<number>): boolean {
  for (let i = 1; i < values.length; i++) if (values[i] !== values[0]) return false;
  return true;
}

function requireEqualLength(what: string, x: ArrayLike<number>, y: ArrayLike<number>): void {
  if (x.length !== y.length)
    throw new ShapeError(`${what}: ${x.length} values of x and ${y.length} of y, expected as many`);
}
