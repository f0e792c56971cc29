/**
 * E8: how alike the vectors of the settings are, and whether settings of like behaviour have like vectors. From directions, by
 * set and layer; they come with fresh units or from vector files. Pure functions.
 */
import { mean } from "../statistics/descriptive.ts";
import { cosineMatrix } from "../statistics/transfer.ts";
import type { UnitResult, VectorName } from "../study/result.ts";
import type { VectorSet } from "../vector.ts";
import { correlateWithinSets, type Pair, type RankCorrelation } from "./correlation.ts";
import type { Format, StudyData, Where } from "./studyData.ts";

/** A named direction of a set at one layer. */
export interface NamedDirection extends Where {
  readonly seed: number;
  readonly trainItems: number;
  readonly vector: VectorName;
  readonly layer: number;
  readonly direction: Float32Array;
}

/** The directions that fresh units carry; results that were read from files have none. */
export function unitDirections(study: StudyData): NamedDirection[] {
  return study.units
    .filter((u) => u.operator === "add")
    .flatMap(({ model, dataset, format, seed, trainItems, vectors, layers, directions }) =>
      directions === undefined
        ? []
        : vectors.flatMap((vector, v) =>
            layers.map((layer, l) => ({
              model,
              dataset,
              format,
              seed,
              trainItems,
              vector,
              layer,
              direction: directions[v]![l]!,
            })),
          ),
    );
}

/** Those of a vector file. */
export function setDirections(
  about: Where & Pick<NamedDirection, "seed" | "trainItems" | "vector">,
  set: VectorSet,
): NamedDirection[] {
  return set.vectors.map(({ layer, vector: direction }) => ({ ...about, layer, direction }));
}

export interface CosineRow extends Where {
  readonly layer: number;
  readonly first: VectorName;
  readonly second: VectorName;
  readonly cosine: number;
}

/**
 * All pairs of the vectors of a set's settings and their mean, at the study's layer, of the home's seed and number of training
 * items, both orders and the diagonal.
 */
export function cosines(study: StudyData, directions: readonly NamedDirection[]): CosineRow[] {
  return study.home.flatMap((home) => {
    const { model, dataset, format } = home;
    const named = new Map<VectorName, Float32Array>();
    for (const d of directions) {
      const mine = d.model === model && d.dataset === dataset && d.format === format;
      const alike = d.seed === home.seed && d.trainItems === home.trainItems && d.layer === study.layer(home);
      const isControl = d.vector.includes("/");
      if (mine && alike && !isControl && !named.has(d.vector)) named.set(d.vector, d.direction);
    }
    const names = [...named.keys()];
    const matrix = cosineMatrix([...named.values()]);
    return names.flatMap((first, i) =>
      names.map((second, j) => ({
        model,
        dataset,
        format,
        layer: study.layer(home),
        first,
        second,
        cosine: matrix[i]![j]!,
      })),
    );
  });
}

export interface CosineTrend extends RankCorrelation {
  readonly model: string;
  readonly format: Format;
  /** Pairs of settings over all sets; the interval resamples whole sets. */
  readonly pairs: number;
}

/** Spearman of |difference of mean unsteered propensity| of two settings and the cosine of their vectors. */
export function cosineTrends(study: StudyData, rows: readonly CosineRow[]): CosineTrend[] {
  return study.groups.flatMap(({ model, format }) => {
    const pairs = study.homeOf(model, format).flatMap((home): Pair[] => {
      const levels = settingLevels(study, home);
      const its = rows.filter((r) => r.model === model && r.format === format && r.dataset === home.dataset);
      return its.flatMap(({ first, second, cosine, dataset }) => {
        const [a, b] = [levels.get(first), levels.get(second)];
        return first < second && a !== undefined && b !== undefined ? [{ dataset, x: Math.abs(a - b), y: cosine }] : [];
      });
    });
    return pairs.length < 3 ? [] : [{ model, format, pairs: pairs.length, ...correlateWithinSets(study, pairs) }];
  });
}

/** Mean unsteered propensity under each setting that was tested with the same items; `mean` has the mean of the five. */
function settingLevels(study: StudyData, home: UnitResult): ReadonlyMap<VectorName, number> {
  const units = study.acrossSettings(home);
  const itemsOf = (unit: UnitResult): string =>
    study
      .rows(unit)
      .map((row) => unit.items[row]!.index)
      .join();
  // the run of the settings has BASE too: of several runs of a setting, the one with the most vectors was taken
  const items = itemsOf(units.find((unit) => unit.setting !== home.setting) ?? home);
  const levels = new Map<VectorName, number>();
  for (const unit of units) {
    const values = itemsOf(unit) === items ? study.unsteered(unit) : undefined;
    if (values) levels.set(unit.setting, mean(values));
  }
  const prompts = [...levels].flatMap(([setting, level]) => (setting === "RAW" ? [] : [level]));
  if (prompts.length === 5) levels.set("mean", mean(prompts));
  return levels;
}
