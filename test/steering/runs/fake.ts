/** A study without a model: datasets of invented items, and a unit function whose numbers depend on every part of its input. */
import type { Dataset } from "../../../src/steering/datasets/dataset.ts";
import { splitItems } from "../../../src/steering/datasets/split.ts";
import {
  type Engine,
  makeManifest,
  planUnits,
  resolveConfig,
  type SweepConfig,
} from "../../../src/steering/runs/index.ts";
import type { RunUnit } from "../../../src/steering/study/options.ts";
import type { Measure, TestedItem, UnitResult } from "../../../src/steering/study/result.ts";
import { stream } from "../../../src/tensor/random.ts";

export const LAYERS = 5;

export function fakeDataset(name: string, format: Dataset["format"] = "choice", items = 23): Dataset {
  return {
    name,
    format,
    items: Array.from({ length: items }, (_, i) => ({
      prompt: `${name} ${i}?`,
      positive: i % 2 ? "(A)" : "(B)",
      negative: i % 2 ? "(B)" : "(A)",
      question: `${i}`,
      where: `${name}:${i + 1}`,
    })),
    sha256: Buffer.from(name).toString("hex").padEnd(64, "0"),
    licence: "CC0-1.0",
  };
}

/** Numbers of every awkward kind: NaN, infinities, -0, denormals. */
const AWKWARD = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 5e-324, 0.1];

/** `delayMs` is waited in pieces, with progress. */
export function fakeUnit(delayMs = 0): RunUnit {
  return async ({ dataset, setting, seed, options: o }, { onProgress }) => {
    for (let step = 1; delayMs > 0 && step <= 4; step++) {
      await new Promise((resolve) => setTimeout(resolve, delayMs / 4));
      onProgress?.({ done: step, total: 4, phase: "evaluate" });
    }
    const test = splitItems(dataset.items, { split: o.split, seed }).test.slice(0, o.limit?.test);
    const layers = o.layers === "all" || !o.layers ? Array.from({ length: LAYERS }, (_, l) => l) : o.layers;
    const vectors = [setting, ...Array.from({ length: o.controls?.random ?? 0 }, (_, k) => `${setting}/random-${k}`)];
    const { multipliers = [] } = o;
    const next = stream([...`${dataset.name}${setting}${seed}`].reduce((h, c) => (h * 31 + c.charCodeAt(0)) | 0, 7));
    const items: TestedItem[] = test.map((item, i) => ({
      index: dataset.items.indexOf(item),
      letter: i % 3 === 0 ? null : i % 3 === 1 ? "A" : "B",
      yesNo: i % 4 === 0 ? null : "other",
      originalYes: i % 7 === 0,
      swapped: i % 5 === 0,
      mass: next(),
    }));
    const size = vectors.length * layers.length * items.length * multipliers.length;
    const table = (): Float64Array =>
      Float64Array.from({ length: size }, (_, i) => (i % 17 === 0 ? AWKWARD[(i / 17) % 6]! : next() - 0.5));
    const measures: readonly Measure[] = o.measures ?? ["ab", "logit-sum"];
    return {
      ...{ model: "as the engine calls it", dataset: dataset.name, format: dataset.format, setting, seed },
      ...{ operator: o.operator ?? "add", skip: o.skip ?? 1, trainItems: 7, layers, multipliers, vectors, items },
      norms: Float64Array.from({ length: vectors.length * layers.length }, next),
      directions: vectors.map(() => layers.map(() => Float32Array.from({ length: 3 }, next))),
      propensities: Object.fromEntries(measures.map((m) => [m, table()])),
    } satisfies UnitResult;
  };
}

export function fakeEngine(delayMs = 0): Engine {
  return { modelSha256: "f00d", device: "no device", runUnit: fakeUnit(delayMs), dispose: () => {} };
}

/** The plan of `config` over fake datasets, all of the same items. */
export function fakePlan(flags: Parameters<typeof resolveConfig>[0] = {}) {
  const config: SweepConfig = resolveConfig({
    ...{ models: ["tiny"], datasets: ["one", "two"], settings: ["BASE", "RAW"], seeds: [0, 1] },
    ...{ layers: "1,3", multipliers: "-1:1:1", controls: { random: 1 }, ...flags },
  });
  const datasets = new Map(config.datasets.map((name) => [name, fakeDataset(name)]));
  const units = planUnits(config, datasets);
  const manifest = makeManifest({
    trimtab: "0.0.0",
    config,
    models: config.models.map((name) => ({ name, sha256: "f00d", layers: LAYERS })),
    datasets: [...datasets.values()].map(({ items, ...d }) => ({ ...d, items: items.length })),
    units: units.map(({ id: _, ...key }) => key),
    device: "no device",
  });
  return { config, datasets, units, manifest };
}
