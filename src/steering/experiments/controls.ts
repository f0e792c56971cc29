/**
 * What a vector must beat: random directions of its norm, and vectors of exchanged labels. Their band, and the gate that stands
 * before every figure. Pure functions of the study's data.
 */
import { mean, median, standardDeviation } from "../statistics/descriptive.ts";
import { studentQuantile } from "../statistics/student.ts";
import type { UnitResult, VectorName } from "../study/result.ts";
import { type Format, type MeanInterval, meanAt, type StudyData, type Where, whereOf } from "./studyData.ts";

type ControlKind = "random" | "shuffled";

/** Where the mean slope of one more control vector of a kind would fall with 95 % confidence. */
export interface Band {
  readonly vectors: number;
  readonly mean: number;
  /** NaN for fewer control vectors than it takes. */
  readonly low: number;
  readonly high: number;
}

/**
 * A prediction interval for one more draw, normal in the draws. `centred`: their expectation is known to be 0, so that it is
 * ± t(k) · sqrt(Σ m² / k), and takes one draw; else mean ± t(k - 1) · sd · sqrt(1 + 1/k).
 */
export function predictionBand(means: readonly number[], centred = false): Band {
  const k = means.length;
  if (centred && k > 0) {
    const half = studentQuantile(0.95, k) * Math.sqrt(mean(means.map((m) => m * m)));
    return { vectors: k, mean: mean(means), low: -half, high: half };
  }
  const half = studentQuantile(0.95, k - 1) * standardDeviation(means) * Math.sqrt(1 + 1 / k);
  return { vectors: k, mean: mean(means), low: mean(means) - half, high: mean(means) + half };
}

/**
 * Both kinds of control are as likely as their negatives, and with multipliers that lie symmetrically about 0 the negative of a
 * vector has the negative slope: their expectation is 0 exactly.
 */
export function controlBand(
  study: StudyData,
  unit: UnitResult,
  vector: VectorName,
  kind: ControlKind,
  layer?: number,
): Band {
  const names = study.controls(unit, vector, kind);
  const means = names.map((name) => mean(study.slopes(unit, name, { layer })!));
  return predictionBand(means, isSymmetric(unit));
}

function isSymmetric({ multipliers }: UnitResult): boolean {
  return multipliers.every((m) => multipliers.some((other) => other === -m));
}

/** Whether a set's numbers mean anything: the answers' probability, and the vector against its random twins. */
export interface SetGate extends Where {
  readonly layer: number;
  readonly items: number;
  /** Unsteered probability of the two answers together, mean over items. */
  readonly mass: number;
  /** Items that did not choose the layer: slope less the mean slope of the item under the random vectors. */
  readonly gain: number;
  readonly low: number;
  readonly high: number;
  readonly randomVectors: number;
  /** The mean slope lies above the band of the random vectors. */
  readonly beyondRandom: boolean;
}

export function setGates(study: StudyData): SetGate[] {
  return study.home.map((unit) => {
    const mass = mean(study.rows(unit).map((row) => unit.items[row]!.mass));
    const { gain, own } = gains(study, unit);
    const band = controlBand(study, unit, unit.setting, "random");
    return {
      ...whereOf(unit),
      layer: study.layer(unit),
      items: study.rows(unit).length,
      mass,
      gain: mean(gain),
      ...study.interval(gain.length, (pick) => meanAt(gain, pick)),
      randomVectors: band.vectors,
      beyondRandom: isAbove(mean(own), band),
    };
  });
}

/** Of the items with odd places: own slope, and that less the mean random one (all NaN without random vectors). */
function gains(study: StudyData, unit: UnitResult): { own: Float64Array; gain: Float64Array } {
  const own = study.slopes(unit, unit.setting)!;
  const random = study.controls(unit, unit.setting, "random").map((name) => study.slopes(unit, name)!);
  const gain = own.map((slope, i) => slope - mean(random.map((r) => r[i]!)));
  return { own: unchosenHalf(own), gain: unchosenHalf(gain) };
}

