/**
 * E7: does a vector transfer better between settings in which the model behaves alike? Reported with and without the pairs of a
 * setting with itself, which lie at (0, 1) by definition and make the trend (EXPERIMENTS 9.1 B6). Pure functions.
 */
import { mean } from "../statistics/descriptive.ts";
import { behaviourDistance, relativeSteerability } from "../statistics/transfer.ts";
import type { TestSetting, UnitResult } from "../study/result.ts";
import { correlateWithinSets, type RankCorrelation } from "./correlation.ts";
import { type Format, type StudyData, type Where, whereOf } from "./studyData.ts";

export interface TransferRow extends Where {
  readonly train: TestSetting;
  readonly test: TestSetting;
  readonly self: boolean;
  readonly n: number;
  /** Mean over items of |difference of unsteered propensities| between the two settings. */
  readonly distance: number;
  /** Slope of the vector under the test setting, over that of the test setting's own vector; NaN where that is 0.25 or less. */
  readonly relative: number;
}

/** Of the prompt settings; RAW is none, and has no pair but with itself. */
export function transfers(study: StudyData): TransferRow[] {
  return study.home.flatMap((home) => {
    const units = study.acrossSettings(home).filter((unit) => unit.setting !== "RAW");
    return units.flatMap((test) => units.flatMap((train) => transferRow(study, train, test) ?? []));
  });
}

function transferRow(study: StudyData, train: UnitResult, test: UnitResult): TransferRow | undefined {
  const [moved, own] = [study.slopes(test, train.setting), study.slopes(test, test.setting)];
  const [a, b] = [study.unsteered(train), study.unsteered(test)];
  const same = study.rows(train).map((row) => train.items[row]!.index);
  const items = study.rows(test).map((row) => test.items[row]!.index);
  if (!moved || !own || !a || !b || JSON.stringify(same) !== JSON.stringify(items)) return undefined;
  return {
    ...whereOf(test),
    train: train.setting,
    test: test.setting,
    self: train.setting === test.setting,
    n: own.length,
    distance: behaviourDistance(a, b),
    relative: relativeSteerability(mean(moved), mean(own)),
  };
}

export interface TransferCorrelation extends RankCorrelation {
  readonly model: string;
  readonly format: Format;
  readonly selfPairs: "with" | "without";
  /** Pairs of settings; the interval resamples whole sets, since pairs of one set are not independent. */
  readonly pairs: number;
}

export function transferCorrelations(study: StudyData, rows = transfers(study)): TransferCorrelation[] {
  return study.groups.flatMap(({ model, format }) =>
    (["with", "without"] as const).flatMap((selfPairs) => {
      const used = rows.filter(
        (r) =>
          r.model === model && r.format === format && !Number.isNaN(r.relative) && (selfPairs === "with" || !r.self),
      );
      if (used.length < 3) return [];
      const points = used.map(({ dataset, distance, relative }) => ({ dataset, x: distance, y: relative }));
      return [{ model, format, selfPairs, pairs: used.length, ...correlateWithinSets(study, points) }];
    }),
  );
}
