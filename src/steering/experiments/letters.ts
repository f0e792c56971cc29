/**
 * Two remedies for the letter, which the paper lacks: vectors from differences within each letter, and every item asked in both
 * orders of its options. Pure functions of the study's data.
 */
import { mean } from "../statistics/descriptive.ts";
import type { UnitResult } from "../study/result.ts";
import { letterEffect, letterGroups } from "./letterGroups.ts";
import { type StudyData, type Where, whereOf } from "./studyData.ts";

export interface DebiasedRow extends Where {
  readonly layer: number;
  readonly n: number;
  readonly plain: number;
  readonly plainLow: number;
  readonly plainHigh: number;
  readonly debiased: number;
  readonly debiasedLow: number;
  readonly debiasedHigh: number;
  /** Debiased less plain, item by item. */
  readonly difference: number;
  readonly low: number;
  readonly high: number;
  /** Half of the mean slope of items at A less that of items at B, under either vector. */
  readonly letterPlain: number;
  readonly letterPlainLow: number;
  readonly letterPlainHigh: number;
  readonly letterDebiased: number;
  readonly letterDebiasedLow: number;
  readonly letterDebiasedHigh: number;
}

/** Sets that were run with the vector `BASE/debiased`. */
export function debiasedVectors(study: StudyData): DebiasedRow[] {
  return study.home.flatMap((home) => {
    const name = `${home.setting}/debiased`;
    const unit = study.atHome(home, (u) => u.vectors.includes(name));
    if (!unit) return [];
    const plain = study.slopes(unit, unit.setting)!;
    const debiased = study.slopes(unit, name)!;
    const [a, b] = [study.meanOf(plain), study.meanOf(debiased)];
    const difference = study.meanOf(debiased.map((s, i) => s - plain[i]!));
    const groups = letterGroups(study, unit);
    const [before, after] = [letterEffect(study, plain, groups), letterEffect(study, debiased, groups)];
    return [
      {
        ...whereOf(unit),
        layer: study.layer(unit),
        n: plain.length,
        plain: a.mean,
        plainLow: a.low,
        plainHigh: a.high,
        debiased: b.mean,
        debiasedLow: b.low,
        debiasedHigh: b.high,
        difference: difference.mean,
        low: difference.low,
        high: difference.high,
        letterPlain: before.mean,
        letterPlainLow: before.low,
        letterPlainHigh: before.high,
        letterDebiased: after.mean,
        letterDebiasedLow: after.low,
        letterDebiasedHigh: after.high,
      },
    ];
  });
}

export interface OrderRow extends Where {
  readonly layer: number;
  readonly n: number;
  readonly asked: number;
  readonly askedLow: number;
  readonly askedHigh: number;
  readonly exchanged: number;
  readonly exchangedLow: number;
  readonly exchangedHigh: number;
  /** Mean of both orders item by item: the letter cancels. */
  readonly both: number;
  readonly low: number;
  readonly high: number;
  /** Half the difference between an item's slope with the positive answer at A and at B. */
  readonly letterEffect: number;
  readonly letterLow: number;
  readonly letterHigh: number;
  readonly antiAsked: number;
  readonly antiBoth: number;
}

/** Sets that were asked in both orders. */
export function bothOrders(study: StudyData): OrderRow[] {
  return study.home.flatMap((home) => {
    const unit = study.atHome(home, (u) => u.items.some((item) => item.swapped));
    const pairs = unit ? orderPairs(study, unit) : [];
    if (!unit || pairs.length === 0) return [];
    const asked = study.meanOf(pairs.map((p) => p.asked));
    const exchanged = study.meanOf(pairs.map((p) => p.exchanged));
    const averages = pairs.map((p) => (p.asked + p.exchanged) / 2);
    const both = study.meanOf(averages);
    const letter = study.meanOf(pairs.map((p) => ((p.isA ? 1 : -1) * (p.asked - p.exchanged)) / 2));
    return [
      {
        ...whereOf(unit),
        layer: study.layer(unit),
        n: pairs.length,
        asked: asked.mean,
        askedLow: asked.low,
        askedHigh: asked.high,
        exchanged: exchanged.mean,
        exchangedLow: exchanged.low,
        exchangedHigh: exchanged.high,
        both: both.mean,
        low: both.low,
        high: both.high,
        letterEffect: letter.mean,
        letterLow: letter.low,
        letterHigh: letter.high,
        antiAsked: mean(pairs.map((p) => +(p.asked <= 0))),
        antiBoth: mean(averages.map((s) => +(s <= 0))),
      },
    ];
  });
}

/** Slopes of an item in both orders, found by its index. */
function orderPairs(study: StudyData, unit: UnitResult): { asked: number; exchanged: number; isA: boolean }[] {
  const slopes = study.slopes(unit, unit.setting)!;
  const swapped = study.slopes(unit, unit.setting, { swapped: true })!;
  const place = new Map(study.rows(unit, true).map((row, i) => [unit.items[row]!.index, i]));
  return study.rows(unit).flatMap((row, i) => {
    const { index, letter } = unit.items[row]!;
    const other = place.get(index);
    return other === undefined ? [] : [{ asked: slopes[i]!, exchanged: swapped[other]!, isA: letter === "A" }];
  });
}
