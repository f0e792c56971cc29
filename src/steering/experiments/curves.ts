/**
 * E2: propensity against the multiplier, for the whole set. A pure function of the study's data.
 */
import { quantiles } from "../statistics/descriptive.ts";
import { type StudyData, type Where, whereOf } from "./studyData.ts";

export interface CurveRow extends Where {
  readonly layer: number;
  readonly n: number;
  readonly multiplier: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly q05: number;
  readonly q25: number;
  readonly median: number;
  readonly q75: number;
  readonly q95: number;
}

export function propensityCurves(study: StudyData): CurveRow[] {
  return study.home.flatMap((unit) => {
    const curves = study.curves(unit, unit.setting)!;
    return unit.multipliers.map((multiplier, k) => {
      const values = curves.map((y) => y[k]!);
      const [q05, q25, median, q75, q95] = quantiles(values, [0.05, 0.25, 0.5, 0.75, 0.95]) as [
        number,
        number,
        number,
        number,
        number,
      ];
      const spread = { q05, q25, median, q75, q95 };
      const about = { ...whereOf(unit), layer: study.layer(unit), n: values.length, multiplier };
      return { ...about, ...study.meanOf(values), ...spread };
    });
  });
}
