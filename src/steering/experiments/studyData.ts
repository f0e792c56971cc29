/**
 * The units of a run as the experiments look at them: which unit is a dataset's home, at which layer and in which measure sets
 * are compared, slopes by vector name. Every experiment is a pure function of this. Knows no model and no file.
 */
import { checkKeys, InputError } from "../../tensor/errors.ts";
import {
  type BootstrapOptions,
  bootstrapIntervals,
  expandedConfidence,
  type Interval,
} from "../statistics/bootstrap.ts";
import { mean } from "../statistics/descriptive.ts";
import { slopeWeights } from "../statistics/slopeNoise.ts";
import {
  curve,
  type Measure,
  type Operator,
  type TestSetting,
  type UnitResult,
  type VectorName,
} from "../study/result.ts";

export type Format = UnitResult["format"];

export interface StudyDataOptions {
  /** Layer at which sets are compared. Default: for each model and format the one that `chooseLayer` finds. */
  readonly layer?: number;
  /** Default: `logit-sum` for choices (the published metric), `logprob` for completions; else what the unit has. */
  readonly measure?: Measure;
  /** Of every interval. Default 1000 resamples, 95 %. */
  readonly bootstrap?: BootstrapOptions;
}

/** What a row of a table is about. */
export interface Where {
  readonly model: string;
  readonly dataset: string;
  readonly format: Format;
}

export interface MeanInterval extends Interval {
  readonly mean: number;
}

export interface SlopeOptions {
  /** Default: the study's layer. */
  readonly layer?: number;
  /** Rows with exchanged options instead of the others. Default false. */
  readonly swapped?: boolean;
  /** Multipliers up to this size only. */
  readonly within?: number;
}

export class StudyData {
  readonly units: readonly UnitResult[];
  /**
   * One unit a model, dataset and format: the lowest seed's, tested in BASE, or in RAW for completions where that was run.
   * Only those that have their own setting's vector.
   */
  readonly home: readonly UnitResult[];
  readonly options: StudyDataOptions;
  readonly #layers = new Map<string, number>();

  /** @throws InputError E_DATA for no units or none at home, E_OPTION for unknown options, E_LAYER for a layer that a unit lacks. */
  constructor(units: readonly UnitResult[], options: StudyDataOptions = {}) {
    checkKeys(options, ["layer", "measure", "bootstrap"], "StudyData");
    if (units.length === 0) throw new InputError("E_DATA", "the run has no finished unit", "run the sweep first");
    this.units = units;
    this.options = options;
    this.home = homeUnits(units);
    if (this.home.length === 0)
      throw new InputError(
        "E_DATA",
        "no unit tests BASE (or RAW) under its own vector by adding",
        "run the sweep with setting BASE and operator add",
      );
    for (const { model, format } of this.groups) {
      const its = this.home.filter((u) => u.model === model && u.format === format);
      this.#layers.set(groupKey({ model, format }), options.layer ?? chooseLayer(this, its));
    }
    for (const unit of this.home) this.layerIndex(unit, options.layer);
  }

  /** Models and formats that have home units. */
  get groups(): readonly { readonly model: string; readonly format: Format }[] {
    return [
      ...new Map(this.home.map(({ model, format }) => [groupKey({ model, format }), { model, format }])).values(),
    ];
  }

  get models(): readonly string[] {
    return [...new Set(this.home.map((u) => u.model))];
  }

  /** The units of a home's set and seed, one a test setting: of several, the one with the most trained vectors. */
  acrossSettings(home: UnitResult): UnitResult[] {
    const layer = this.layer(home);
    const best = new Map<TestSetting, UnitResult>();
    const trained = (u: UnitResult): number => u.vectors.filter((name) => !name.includes("/")).length;
    for (const unit of this.units) {
      const isIts = unit.operator === "add" && unit.seed === home.seed && unit.layers.includes(layer);
      const isSame = unit.model === home.model && unit.dataset === home.dataset && unit.format === home.format;
      const known = best.get(unit.setting);
      if (isIts && isSame && (known === undefined || trained(unit) > trained(known))) best.set(unit.setting, unit);
    }
    return [...best.values()];
  }

