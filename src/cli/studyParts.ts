/**
 * The runs that a study consists of, each a sweep of its own: controls at home at every layer first, then what is done at the
 * layer that these chose. Knows which experiment needs which run, no models and no files.
 */
import type { Controls } from "../steering/index.ts";
import { EXPERIMENTS, type Experiment } from "../steering/report/report.ts";
import { resolveConfig, type SweepConfig } from "../steering/runs/index.ts";
import { InputError, nearest } from "../tensor/errors.ts";

export type PartKind = "home" | "detail" | "settings" | "ablate" | "seeds";

/** A run of the study: its folder's name and what it sweeps. */
export interface StudyPart {
  readonly name: string;
  readonly kind: PartKind;
  readonly format: "choice" | "completion";
  readonly config: SweepConfig;
}

/** Datasets by what they can be asked. */
export interface StudySets {
  readonly choice: readonly string[];
  readonly completion: readonly string[];
  /** Those of them with persona prompts. */
  readonly persona: readonly string[];
}

export interface StudyPlan {
  readonly models: readonly string[];
  readonly sets: StudySets;
  readonly quick: boolean;
  readonly kinds: ReadonlySet<PartKind>;
  /** Layers of the first runs. */
  readonly layers: "all" | readonly number[];
  /** The original's formatting quirks and its split. */
  readonly published: boolean;
  /** As a sweep's configuration has it; the default where absent. */
  readonly split?: unknown;
  /** Ascending: the first, whose runs the report takes as home, for all runs, the others for the experiment seeds. */
  readonly seeds?: readonly number[];
}

/** Layer of a model in a format, once the first runs have chosen it. */
export type LayerOf = (model: string, format: StudyPart["format"]) => number | undefined;

const NEEDS: Readonly<Record<Experiment, readonly PartKind[]>> = {
  E1: [],
  formats: [],
  E2: [],
  E3: [],
  E4: [],
  letters: ["detail"],
  E5: ["settings"],
  E6: ["settings"],
  E7: ["settings"],
  E8: ["settings"],
  E9: [],
  E10: [],
  E11: [],
  E15: ["settings"],
  E16: ["ablate"],
  seeds: ["seeds"],
  sizes: ["detail"],
};

/** E12 and E13 are drawn with E5 and E15. */
const ALIASES: Readonly<Record<string, Experiment>> = { E12: "E5", E13: "E15" };

/** Experiments by the names given. @throws InputError E_OPTION naming the nearest one. */
export function experimentsNamed(names: readonly string[]): Experiment[] {
  return names.map((name) => {
    const upper = ALIASES[name.toUpperCase()] ?? name;
    const found = EXPERIMENTS.find((e) => e.toLowerCase() === upper.toLowerCase());
    if (found) return found;
    const near = nearest(name, EXPERIMENTS);
    const hint = near ? `did you mean "${near}"?` : `known experiments: ${EXPERIMENTS.join(", ")}`;
    throw new InputError("E_OPTION", `there is no experiment "${name}"`, hint);
  });
}

/** The experiments asked for, undefined for all. @throws InputError E_OPTION unless there are either names or --all. */
export function experimentsAsked(names: readonly string[], all: boolean): Experiment[] | undefined {
  if (all === names.length > 0)
    throw new InputError(
      "E_OPTION",
      "name experiments or give --all, one of the two",
      `known: ${EXPERIMENTS.join(", ")}`,
    );
  return all ? undefined : experimentsNamed(names);
}

export function kindsFor(experiments: readonly Experiment[]): ReadonlySet<PartKind> {
  return new Set<PartKind>(["home", ...experiments.flatMap((e) => NEEDS[e])]);
}

const FORMATS = ["choice", "completion"] as const;
const ALL_SETTINGS = ["BASE", "SYS_POS", "SYS_NEG", "USER_POS", "USER_NEG"] as const;
/**
 * Of the quick study: enough for an interval, little enough for minutes. The letters' logits alone take one row an item where the
 * published metric takes three; what runs beside the home runs has fewer items, and leaves out the choices of concepts that
 * run as completions too.
 */
