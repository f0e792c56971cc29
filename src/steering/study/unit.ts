/**
 * One unit of the study: split a dataset, train vectors under the asked-for settings, and evaluate every cell of every test
 * item under one test setting. A runner keeps what it trained for the next unit of the same dataset. Knows no file.
 */
import type { LanguageModel } from "../../model/index.ts";
import { checkKeys, InputError } from "../../tensor/errors.ts";
import type { DatasetItem } from "../datasets/item.ts";
import { itemFacts, originalIsYes, swapOptions } from "../datasets/itemFacts.ts";
import { settingMessages } from "../datasets/settings.ts";
import { splitItems } from "../datasets/split.ts";
import { checkLayers } from "../extract.ts";
import { type EvaluateOptions, type Evaluation, estimateEvaluation, evaluate, prepareItems } from "./evaluate.ts";
import { type Controls, isSetting, MULTIPLIERS, type RunControl, type RunUnit, type UnitSpec } from "./options.ts";
import type { Measure, TestedItem, TestSetting, UnitResult, VectorName } from "./result.ts";
import type { TailPlan } from "./tailPlan.ts";
import type { Grid } from "./tailTree.ts";
import { norm, rescale, smallerSizes, type TrainedVector, trainVectors } from "./train.ts";

const OPTION_KEYS = [
  "split",
  "layers",
  "multipliers",
  "trainSettings",
  "measures",
  "operator",
  "skip",
  "controls",
  "published",
  "normMatching",
  "limit",
  "rowBudget",
] as const;

/** A function that runs units on a model, and trains each vector once. */
export function unitRunner(model: LanguageModel): RunUnit {
  const trained = new Map<string, Promise<TrainedVector[]>>();
  return async (spec, control) => {
    const unit = prepareUnit(model, spec);
    const named = await trainAll(model, unit, control, trained);
    const grid: Grid = { layers: unit.layers, multipliers: unit.multipliers, vectors: named.map((v) => v.directions) };
    const evaluation = await evaluate(model, unit.tested, grid, { ...unit.options, ...control });
    return toResult(model, unit, named, evaluation);
  };
}

/** One unit on its own. @throws InputError, ShapeError before any work; the signal's reason. */
export function runUnit(model: LanguageModel, spec: UnitSpec, control: RunControl = {}): Promise<UnitResult> {
  return unitRunner(model)(spec, control);
}

/** What a unit's evaluation will cost, from its tokens: exact token-layer evaluations, rows of whole vocabularies, result rows. */
export function estimateUnit(
  model: LanguageModel,
  spec: UnitSpec,
): Pick<TailPlan, "evaluations" | "vocabularyRows" | "mostRows"> & { readonly resultRows: number } {
  const unit = prepareUnit(model, spec);
  const vectorsOf = (setting: TestSetting): number => {
    const { random = 0, shuffled = 0, debiased, ...rest } = controlsOf(spec, setting);
    return 1 + random + shuffled + (debiased ? 1 : 0) + smallerSizes(rest, unit.train.length).length;
  };
  const count = unit.trainSettings.reduce((n, s) => n + vectorsOf(s), hasMean(unit.trainSettings) ? 1 : 0);
  const zeros = unit.layers.map(() => new Float32Array(model.config.D));
  const vectors = Array.from({ length: count }, () => zeros);
  const grid = { layers: unit.layers, multipliers: unit.multipliers, vectors };
  const resultRows = count * unit.layers.length * unit.tested.length * unit.multipliers.length;
  return { ...estimateEvaluation(model, unit.tested, grid, unit.options), resultRows };
}

interface Unit {
  readonly spec: UnitSpec;
  readonly layers: readonly number[];
  readonly multipliers: readonly number[];
  readonly trainSettings: readonly TestSetting[];
  readonly train: readonly DatasetItem[];
  /** Test items, and behind them their exchanged forms where asked for. */
  readonly tested: readonly DatasetItem[];
  readonly facts: readonly Omit<TestedItem, "mass">[];
  readonly options: EvaluateOptions;
}

function prepareUnit(model: LanguageModel, spec: UnitSpec): Unit {
  const { dataset, setting, seed, options: o } = spec;
  checkKeys(o, OPTION_KEYS, "study");
  checkKeys(o.controls ?? {}, ["random", "shuffled", "debiased", "sizes", "under", "swapped"], "study: controls");
  checkKeys(o.limit ?? {}, ["train", "test"], "study: limit");
  const split = splitItems(dataset.items, { split: o.split ?? (o.published ? "published" : "paper"), seed });
  const train = split.train.slice(0, o.limit?.train);
  const test = split.test.slice(0, o.limit?.test);
  const swapped = o.controls?.swapped ? test.map(swapOptions) : [];
  const fact = (item: DatasetItem, i: number, isSwapped: boolean): Omit<TestedItem, "mass"> => ({
    index: dataset.items.indexOf(test[i]!),
    ...itemFacts(item),
    originalYes: originalIsYes(item),
    swapped: isSwapped,
  });
  const measures: readonly Measure[] = o.measures ?? [dataset.format === "choice" ? "logit-sum" : "logprob"];
  const trainSettings = [...new Set(o.trainSettings ?? [setting])];
  if (trainSettings.length === 0) throw new InputError("E_OPTION", "study: no training settings", "name at least one");
  for (const s of trainSettings) if (isSetting(s)) settingMessages(s, "", dataset.persona);
  const options = {
    format: dataset.format,
    setting,
    persona: dataset.persona,
    published: o.published,
    measures,
    operator: o.operator,
    skip: o.skip,
    rowBudget: o.rowBudget,
  };
  const tested = [...test, ...swapped];
  prepareItems(model, tested, options);
  return {
    spec,
    layers: checkLayers(o.layers ?? "all", model.config.L, "study"),
    multipliers: o.multipliers ?? MULTIPLIERS,
    trainSettings,
    train,
    tested,
    facts: [...test.map((item, i) => fact(item, i, false)), ...swapped.map((item, i) => fact(item, i, true))],
    options,
  };
}