  /** The home's unit, or one that differs in layers and controls only, that meets a condition at the study's layer. */
  atHome(home: UnitResult, meets: (unit: UnitResult) => boolean): UnitResult | undefined {
    const layer = this.layer(home);
    return [home, ...this.units].find(
      (u) =>
        u.model === home.model &&
        u.dataset === home.dataset &&
        u.format === home.format &&
        u.setting === home.setting &&
        u.seed === home.seed &&
        u.operator === "add" &&
        u.layers.includes(layer) &&
        meets(u),
    );
  }

  homeOf(model: string, format: Format): readonly UnitResult[] {
    return this.home.filter((u) => u.model === model && u.format === format);
  }

  /** The unit beside another that has the study's layer: the same, training items too, but for what is named. */
  beside(
    unit: UnitResult,
    change: { setting?: TestSetting; seed?: number; operator?: Operator },
  ): UnitResult | undefined {
    const wanted = { setting: unit.setting, seed: unit.seed, operator: unit.operator, ...change };
    const layer = this.layer(unit);
    return this.units.find(
      (u) =>
        u.model === unit.model &&
        u.dataset === unit.dataset &&
        u.format === unit.format &&
        u.setting === wanted.setting &&
        u.seed === wanted.seed &&
        u.operator === wanted.operator &&
        u.trainItems === unit.trainItems &&
        u.layers.includes(layer),
    );
  }

  layer(unit: Pick<UnitResult, "model" | "format">): number {
    return this.#layers.get(groupKey(unit))!;
  }

  /** @throws InputError E_LAYER where the unit lacks the layer. */
  layerIndex(unit: UnitResult, layer = this.layer(unit)): number {
    const index = unit.layers.indexOf(layer);
    if (index >= 0) return index;
    throw new InputError("E_LAYER", `${unit.dataset} has no layer ${layer}`, `its layers: ${unit.layers.join(", ")}`);
  }

  /** The layers among which the study's was chosen: one where it was given. */
  layersChosenFrom({ model, format }: Pick<UnitResult, "model" | "format">): readonly number[] {
    return this.options.layer === undefined ? sharedLayers(this.homeOf(model, format)) : [this.options.layer];
  }

  measure(unit: UnitResult): Measure {
    return measureOf(unit, this.options.measure);
  }

  /** Rows of a unit's items, in order. */
  rows(unit: UnitResult, swapped = false): number[] {
    return unit.items.flatMap((item, i) => (item.swapped === swapped ? [i] : []));
  }

  curves(unit: UnitResult, vector: VectorName, o: SlopeOptions = {}): readonly Float64Array[] | undefined {
    const v = unit.vectors.indexOf(vector);
    if (v < 0) return undefined;
    const l = this.layerIndex(unit, o.layer);
    return this.rows(unit, o.swapped).map((row) => curve(unit, this.measure(unit), v, l, row));
  }

  /** Steerability of every item; undefined where the unit lacks the vector. */
  slopes(unit: UnitResult, vector: VectorName, o: SlopeOptions = {}): Float64Array | undefined {
    const kept = unit.multipliers.flatMap((m, k) => (Math.abs(m) <= (o.within ?? Number.POSITIVE_INFINITY) ? [k] : []));
    const weights = slopeWeights(kept.map((k) => unit.multipliers[k]!));
    const curves = this.curves(unit, vector, o);
    return curves && Float64Array.from(curves, (y) => kept.reduce((sum, k, i) => sum + weights[i]! * y[k]!, 0));
  }

  /** Unsteered propensities of the items; undefined where multiplier 0 was not run, or ablated. */
  unsteered(unit: UnitResult): Float64Array | undefined {
    const zero = unit.multipliers.indexOf(0);
    if (zero < 0 || unit.operator !== "add") return undefined;
    return Float64Array.from(this.curves(unit, unit.vectors[0]!)!, (y) => y[zero]!);
  }

  /** Names of a vector's controls of one kind: `BASE/random-0`, ... */
  controls(unit: UnitResult, vector: VectorName, kind: "random" | "shuffled"): readonly VectorName[] {
    return unit.vectors.filter((name) => name.startsWith(`${vector}/${kind}-`));
  }

  /** Resamples of every bootstrap. */
  get resamples(): number {
    return this.options.bootstrap?.resamples ?? 1000;
  }

