/**
 * The gate that stands before every figure: does the model answer in the format, and do its vectors do more than controls that
 * chose their layer as they did? Pure functions of the study's data.
 */
import { mean, median } from "../statistics/descriptive.ts";
import type { UnitResult } from "../study/result.ts";
import { type Band, bandOverSets, type ControlKind, controlBand, unchosenHalf } from "./bands.ts";
import { type Format, type MeanInterval, meanAt, type StudyData, type Where, whereOf } from "./studyData.ts";

export type { Band };

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
  /** The mean slope of those items lies above the band of the random vectors' mean slopes of the same items. */
  readonly beyondRandom: boolean;
}

export function setGates(study: StudyData): SetGate[] {
  return study.home.map((unit) => {
    const mass = mean(study.rows(unit).map((row) => unit.items[row]!.mass));
    const { gain, own } = gains(study, unit);
    const band = controlBand(study, unit, unit.setting, "random", { items: unchosenHalf });
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
  /**
   * Over the sets that have random vectors: mean of the gain over them, on condition of the vectors that were drawn. The
   * interval is over sets, or over items where there are fewer than five.
   */
  readonly gain: MeanInterval;
  /** Sets that have random vectors; the others are left out of all that is said of these. */
  readonly setsControlled: number;
  readonly setsBeyondRandom: number;
  readonly setsShuffled: number;
  /**
   * Where that mean would fall with one more control, the same in all sets (sets with the same texts are no independent draws),
   * which chose its own layer where the study chose its.
   */
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
    const units = study.homeOf(model, format);
    const [random, shuffled] = [compare(study, units, "random"), compare(study, units, "shuffled")];
    const gain = overall(study, random.units);
    return {
      model,
      format,
      sets: its.length,
      layer: its[0]!.layer,
      mass,
      answersInFormat: format === "completion" ? "unknown" : mass >= 0.5 ? "yes" : mass < 0.1 ? "no" : "partly",
      slope: meanSlope(study, units),
      gain,
      setsControlled: random.units.length,
      setsBeyondRandom: its.filter((s) => s.beyondRandom).length,
      setsShuffled: shuffled.units.length,
      random: random.band,
      shuffled: shuffled.band,
      beatsRandom: random.units.length === 0 ? "unknown" : gain.low > 0 && random.isAbove ? "yes" : "no",
      beatsShuffled: shuffled.units.length === 0 ? "unknown" : shuffled.isAbove ? "yes" : "no",
    };
  });
}

/** Over sets, of the items that did not choose the layer. */
function meanSlope(study: StudyData, units: readonly UnitResult[]): number {
  return mean(units.map((unit) => mean(gains(study, unit).own)));
}

/** The sets that have controls of a kind, these controls' band, and whether the sets' own mean lies above it. */
function compare(
  study: StudyData,
  all: readonly UnitResult[],
  kind: ControlKind,
): { units: readonly UnitResult[]; band: Band; isAbove: boolean } {
  const units = all.filter((unit) => study.controls(unit, unit.setting, kind).length > 0);
  const band = bandOverSets(study, units, kind);
  return { units, band, isAbove: isAbove(meanSlope(study, units), band) };
}

/** A band of too few vectors has no end; then their mean must do. */
function isAbove(slope: number, band: Band): boolean {
  return slope > (Number.isNaN(band.high) ? band.mean : band.high);
}

const FEW_SETS = 5;

function overall(study: StudyData, units: readonly UnitResult[]): MeanInterval {
  const all = units.map((unit) => gains(study, unit).gain);
  const bySet = all.map((gain) => mean(gain));
  if (units.length >= FEW_SETS) return study.meanOf(bySet);
  return { ...study.meanOf(Float64Array.from(all.flatMap((gain) => [...gain]))), mean: mean(bySet) };
}
