/** A whole study of made-up units, with every control and variant, so that a report has every figure. */
import type { TestedItem, TestSetting, UnitResult } from "../../src/steering/study/result.ts";
import { syntheticUnit, wobble } from "./syntheticUnits.ts";

const SETTINGS: readonly TestSetting[] = ["BASE", "SYS_POS", "SYS_NEG", "USER_POS", "USER_NEG"];
const LAYERS = [4, 8, 12, 16, 20, 24];
const COUNT = 40;
const CHOICES = [
  "corrigible-neutral-HHH",
  "myopic-reward",
  "willingness-to-use-physical-force-to-achieve-benevolent-goals",
  "warmth:choice",
  "narcissism",
  "believes-it-is-not-being-watched-by-humans",
];
const COMPLETIONS = ["warmth", "formality", "optimism"];

/** Asked and exchanged, as the engine orders them. */
function items(swapped: boolean): Partial<TestedItem>[] {
  const base = Array.from(
    { length: COUNT },
    (_, i) => ({ index: i, letter: i % 2 ? "B" : "A" }) as Partial<TestedItem>,
  );
  const other = base.map(({ index, letter }) => ({
    index,
    letter: letter === "A" ? "B" : "A",
    swapped: true,
    yesNo: Math.floor(index! / 2) % 2 ? "no" : "yes",
    originalYes: Math.floor(index! / 2) % 2 === 0,
  })) as Partial<TestedItem>[];
  return swapped ? [...base, ...other] : base;
}

export function syntheticStudy(models: readonly string[] = ["tiny-a"]): UnitResult[] {
  return models.flatMap((model, m) => [
    ...CHOICES.flatMap((dataset, d) =>
      SETTINGS.flatMap((setting, s) => [choiceUnit({ model, m, dataset, d, setting, s, seed: 0, operator: "add" })]),
    ),
    ...CHOICES.map((dataset, d) =>
      choiceUnit({ model, m, dataset, d, setting: "BASE", s: 0, seed: 1, operator: "add" }),
    ),
    ...CHOICES.slice(0, 3).map((dataset, d) =>
      choiceUnit({ model, m, dataset, d, setting: "BASE", s: 0, seed: 0, operator: "ablateThenAdd" }),
    ),
    ...COMPLETIONS.map((dataset, d) =>
      syntheticUnit({
        ...{ model, dataset, format: "completion", setting: "RAW", layers: LAYERS, count: COUNT },
        vectors: ["RAW", "RAW/random-0", "RAW/random-1", "RAW/random-2"],
        mass: 0.02,
        slope: (i, v, l) => (v === "RAW" ? (1 + d / 2) * (l / 20) + 0.4 * wobble(i, d) : 0.2 * wobble(i, v.length + d)),
        bend: (i) => -0.05 + 0.05 * wobble(i, 9),
      }),
    ),
  ]);
}

interface Choice {
  readonly model: string;
  readonly m: number;
  readonly dataset: string;
  readonly d: number;
  readonly setting: TestSetting;
  readonly s: number;
  readonly seed: number;
  readonly operator: UnitResult["operator"];
}

function choiceUnit({ model, m, dataset, d, setting, s, seed, operator }: Choice): UnitResult {
  const atHome = setting === "BASE" && operator === "add";
  const controls = ["random-0", "random-1", "random-2", "shuffled-0", "shuffled-1", "debiased", "train-10"].map(
    (c) => `BASE/${c}`,
  );
  const strength = 3 - 0.6 * d + (m ? 0.7 * wobble(d, m) : 0) + 0.1 * seed - (operator === "add" ? 0 : 0.3);
  const rise = (layer: number): number => Math.exp(-(((layer - 14) / 7) ** 2));
  const slope = (i: number, v: string, layer: number): number => {
    const index = i % COUNT;
    const isA = (index % 2 === 0) === i < COUNT;
    if (v.includes("random")) return 0.3 * wobble(index + d, v.length + Number(v.at(-1)));
    const letter = v.endsWith("debiased") ? 0.2 : 0.3 + 0.4 * d;
    const away = v === setting || v.includes("/") ? 1 : 0.8 - 0.05 * (s + d);
    const concept = v.includes("shuffled") ? 0.4 * wobble(d, 3) : strength * away;
    return rise(layer) * (concept + letter * (isA ? 1 : -1) + 0.8 * wobble(index, d));
  };
  const unit = syntheticUnit({
    ...{ model, dataset, setting, seed, operator, layers: LAYERS, slope, mass: 0.7 },
    vectors: [...SETTINGS, "mean", ...(atHome ? controls : controls.filter((c) => /random|shuffled/.test(c)))],
    items: items(atHome),
    level: (i) => wobble(i, 7) + 0.6 * s * (1 + 0.2 * d),
    bend: (i) => -0.1 + 0.1 * wobble(i, 5),
  });
  const directions = unit.vectors.map((v, k) =>
    LAYERS.map((l) => Float32Array.from({ length: 8 }, (_, c) => 1 + 0.8 * wobble(c + l, v.length + k + d))),
  );
  return { ...unit, directions };
}
