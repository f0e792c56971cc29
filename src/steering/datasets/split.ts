/**
 * Which items train a vector and which test it: the grammar of ranges, CPython's shuffle, the named splits, and what they leak.
 * As EXPERIMENTS 2.3. Knows items only by their question.
 */
import { checkKeys, InputError } from "../../tensor/errors.ts";
import { PythonRandom } from "../statistics/pythonRandom.ts";
import type { DatasetItem } from "./item.ts";

export interface SplitRanges {
  readonly train: string;
  readonly validation?: string;
  readonly test: string;
}

export const SPLITS = {
  /** As the paper describes it: disjoint. */
  paper: { train: "0:40%", validation: "40%:50%", test: "50%:100%" },
  /** As the published runs did it: the test range lacks a percent sign, so most training items are tested. */
  published: { train: "0:50%", test: "50:100%" },
} as const satisfies Record<string, SplitRanges>;

export interface SplitOptions {
  /** A named split or ranges of our own. Default `paper`. */
  readonly split?: keyof typeof SPLITS | SplitRanges;
  /** Of the shuffle, which comes before the ranges. Default 0. */
  readonly seed?: number;
}

export interface Split {
  readonly train: DatasetItem[];
  readonly validation: DatasetItem[];
  readonly test: DatasetItem[];
  /** Test items that are themselves in the training items. */
  readonly overlap: number;
  /** Other test items whose question a training item also asks. */
  readonly duplicates: number;
}

/**
 * A range `start:end` of `count` items: each side an index or a percentage `k%` (of `count`, rounded down), an empty start is 0,
 * and `+x` as end counts from the start. @throws InputError E_OPTION for another form or a range outside the items.
 */
export function parseRange(text: string, count: number): { start: number; end: number } {
  const parts = /^(?:(\d+)(%?))?:(\+?)(\d+)(%?)$/.exec(text.trim());
  if (parts === null)
    throw new InputError("E_OPTION", `range "${text}"`, 'expected start:end, as "0:40%", "50%:100%" or "10:+20"');
  const [, from, fromPercent, plus, to, toPercent] = parts;
  const amount = (n: string, percent: string | undefined): number =>
    percent ? Math.floor((Number(n) * count) / 100) : Number(n);
  const start = from === undefined ? 0 : amount(from, fromPercent);
  const end = amount(to!, toPercent) + (plus ? start : 0);
  const beyond = end > count || (toPercent && Number(to) > 100);
  if (start > end || beyond)
    throw new InputError("E_OPTION", `range "${text}" is ${start}:${end}, outside the ${count} items or backwards`);
  return { start, end };
}

/** Shuffles as CPython's `random.Random(seed).shuffle` and takes the ranges. @throws InputError E_OPTION, E_DATA for an empty part. */
export function splitItems(items: readonly DatasetItem[], options: SplitOptions = {}): Split {
  checkKeys(options, ["split", "seed"], "splitItems");
  const { split = "paper", seed = 0 } = options;
  if (typeof split === "string" && !Object.hasOwn(SPLITS, split))
    throw new InputError("E_OPTION", `split "${split}"`, `known splits: ${Object.keys(SPLITS).join(", ")}`);
  const ranges: SplitRanges = typeof split === "string" ? SPLITS[split] : split;
  checkKeys(ranges, ["train", "validation", "test"], "split");
  const shuffled = [...items];
  new PythonRandom(seed).shuffle(shuffled);
  const part = (range: string | undefined): DatasetItem[] => {
    if (range === undefined) return [];
    const { start, end } = parseRange(range, items.length);
    return shuffled.slice(start, end);
  };
  const [train, validation, test] = [part(ranges.train), part(ranges.validation), part(ranges.test)];
  for (const [name, its] of Object.entries({ train, test }))
    if (its.length === 0)
      throw new InputError(
        "E_DATA",
        `split: no ${name} items among ${items.length}`,
        "give more items or other ranges",
      );
  return { train, validation, test, ...leak(train, test) };
}

function leak(train: readonly DatasetItem[], test: readonly DatasetItem[]): { overlap: number; duplicates: number } {
  const trained = new Set(train);
  const asked = new Set(train.map((item) => item.question));
  const own = test.filter((item) => trained.has(item)).length;
  return { overlap: own, duplicates: test.filter((item) => asked.has(item.question)).length - own };
}
