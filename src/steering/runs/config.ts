/**
 * A sweep's configuration: from YAML text and flags to one checked object with every default in place, errors in words that
 * name the path and, where it came from a file, the line. Knows no models and no datasets but their names.
 */
import * as v from "valibot";
import { type Document, isNode, LineCounter, parseDocument } from "yaml";
import { InputError, nearest } from "../../tensor/errors.ts";
import type { SplitRanges } from "../datasets/split.ts";
import { MULTIPLIERS, type StudyOptions } from "../study/options.ts";
import type { Measure, Operator, TestSetting } from "../study/result.ts";
import { parseLayers, parseMultipliers, plainZero } from "./ranges.ts";
import { KNOWN_KEYS, type SweepInput, SweepSchema } from "./schema.ts";

/** What is absent is decided by each dataset's format. */
export interface SweepConfig {
  readonly models: readonly string[];
  readonly datasets: readonly string[];
  readonly settings?: readonly TestSetting[];
  readonly trainSettings?: readonly TestSetting[];
  readonly layers: "all" | readonly number[];
  readonly multipliers: readonly number[];
  readonly seeds: readonly number[];
  readonly split: "paper" | "published" | SplitRanges;
  readonly measures?: readonly Measure[];
  readonly operator: Operator;
  readonly skip?: 0 | 1;
  readonly controls: {
    readonly random: number;
    readonly shuffled: number;
    readonly debiased: boolean;
    readonly sizes: readonly number[];
    readonly under?: readonly TestSetting[];
    readonly swapped: boolean;
  };
  readonly published: boolean;
  readonly normMatching: boolean;
  readonly limits: { readonly train?: number; readonly test?: number };
}

type Path = readonly (string | number)[];

/** A configuration as it was written, and where its lines are. */
export interface ConfigSource {
  readonly values: unknown;
  /** `sweep.yaml:7` for a path in a file; undefined for flags. */
  where(path: Path): string | undefined;
}

/** @throws InputError E_DATA with file and line where the text is no YAML. JSON is YAML too. */
export function parseYaml(text: string, fileName: string): ConfigSource {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const problem = document.errors[0];
  if (problem) {
    const line = lines.linePos(problem.pos[0]).line;
    const what = problem.message.split("\n")[0]!.replace(/ at line \d+, column \d+:?$/, "");
    throw new InputError("E_DATA", `${fileName}:${line}: ${what}`, "the file must be YAML");
  }
  return { values: document.toJS(), where: (path) => `${fileName}:${lineOf(document, lines, path)}` };
}

