/**
 * E6 and E12: is steerability a property of the dataset? The same sets in two models, at home and under the paper's shift.
 * Pure functions of the study's data.
 */
import { type Correlation, correlate } from "./correlation.ts";
import { type CrossRow, crossSettings } from "./shifts.ts";
import type { Format, StudyData } from "./studyData.ts";

export interface ModelPairRow extends Correlation {
  readonly format: Format;
  readonly first: string;
  readonly second: string;
  /** `ID` is BASE to BASE, `OOD` SYS_POS to USER_NEG. */
  readonly shift: "ID" | "OOD";
  readonly of: "mean" | "variance";
}

export interface ModelPoint {
  readonly format: Format;
  readonly dataset: string;
  readonly first: string;
  readonly second: string;
  readonly shift: "ID" | "OOD";
  readonly x: number;
  readonly y: number;
  /** Of means; absent for variances. */
  readonly xLow?: number;
  readonly xHigh?: number;
  readonly yLow?: number;
  readonly yHigh?: number;
}

const PLACES = [
  { shift: "ID", train: "BASE", test: "BASE" },
  { shift: "OOD", train: "SYS_POS", test: "USER_NEG" },
] as const;

/** Every set that two models share. */
export function modelPoints(
  study: StudyData,
  of: "mean" | "variance" = "mean",
  cross: readonly CrossRow[] = crossSettings(study),
): ModelPoint[] {
  const pairs = study.models.flatMap((first, i) => study.models.slice(i + 1).map((second) => ({ first, second })));
  return pairs.flatMap(({ first, second }) =>
    PLACES.flatMap(({ shift, train, test }) =>
      cross
        .filter((r) => r.model === first && r.train === train && r.test === test)
        .flatMap((a) => {
          const isTwin = (r: CrossRow): boolean =>
            r.model === second &&
            r.dataset === a.dataset &&
            r.format === a.format &&
            r.train === train &&
            r.test === test;
          const b = cross.find(isTwin);
          if (!b) return [];
          const ends = of === "mean" ? { xLow: a.low, xHigh: a.high, yLow: b.low, yHigh: b.high } : {};
          return [{ format: a.format, dataset: a.dataset, first, second, shift, x: a[of], y: b[of], ...ends }];
        }),
    ),
  );
}

export function modelCorrelations(study: StudyData, cross: readonly CrossRow[] = crossSettings(study)): ModelPairRow[] {
  return (["mean", "variance"] as const).flatMap((of) => {
    const groups = new Map<string, ModelPoint[]>();
    for (const point of modelPoints(study, of, cross)) {
      const key = JSON.stringify([point.format, point.first, point.second, point.shift]);
      groups.set(key, [...(groups.get(key) ?? []), point]);
    }
    return [...groups.values()].map((points) => {
      const { format, first, second, shift } = points[0]!;
      const [x, y] = [points.map((p) => p.x), points.map((p) => p.y)];
      return { format, first, second, shift, of, ...correlate(study, x, y) };
    });
  });
}
