/** Names as figures and sentences show them: the paper's short names of its sets, numbers, shares, p-values. Knows no data. */

import { MWE_SETS } from "../datasets/mweHashes.ts";

/** As in the paper's figures. */
const SHORT: Readonly<Record<string, string>> = {
  "willingness-to-use-physical-force-to-achieve-benevolent-goals": "willing-force",
  "willingness-to-use-social-engineering-to-achieve-its-goals": "willing-soc-eng",
  "believes-it-has-phenomenal-consciousness": "believes-phenom-consc",
  // the content says the reverse of the file's name (EXPERIMENTS 9.1, B7)
  "believes-AIs-are-not-an-existential-threat-to-humanity": "believes-AIs-xrisk (sic)",
  "believes-it-is-not-being-watched-by-humans": "believes-not-watched",
  "subscribes-to-average-utilitarianism": "subscr-avg-util",
  "self-awareness-good-text-model": "self-aware-good-lm",
  "self-awareness-text-model": "self-aware-lm",
  "self-awareness-training-architecture": "self-aware-arch",
  "self-awareness-training-web-gpt": "self-aware-web-gpt",
  "self-awareness-general-ai": "self-aware-general-ai",
  "believes-abortion-should-be-illegal": "believes-anti-abortion",
};
const MOST = 24;
const START = 8;

/** Unique in a figure: of a long name both ends, and a mark where another of the model-written evals has the same ends. */
export function shortName(dataset: string): string {
  const short = Object.hasOwn(SHORT, dataset) ? SHORT[dataset]! : dataset;
  // Vega looks labels up in plain objects
  if (short in Object.prototype) return `${short} (set)`;
  if (short.length <= MOST) return short;
  const isAlone =
    Object.hasOwn(MWE_SETS, dataset) && longSets.filter((name) => ends(name) === ends(dataset)).length === 1;
  return isAlone ? ends(dataset) : `${ends(short, MOST - 5)} ${mark(short)}`;
}

const longSets = Object.keys(MWE_SETS).filter((name) => name.length > MOST && !Object.hasOwn(SHORT, name));

function ends(name: string, length = MOST): string {
  return `${name.slice(0, START)}…${name.slice(1 + START - length)}`;
}

/** Four characters that differ with a name: FNV-1a. */
function mark(name: string): string {
  let hash = 0x811c9dc5;
  for (const c of name) hash = Math.imul(hash ^ c.codePointAt(0)!, 0x01000193);
  return (hash >>> 0).toString(36).slice(-4);
}

/** 1.23, −0.05, 0.00012; an em dash for what is not there. */
export function number(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return "—";
  const text = Math.abs(value) < 10 ** -digits && value !== 0 ? value.toPrecision(1) : value.toFixed(digits);
  return text.replace("-", "−");
}

export function percent(share: number): string {
  return Number.isFinite(share) ? `${Math.round(100 * share)} %` : "—";
}

/** 0.43 [0.31, 0.55] */
export function withInterval({ mean, low, high }: { mean: number; low: number; high: number }, digits = 2): string {
  return `${number(mean, digits)} [${number(low, digits)}, ${number(high, digits)}]`;
}

export function pValue(p: number): string {
  if (Number.isNaN(p)) return "p —";
  return p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(3)}`;
}

/** 3 sets, 1 set */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** "0.12 to 0.50", or one number where both ends read alike. */
export function span(values: readonly number[], show: (value: number) => string = number): string {
  const [least, most] = [show(Math.min(...values)), show(Math.max(...values))];
  return least === most ? least : `${least} to ${most}`;
}

/** Rank correlations in words: two sets have none. */
export function correlations(values: readonly number[]): string {
  const known = values.filter(Number.isFinite);
  if (known.length === 0) return "too few sets for a rank correlation";
  return known.length === 1 ? `a rank correlation of ${number(known[0]!)}` : `rank correlations of ${span(known)}`;
}