/** The line of the value at a path, or of the nearest thing around it. */
function lineOf(document: Document, lines: LineCounter, path: Path): number {
  for (let depth = path.length; depth >= 0; depth--) {
    const node = depth === 0 ? document.contents : document.getIn(path.slice(0, depth), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return 1;
}

/** Flags win over the file, key by key. @throws InputError E_OPTION. */
export function resolveConfig(flags: Partial<Record<keyof SweepInput, unknown>>, file?: ConfigSource): SweepConfig {
  const given = Object.fromEntries(Object.entries(flags).filter(([, value]) => value !== undefined));
  const base = file?.values ?? {};
  if (typeof base !== "object" || Array.isArray(base))
    throw new ConfigError([], "expected a configuration with models and datasets", undefined, file);
  const source: ConfigSource = {
    values: { ...(base as object), ...given },
    where: (path) => (path.length > 0 && String(path[0]) in given ? undefined : file?.where(path)),
  };
  const parsed = v.safeParse(SweepSchema, source.values);
  if (!parsed.success) throw inWords(parsed.issues, source);
  return withDefaults(parsed.output, source);
}

class ConfigError extends InputError {
  constructor(path: Path, message: string, hint: string | undefined, source: ConfigSource | undefined) {
    const at = source?.where(path);
    super("E_OPTION", `${at ? `${at}: ` : ""}${pathText(path)}: ${message}`, hint);
  }
}

/** `sweep.layers[2]`. */
export function pathText(path: Path): string {
  return `sweep${path.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`)).join("")}`;
}

type Issue = v.BaseIssue<unknown>;

/** The first issue, but a slip in a key's name before the key that is missing for it. */
function inWords(issues: readonly Issue[], source: ConfigSource): ConfigError {
  const all = issues.flatMap((issue) => leaves(issue, []));
  const { issue, path } = all.find((found) => found.issue.expected === "never") ?? all[0]!;
  const hint = issue.type === "strict_object" ? keyHint(issue, path) : undefined;
  const name = String(path.at(-1));
  if (issue.expected === "never") {
    const at = source.where(path);
    return new ConfigError(
      path.slice(0, -1),
      `unknown key "${name}"`,
      hint,
      at ? { ...source, where: () => at } : source,
    );
  }
  if (issue.type === "strict_object" && issue.received === "undefined")
    return new ConfigError(path.slice(0, -1), `"${name}" is missing`, hint, source);
  return new ConfigError(path, `expected ${issue.message}, got ${JSON.stringify(issue.input)}`, hint, source);
}

/** Of a union, whose issues have paths of their own, the issues within the alternative that was meant. */
function leaves(issue: Issue, prefix: Path): { issue: Issue; path: Path }[] {
  const path = [...prefix, ...(issue.path ?? []).map((item) => item.key as string | number)];
  const inner = (issue.issues ?? []).filter((i) => (i.path ?? []).length > 0);
  return inner.length > 0 ? inner.flatMap((i) => leaves(i, path)) : [{ issue, path }];
}

function keyHint(issue: Issue, path: Path): string | undefined {
  const known = KNOWN_KEYS[path.slice(0, -1).join(".")];
  if (!known) return undefined;
  if (issue.expected !== "never") return `it has ${known.join(", ")}`;
  const near = nearest(String(path.at(-1)), known);
  return near ? `did you mean "${near}"?` : `known keys: ${known.join(", ")}`;
}

function withDefaults(input: SweepInput, source: ConfigSource): SweepConfig {
  const fail = (path: Path, message: string): never => {
    throw new ConfigError(path, message, undefined, source);
  };
  const { layers = "all", multipliers = MULTIPLIERS, seeds = [0], published = false } = input;
  const asLayers = typeof layers === "string" ? parseLayers(layers) : layers;
  const asNumbers = typeof multipliers === "string" ? parseMultipliers(multipliers) : multipliers.map(plainZero);
  if (!asLayers) return fail(["layers"], `expected "all" or layers such as "3,5-9", got ${JSON.stringify(layers)}`);
  if (!asNumbers)
    return fail(["multipliers"], `expected numbers such as "-1,0,1" or "-2:2:0.5", got ${JSON.stringify(multipliers)}`);
  const lists = { ...input, layers: asLayers === "all" ? [] : asLayers, multipliers: asNumbers, seeds };
  const expectDistinct = (path: Path, all: readonly unknown[] = []): void => {
    const twice = all.findIndex((value, i) => all.indexOf(value) < i);
    if (twice >= 0) fail([...path, twice], `${JSON.stringify(all[twice])} is there twice`);
  };
  for (const key of ["models", "datasets", "settings", "trainSettings", "layers", "multipliers", "seeds"] as const)
    expectDistinct([key], lists[key]);
  expectDistinct(["controls", "sizes"], input.controls?.sizes);
  expectDistinct(["controls", "under"], input.controls?.under);
  if (asNumbers.length < 2) fail(["multipliers"], `a slope needs two multipliers or more, got ${asNumbers.length}`);
  const { random = 0, shuffled = 0, debiased = false, sizes = [], under, swapped = false } = input.controls ?? {};
  return {
    ...input,
    layers: asLayers,
    multipliers: asNumbers,
    seeds,
    split: input.split ?? (published ? "published" : "paper"),
    operator: input.operator ?? "add",
    controls: { random, shuffled, debiased, sizes, ...(under && { under }), swapped },
    published,
    normMatching: input.normMatching ?? true,
    limits: input.limits ?? {},
  };
}

/** @throws InputError naming the layer that a model lacks: `sweep.layers[2]: expected 0-29 (smollm2-135m has 30 layers), got 34`. */
export function checkModelLayers(config: SweepConfig, model: string, layers: number, source?: ConfigSource): void {
  if (config.layers === "all") return;
  for (const [i, layer] of config.layers.entries()) {
    if (layer < layers) continue;
    const message = `expected 0-${layers - 1} (${model} has ${layers} layers), got ${layer}`;
    throw new ConfigError(["layers", i], message, undefined, source);
  }
}

/** What every unit is asked to do. */
export function studyOptions(c: SweepConfig): StudyOptions {
  return {
    layers: c.layers,
    multipliers: c.multipliers,
    trainSettings: c.trainSettings,
    split: c.split,
    measures: c.measures,
    operator: c.operator,
    skip: c.skip,
    controls: c.controls,
    published: c.published,
    normMatching: c.normMatching,
    limit: c.limits,
  };
}
