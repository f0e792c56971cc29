/**
 * The same set done otherwise: E16's operator that ablates before it adds, another seed, fewer training items, the other
 * format. Differences are taken item by item where the items are the same. Pure functions of the study's data.
 */
import type { TestSetting, UnitResult, VectorName } from "../study/result.ts";
import { type AntiShare, antiShare } from "./antiShare.ts";
import { controlBand } from "./bands.ts";
import { type StudyData, type Where, whereOf } from "./studyData.ts";

export interface AblationRow extends Where {
  readonly layer: number;
  readonly n: number;
  readonly add: number;
  readonly addLow: number;
  readonly addHigh: number;
  readonly ablateThenAdd: number;
  readonly ablateLow: number;
  readonly ablateHigh: number;
  /** ablateThenAdd less add, item by item. */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
}

/** E16, for the sets that were run with both operators. */
export function ablations(study: StudyData): AblationRow[] {
  return study.home.flatMap((unit) => {
    const other = study.beside(unit, { operator: "ablateThenAdd" });
    const ablatedAll = other && study.slopes(other, unit.setting);
    if (!ablatedAll) return [];
    const place = new Map(study.rows(other).map((row, i) => [other.items[row]!.index, i]));
    const all = study.slopes(unit, unit.setting)!;
    // the other run may have fewer items
    const pairs = study.rows(unit).flatMap((row, i) => {
      const at = place.get(unit.items[row]!.index);
      return at === undefined ? [] : [{ add: all[i]!, ablated: ablatedAll[at]! }];
    });
    if (pairs.length === 0) return [];
    const [add, ablated] = [pairs.map((p) => p.add), pairs.map((p) => p.ablated)];
    const [a, b] = [study.meanOf(add), study.meanOf(ablated)];
    const difference = study.meanOf(ablated.map((s, i) => s - add[i]!));
    return [
      {
        ...whereOf(unit),
        layer: study.layer(unit),
        n: add.length,
        add: a.mean,
        addLow: a.low,
        addHigh: a.high,
        ablateThenAdd: b.mean,
        ablateLow: b.low,
        ablateHigh: b.high,
        difference: difference.mean,
        low: difference.low,
        high: difference.high,
      },
    ];
  });
}

export interface SeedRow extends Where, AntiShare {
  readonly layer: number;
  readonly seed: number;
  readonly n: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

/** Sets that were run with several seeds: other training items, other test items, as many of them in each. */
export function seeds(study: StudyData): SeedRow[] {
  return study.home.flatMap((home) => {
    const all = [...new Set(study.units.map((u) => u.seed))].sort((a, b) => a - b);
    const units = all.flatMap((seed) => study.beside(home, { seed }) ?? []);
    const items = Math.min(...units.map((unit) => study.rows(unit).length));
    return units.length < 2 ? [] : units.map((unit) => seedRow(study, unit, { items }));
  });
}

function seedRow(
  study: StudyData,
  unit: UnitResult,
  o: { readonly vector?: VectorName; readonly items?: number } = {},
): SeedRow {
  const slopes = study.slopes(unit, o.vector ?? unit.setting)!.slice(0, o.items);
  const about = { ...whereOf(unit), layer: study.layer(unit), seed: unit.seed, n: slopes.length };
  return { ...about, ...study.meanOf(slopes), ...antiShare(slopes) };
}

export interface SizeRow extends Omit<SeedRow, "seed"> {
  /** Items that the vector was trained on. */
  readonly train: number;
}

/** Vectors of the first training items beside that of all, on the same test items. */
export function trainingSizes(study: StudyData): SizeRow[] {
  const SIZE = /\/train-(\d+)$/;
  return study.home.flatMap((home) => {
    const unit = study.atHome(home, (u) => u.vectors.some((name) => SIZE.test(name)));
    if (!unit) return [];
    const { setting, trainItems } = unit;
    const sized = unit.vectors.flatMap((name) => {
      const train = SIZE.exec(name)?.[1];
      return train === undefined ? [] : [{ name, train: Number(train) }];
    });
    return [...sized, { name: setting, train: trainItems }].map(({ name, train }) => {
      const { seed: _, ...row } = seedRow(study, unit, { vector: name });
      return { ...row, train };
    });
  });
}

export interface FormatRow {
  readonly model: string;
  readonly concept: string;
  readonly n: number;
  /** The formats differ in template, layer and length of the vector too. */
  readonly choiceSetting: TestSetting;
  readonly choiceLayer: number;
  readonly choiceNorm: number;
  readonly completionSetting: TestSetting;
  readonly completionLayer: number;
  readonly completionNorm: number;
  readonly choice: number;
  readonly choiceLow: number;
  readonly choiceHigh: number;
  readonly choiceAnti: number;
  readonly choiceRandomHigh: number;
  readonly completion: number;
  readonly completionLow: number;
  readonly completionHigh: number;
  readonly completionAnti: number;
  readonly completionRandomHigh: number;
}

/** How much of steerability is the format? Concepts that were asked as a choice and as a completion, each at its own layer. */
export function formats(study: StudyData): FormatRow[] {
  return study.home
    .filter((unit) => unit.format === "choice")
    .flatMap((choice) => {
      const { model } = choice;
      const concept = conceptOf(choice);
      const completion = study.homeOf(model, "completion").find((u) => conceptOf(u) === concept);
      if (!completion) return [];
      const [a, b] = [choice, completion].map((unit) => ({
        ...seedRow(study, unit),
        norm: unit.norms[unit.vectors.indexOf(unit.setting) * unit.layers.length + study.layerIndex(unit)]!,
        randomHigh: controlBand(study, unit, unit.setting, "random").high,
      }));
      return [
        {
          model,
          concept,
          n: Math.min(a!.n, b!.n),
          choiceSetting: choice.setting,
          choiceLayer: a!.layer,
          choiceNorm: a!.norm,
          completionSetting: completion.setting,
          completionLayer: b!.layer,
          completionNorm: b!.norm,
          choice: a!.mean,
          choiceLow: a!.low,
          choiceHigh: a!.high,
          choiceAnti: a!.anti,
          choiceRandomHigh: a!.randomHigh,
          completion: b!.mean,
          completionLow: b!.low,
          completionHigh: b!.high,
          completionAnti: b!.anti,
          completionRandomHigh: b!.randomHigh,
        },
      ];
    });
}

/** A dataset's name without the format that tells its two forms apart (`sentiment:choice`). */
function conceptOf({ dataset }: UnitResult): string {
  return dataset.replace(/:(choice|completion)$/, "");
}
