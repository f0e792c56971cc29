/**
 * Values of command line options from their text: numbers, token ids, layer lists. Each parser says what it expected; the
 * command line library adds the option's name. Knows no models.
 */
import { InvalidArgumentError } from "commander";
import { parseLayers, parseMultipliers } from "../steering/runs/ranges.ts";

const INTEGER = /^[+-]?\d+$/;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;

/** A finite number, or undefined. */
export function toNumber(text: string): number | undefined {
  const value = DECIMAL.test(text.trim()) ? Number(text) : Number.NaN;
  return Number.isFinite(value) ? value : undefined;
}

/** A parser of whole numbers of at least `min`. */
export function wholeNumber(min = Number.MIN_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = INTEGER.test(text.trim()) ? Number(text) : Number.NaN;
    if (Number.isSafeInteger(value) && value >= min) return value;
    const range = min === Number.MIN_SAFE_INTEGER ? "" : ` of ${min} or more`;
    throw new InvalidArgumentError(`Expected a whole number${range}.`);
  };
}

export function decimalNumber(text: string): number {
  const value = toNumber(text);
  if (value !== undefined) return value;
  throw new InvalidArgumentError("Expected a number such as 0.7.");
}

/** "1,2,3" or "1 2 3" or "[1, 2, 3]". */
export function tokenIds(text: string): number[] {
  const inner = text
    .trim()
    .replace(/^\[|\]$/g, "")
    .trim();
  const parse = wholeNumber(0);
  const ids = inner.split(/\s*,\s*|\s+/).map((id) => {
    try {
      return parse(id);
    } catch {
      throw new InvalidArgumentError(`"${id}" is not a token id; expected ids such as 1,2,3.`);
    }
  });
  return ids;
}

/** "all", "7,14", "3-9", or a mixture; ascending, each once. */
export function layerList(text: string): "all" | number[] {
  const layers = orderedLayers(text);
  return layers === "all" ? layers : layers.sort((a, b) => a - b);
}

/** The same in the order given. */
export function orderedLayers(text: string): "all" | number[] {
  const layers = parseLayers(text);
  if (layers !== undefined) return layers;
  throw new InvalidArgumentError(`Expected "all" or layers such as 7,14 or 3-9.`);
}

/** "-1,0,1", or "-1.5:1.5:0.5" as from:to:step with both ends. */
export function multiplierList(text: string): number[] {
  const multipliers = parseMultipliers(text);
  if (multipliers !== undefined) return multipliers;
  throw new InvalidArgumentError("Expected numbers such as -1,0,1, or from:to:step such as -1.5:1.5:0.5.");
}

/** "0,1,2", each once; ascending. */
export function seedList(text: string): number[] {
  const parse = wholeNumber(0);
  try {
    const seeds = text.split(",").map(parse);
    if (new Set(seeds).size === seeds.length) return seeds.sort((a, b) => a - b);
  } catch {} // said below
  throw new InvalidArgumentError("Expected whole numbers of 0 or more such as 0,1,2, each once.");
}

/** "paper", "published", or "0:40%,50%:100%" as what a configuration has; the configuration refuses other text. */
export function splitRanges(text: string): unknown {
  const [train, test, ...rest] = text.split(",");
  return test === undefined || rest.length > 0 ? text : { train, test };
}

/** "auto", "mean", or a token index such as -2. */
export function readPosition(text: string): "auto" | "mean" | number {
  if (text === "auto" || text === "mean") return text;
  try {
    return wholeNumber()(text);
  } catch {
    throw new InvalidArgumentError('Expected "auto", "mean" or a token index such as -2.');
  }
}

/** Collects the values of an option that may be given several times. */
export function collect<T>(parse: (text: string) => T): (text: string, previous?: readonly T[]) => T[] {
  return (text, previous = []) => [...previous, parse(text)];
}

/** A word of a command line, in quotes where a shell would cut it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
