/**
 * E9 for every set: steerability by layer with the bands of its controls, and E1 at every layer. (E4 at every layer is
 * `varianceExplained`.) Pure functions of the study's data.
 */
import { median } from "../statistics/descriptive.ts";
import { type AntiShare, antiShare } from "./antiShare.ts";
import { controlBand } from "./bands.ts";
import { type StudyData, type Where, whereOf } from "./studyData.ts";

export interface LayerRow extends Where, AntiShare {
  readonly layer: number;
  readonly n: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
  readonly median: number;
  readonly randomVectors: number;
  readonly randomLow: number;
  readonly randomHigh: number;
  readonly shuffledVectors: number;
  readonly shuffledLow: number;
  readonly shuffledHigh: number;
  /** Length of the vector. */
  readonly norm: number;
}

export function layerCurves(study: StudyData): LayerRow[] {
  return study.home.flatMap((unit) => {
    const v = unit.vectors.indexOf(unit.setting);
    return unit.layers.map((layer, l) => {
      const slopes = study.slopes(unit, unit.setting, { layer })!;
      const random = controlBand(study, unit, unit.setting, "random", { layer });
      const shuffled = controlBand(study, unit, unit.setting, "shuffled", { layer });
      return {
        ...whereOf(unit),
        layer,
        n: slopes.length,
        ...study.meanOf(slopes),
        median: median(slopes),
        ...antiShare(slopes),
        randomVectors: random.vectors,
        randomLow: random.low,
        randomHigh: random.high,
        shuffledVectors: shuffled.vectors,
        shuffledLow: shuffled.low,
        shuffledHigh: shuffled.high,
        norm: unit.norms[v * unit.layers.length + l]!,
      };
    });
  });
}
