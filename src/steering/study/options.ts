/**
 * What a study may be asked to do: one set of options for the library, `trimtab eval` and `trimtab sweep`. Types and their
 * defaults only.
 */
import type { Dataset } from "../datasets/dataset.ts";
import type { Setting } from "../datasets/settings.ts";
import type { SplitOptions } from "../datasets/split.ts";
import type { Measure, Operator, TestSetting, UnitResult } from "./result.ts";

/** The paper's grid. */
export const MULTIPLIERS: readonly number[] = [-1.5, -1, -0.5, 0, 0.5, 1, 1.5];

/** Controls that are evaluated in the same pass. */
export interface Controls {
  /** Number of random directions of equal norm. Default 0. */
  readonly random?: number;
  /** Number of vectors from the same pairs with labels exchanged at random. Default 0. */
  readonly shuffled?: number;
  /** The mean of the differences within each letter. Default false. Needs lettered answers. */
  readonly debiased?: boolean;
  /** Vectors of the first n training items for each n; those that the split has no more items than are left out. Default none. */
  readonly sizes?: readonly number[];
  /** Training settings whose vectors get the controls above; all by default. */
  readonly under?: readonly TestSetting[];
  /** Test every item with its two options exchanged too. Default false. Needs lettered answers. */
  readonly swapped?: boolean;
}

/** Everything that decides the numbers of a unit, besides model, dataset, test setting and seed. */
export interface StudyOptions extends Omit<SplitOptions, "seed"> {
  /** Default "all". */
  readonly layers?: "all" | readonly number[];
  /** Default MULTIPLIERS. */
  readonly multipliers?: readonly number[];
  /** Settings under which vectors are trained. Default: the test setting's own. With all five, `mean` joins them. */
  readonly trainSettings?: readonly TestSetting[];
  /** Default ["logit-sum"] for choices and ["logprob"] for completions. */
  readonly measures?: readonly Measure[];
  /** Default "add". */
  readonly operator?: Operator;
  /** Tokens between the last prompt token and the first steered one. Default: 1 where the answers share their first token, else 0. */
  readonly skip?: 0 | 1;
  readonly controls?: Controls;
  /** The original's formatting quirks, its leak-prone split, and multiplier 0 not ablated. Default false. */
  readonly published?: boolean;
  /** Rescale vectors of other settings to the norm of the BASE vector. Default true. */
  readonly normMatching?: boolean;
  /** Most test items (the first of the shuffled split); all by default. */
  readonly limit?: { readonly train?: number; readonly test?: number };
  /** Most rows that are run together: memory against speed. */
  readonly rowBudget?: number;
}

export interface UnitSpec {
  readonly dataset: Dataset;
  readonly setting: TestSetting;
  /** Of the shuffle, the random directions and the exchanged labels. */
  readonly seed: number;
  readonly options: StudyOptions;
}

export interface Progress {
  /** Token-layer evaluations done and in all: exact, and proportional to time. */
  readonly done: number;
  readonly total: number;
  readonly phase: "extract" | "evaluate";
}

export interface RunControl {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: Progress) => void;
}

/** One unit of the study: extraction (or vectors given by the caller), then every cell of every test item. */
export type RunUnit = (spec: UnitSpec, control: RunControl) => Promise<UnitResult>;

export function isSetting(setting: TestSetting): setting is Setting {
  return setting !== "RAW";
}