interface NamedVector {
  readonly name: VectorName;
  readonly directions: readonly Float32Array[];
}

/** All vectors of a unit, named: each setting's with its controls, then their mean; matched in norm. */
async function trainAll(
  model: LanguageModel,
  unit: Unit,
  control: RunControl,
  known: Map<string, Promise<TrainedVector[]>>,
): Promise<NamedVector[]> {
  const { spec, layers, train, trainSettings } = unit;
  const { dataset, seed, options: o } = spec;
  const bySetting = new Map<TestSetting, TrainedVector[]>();
  const wanted = o.normMatching === false || trainSettings.length === 1 ? trainSettings : withBase(trainSettings);
  for (const setting of wanted) {
    const controls = controlsOf(spec, setting);
    const keyOf = ({ random = 0, shuffled = 0, debiased = false, sizes = [] }: Controls): string => {
      const made = [random, shuffled, debiased, sizes];
      return JSON.stringify([dataset.sha256, setting, seed, layers, train.length, o.split, o.published, made]);
    };
    const key = keyOf(controls);
    if (!known.has(key)) {
      const onProgress = (done: number, total: number): void => control.onProgress?.({ done, total, phase: "extract" });
      const { format, persona } = dataset;
      const texts = { format, setting, persona, published: o.published };
      const made = trainVectors(model, train, { ...texts, layers, controls, seed, ...control, onProgress });
      known.set(key, made);
      made.catch(() => known.delete(key));
      // for units that ask for the vector alone
      if (!known.has(keyOf({})))
        void made.then(
          ([plain]) => known.set(keyOf({}), Promise.resolve([plain!])),
          () => {},
        );
    }
    bySetting.set(setting, await known.get(key)!);
  }
  const reference = bySetting.get("BASE")?.[0]?.directions;
  // a control keeps its length beside its vector, which gets that of BASE
  const matched = (v: readonly Float32Array[], like: readonly Float32Array[]): readonly Float32Array[] =>
    wanted.length === 1 || o.normMatching === false || !reference
      ? v
      : v.map((x, l) => rescale(x, (norm(x) * norm(reference[l]!)) / (norm(like[l]!) || 1)));
  const named = trainSettings.flatMap((setting) => {
    const all = bySetting.get(setting)!;
    return all.map(({ control: c, directions }) => ({
      name: c === "" ? setting : `${setting}/${c}`,
      directions: matched(directions, all[0]!.directions),
    }));
  });
  if (!hasMean(trainSettings)) return named;
  const plain = trainSettings.filter((s) => s !== "RAW").map((s) => bySetting.get(s)![0]!.directions);
  const mean = layers.map((_, l) => average(plain.map((v) => v[l]!)));
  return [...named, { name: "mean", directions: matched(mean, mean) }];
}

/** Controls of the vector that is trained under a setting. */
function controlsOf({ options: { controls = {} } }: UnitSpec, setting: TestSetting): Controls {
  return controls.under?.includes(setting) === false ? {} : controls;
}

/** Norms are matched to the vector of BASE, so that is trained too. */
function withBase(settings: readonly TestSetting[]): TestSetting[] {
  return [...new Set<TestSetting>(["BASE", ...settings])];
}

function hasMean(settings: readonly TestSetting[]): boolean {
  return settings.filter((s) => s !== "RAW").length === 5;
}

function average(vectors: readonly Float32Array[]): Float32Array {
  return vectors[0]!.map((_, d) => vectors.reduce((sum, v) => sum + v[d]!, 0) / vectors.length);
}

function toResult(
  model: LanguageModel,
  { spec, layers, multipliers, train, facts, options }: Unit,
  named: readonly NamedVector[],
  { ab, rest, logprob, mass, skip }: Evaluation,
): UnitResult {
  const { dataset, setting, seed } = spec;
  const has = (measure: Measure): boolean => options.measures.includes(measure);
  return {
    model: model.name,
    dataset: dataset.name,
    format: dataset.format,
    setting,
    seed,
    operator: options.operator ?? "add",
    skip,
    trainItems: train.length,
    layers,
    multipliers,
    vectors: named.map((v) => v.name),
    items: facts.map((fact, i) => ({ ...fact, mass: mass[i]! })),
    norms: Float64Array.from(named.flatMap((v) => v.directions.map(norm))),
    directions: named.map((v) => v.directions),
    propensities: {
      // the published sum keeps its first term apart
      ...(has("ab") || has("logit-sum") ? { ab } : {}),
      ...(has("logit-sum") && rest ? { "logit-sum": ab.map((x, i) => x + rest[i]!) } : {}),
      ...(has("logprob") && logprob ? { logprob } : {}),
    },
  };
}