  /** Mean with its bootstrap interval, whose percentiles are expanded for few values; NaN ends for fewer than two. */
  meanOf(values: ArrayLike<number>): MeanInterval {
    const all = Uint32Array.from({ length: values.length }, (_, i) => i);
    return this.statisticWithin([all], (pick) => meanAt(values, pick));
  }

  /**
   * A statistic of means of groups of items, each resampled within itself, with percentiles expanded for the smallest group;
   * NaN ends where a group has fewer than two.
   */
  statisticWithin(
    groups: readonly ArrayLike<number>[],
    statistic: (indices: ArrayLike<number>) => number,
  ): MeanInterval {
    const value = statistic(groups.flatMap((group) => Array.from(group)));
    const least = Math.min(...groups.map((group) => group.length));
    if (!(least >= 2)) return { mean: value, low: Number.NaN, high: Number.NaN };
    const confidence = expandedConfidence(this.options.bootstrap?.confidence ?? 0.95, least);
    const [interval] = bootstrapIntervals(groups, (pick) => [statistic(pick)], { ...this.#bootstrap, confidence });
    return { mean: value, ...interval! };
  }

  /** Percentile bootstrap; NaN ends for fewer than two. */
  interval(count: number, statistic: (indices: Uint32Array) => number): Interval {
    return this.intervals(count, (indices) => [statistic(indices)])[0]!;
  }

  /** Of several statistics of the same resamples. */
  intervals(count: number, statistics: (indices: Uint32Array) => readonly number[]): Interval[] {
    const all = Uint32Array.from({ length: count }, (_, i) => i);
    if (count < 2) return statistics(all).map(() => ({ low: Number.NaN, high: Number.NaN }));
    return bootstrapIntervals([all], statistics, this.#bootstrap);
  }

  get #bootstrap(): BootstrapOptions {
    return { ...this.options.bootstrap, resamples: this.resamples };
  }
}

export function whereOf({ model, dataset, format }: Where): Where {
  return { model, dataset, format };
}

export function meanAt(values: ArrayLike<number>, indices: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < indices.length; i++) sum += values[indices[i]!]!;
  return sum / indices.length;
}

function groupKey({ model, format }: { model: string; format: Format }): string {
  return JSON.stringify([model, format]);
}

function measureOf(unit: UnitResult, asked: Measure | undefined): Measure {
  const preferred: readonly (Measure | undefined)[] =
    unit.format === "choice" ? [asked, "logit-sum", "ab", "logprob"] : [asked, "logprob", "ab", "logit-sum"];
  return preferred.find((m) => m !== undefined && unit.propensities[m] !== undefined) ?? "ab";
}

function homeUnits(units: readonly UnitResult[]): UnitResult[] {
  const rank = (u: UnitResult): number => {
    const order: readonly TestSetting[] = u.format === "completion" ? ["RAW", "BASE"] : ["BASE", "RAW"];
    return order.indexOf(u.setting) * 2 ** 40 + u.seed;
  };
  const best = new Map<string, UnitResult>();
  for (const unit of units) {
    const isHome = unit.setting === "BASE" || unit.setting === "RAW";
    if (!isHome || unit.operator !== "add" || !unit.vectors.includes(unit.setting)) continue;
    const key = JSON.stringify(Object.values(whereOf(unit)));
    const known = best.get(key);
    if (known === undefined || rank(unit) < rank(known)) best.set(key, unit);
  }
  return [...best.values()];
}

/** Layers that all sets have. */
function sharedLayers(units: readonly UnitResult[]): number[] {
  return units[0]!.layers.filter((layer) => units.every((u) => u.layers.includes(layer)));
}

/**
 * The layer with the largest mean slope over sets, judged by every other item: the rest has no item's noise from that choice,
 * only the vector's, which the gate's controls have too.
 */
function chooseLayer(study: StudyData, units: readonly UnitResult[]): number {
  const shared = sharedLayers(units);
  if (shared.length === 0)
    throw new InputError("E_LAYER", "the sets of the run have no layer in common", "choose one with the option layer");
  const strength = (layer: number): number =>
    mean(units.map((u) => mean(study.slopes(u, u.setting, { layer })!.filter((_, i) => i % 2 === 0))));
  return shared.reduce((best, layer) => (strength(layer) > strength(best) ? layer : best));
}