const QUICK = {
  home: { train: 40, test: 50 },
  beside: { train: 40, test: 12 },
  multipliers: [-1.5, -0.75, 0, 0.75, 1.5],
  measures: { choice: ["ab"], completion: undefined },
  controls: { random: 2, shuffled: 2 },
} as const;
const FULL_CONTROLS = { random: 5, shuffled: 5 } as const;
/** Of training items; those that a set has no more items than are left out. */
const SIZES = [5, 10, 20, 50, 100] as const;
const QUICK_LAYERS = 8;

/** Layers that lie evenly among `count`, never the last, whose output nothing but the unembedding reads. */
export function quickLayers(count: number): number[] {
  const most = Math.min(QUICK_LAYERS, count - 1);
  return [...new Set(Array.from({ length: most }, (_, i) => Math.floor(((i + 1) * (count - 1)) / (most + 1))))];
}

function part(
  o: StudyPlan,
  kind: PartKind,
  format: StudyPart["format"],
  asked: Readonly<Record<string, unknown>>,
  suffix = "",
): StudyPart[] {
  const datasets = setsOf(o, kind, format);
  if (datasets.length === 0 || !o.kinds.has(kind)) return [];
  const { multipliers, measures } = QUICK;
  const limits = kind === "home" ? QUICK.home : QUICK.beside;
  const [first] = seedsOf(o);
  const quick = o.quick ? { limits, multipliers, measures: measures[format] } : {};
  return [
    {
      name: `${kind}-${format}${suffix}`,
      kind,
      format,
      config: resolveConfig({
        models: o.models,
        datasets,
        published: o.published || undefined,
        split: o.split,
        seeds: [first],
        ...quick,
        ...asked,
      }),
    },
  ];
}

function setsOf({ sets, quick }: StudyPlan, kind: PartKind, format: StudyPart["format"]): string[] {
  const isTwin = (name: string): boolean => sets.completion.includes(name.replace(/:choice$/, ""));
  return sets[format].filter(
    (name) =>
      (kind !== "settings" || sets.persona.includes(name)) &&
      !(quick && kind !== "home" && isTwin(name) && format === "choice"),
  );
}

/** What runs at all layers, with the controls that need no letters. */
export function firstParts(o: StudyPlan): StudyPart[] {
  const controls = controlsOf(o);
  return FORMATS.flatMap((format) => part(o, "home", format, { layers: o.layers, controls }));
}

const seedsOf = ({ seeds = [0, 1, 2] }: StudyPlan): readonly number[] => seeds;

function controlsOf({ quick }: StudyPlan): Pick<Controls, "random" | "shuffled"> {
  return quick ? QUICK.controls : FULL_CONTROLS;
}

/** What runs at the layer that the first runs chose for each model and format. */
export function laterParts(o: StudyPlan, chosen: LayerOf): StudyPart[] {
  return FORMATS.flatMap((format) => o.models.flatMap((_, k) => partsAtLayer(o, k, format, chosen)));
}

function partsAtLayer(o: StudyPlan, k: number, format: StudyPart["format"], chosen: LayerOf): StudyPart[] {
  const model = o.models[k]!;
  const layer = chosen(model, format);
  if (layer === undefined) return [];
  const at = { models: [model], layers: [layer] };
  const suffix = o.models.length > 1 ? `-${k + 1}` : "";
  const isChoice = format === "choice";
  // norms are matched, so that one setting's random vectors are all settings'
  const ofBase = { ...controlsOf(o), under: ["BASE"] };
  const [, ...others] = seedsOf(o);
  const asked: readonly (readonly [PartKind, object])[] = [
    ["detail", { controls: { sizes: SIZES, debiased: isChoice, swapped: isChoice } }],
    ["settings", { settings: ALL_SETTINGS, trainSettings: ALL_SETTINGS, controls: ofBase }],
    ["ablate", { operator: "ablateThenAdd" }],
    ...(others.length > 0 ? ([["seeds", { seeds: others }]] as const) : []),
  ];
  return asked.flatMap(([kind, more]) => part(o, kind, format, { ...at, ...more }, suffix));
}