/** Items with odd places did not choose the layer; a single item has no other half. */
function unchosenHalf(values: Float64Array): Float64Array {
  return values.length < 2 ? values : values.filter((_, i) => i % 2 === 1);
}

export type Verdict = "yes" | "partly" | "no" | "unknown";

/** The gate of one model and format. */
export interface Gate {
  readonly model: string;
  readonly format: Format;
  readonly sets: number;
  readonly layer: number;
  /** Median over sets. */
  readonly mass: number;
  /** Choices only: yes from a half on, no below a tenth. A completion has many words to choose from. */
  readonly answersInFormat: Verdict;
  /** Mean slope over sets, of the items that did not choose the layer. */
  readonly slope: number;
  /** Mean over sets of the gain over random vectors; the interval is over sets, or over items where there are fewer than five. */
  readonly gain: MeanInterval;
  readonly setsBeyondRandom: number;
  /** Where that mean would fall with one more control, the same in all sets: sets with the same texts are no independent draws. */
  readonly random: Band;
  readonly shuffled: Band;
  /** yes: the gain's interval lies above 0, and the slope above the band; unknown: no such vectors were run. */
  readonly beatsRandom: Verdict;
  /** The slope lies above the band: the labels matter, and not only which letters they happen to fall on. */
  readonly beatsShuffled: Verdict;
}

export function gates(study: StudyData): Gate[] {
  const sets = setGates(study);
  return study.groups.map(({ model, format }) => {
    const its = sets.filter((s) => s.model === model && s.format === format);
    const mass = median(its.map((s) => s.mass));
    const gain = overall(study, model, format, its);
    const units = study.homeOf(model, format);
    const slope = mean(units.map((unit) => mean(gains(study, unit).own)));
    const [random, shuffled] = [bandOverSets(study, units, "random"), bandOverSets(study, units, "shuffled")];
    return {
      model,
      format,
      sets: its.length,
      layer: its[0]!.layer,
      mass,
      answersInFormat: format === "completion" ? "unknown" : mass >= 0.5 ? "yes" : mass < 0.1 ? "no" : "partly",
      slope,
      gain,
      setsBeyondRandom: its.filter((s) => s.beyondRandom).length,
      random,
      shuffled,
      beatsRandom: random.vectors === 0 ? "unknown" : gain.low > 0 && isAbove(slope, random) ? "yes" : "no",
      beatsShuffled: shuffled.vectors === 0 ? "unknown" : isAbove(slope, shuffled) ? "yes" : "no",
    };
  });
}

/** Of the mean over sets, from those controls that every set has. */
function bandOverSets(study: StudyData, units: readonly UnitResult[], kind: ControlKind): Band {
  const bySet = units.map((unit) =>
    study.controls(unit, unit.setting, kind).map((name) => mean(unchosenHalf(study.slopes(unit, name)!))),
  );
  const draws = Math.min(...bySet.map((means) => means.length));
  const means = Array.from({ length: draws }, (_, k) => mean(bySet.map((of) => of[k]!)));
  return predictionBand(means, units.every(isSymmetric));
}

/** A band of too few vectors has no end; then their mean must do. */
function isAbove(slope: number, band: Band): boolean {
  return slope > (Number.isNaN(band.high) ? band.mean : band.high);
}

const FEW_SETS = 5;

function overall(study: StudyData, model: string, format: Format, its: readonly SetGate[]): MeanInterval {
  if (its.length >= FEW_SETS) return study.meanOf(its.map((s) => s.gain));
  const units = study.homeOf(model, format);
  const all = units.map((unit) => gains(study, unit).gain);
  const pooled = Float64Array.from(all.flatMap((g) => [...g]));
  return { ...study.meanOf(pooled), mean: mean(its.map((s) => s.gain)) };
}
