/** Sections on the same sets done otherwise: E16, seeds, numbers of training items. From experiments' rows to figures. */
import type { StudyData } from "../experiments/studyData.ts";
import {
  type AblationRow,
  ablations,
  type SeedRow,
  type SizeRow,
  seeds,
  trainingSizes,
} from "../experiments/variants.ts";
import { mean, standardDeviation } from "../statistics/descriptive.ts";
import { column, groupsOf, inGroup, type ReportFigure, type ReportSection } from "./content.ts";
import { number, shortName, withInterval } from "./names.ts";
import { panelChart } from "./planeCharts.ts";
import { dotChart } from "./rowCharts.ts";
import { antiText, byMean, itemsOf, overItems, SLOPE } from "./sectionsText.ts";

export function ablationSection(study: StudyData): ReportSection | undefined {
  const rows = ablations(study);
  if (rows.length === 0) return undefined;
  const figures = groupsOf(study.groups).flatMap((group): ReportFigure[] => {
    const its = inGroup(rows, group);
    if (its.length === 0) return [];
    const apart = its.filter((r) => r.low > 0 || r.high < 0).length;
    return [
      {
        id: `E16-ablation${group.suffix}`,
        title: `Adding, and ablating before adding (${group.label})`,
        says: `Removing the vector's direction before adding it changes the mean slope by ${number(mean(its.map((r) => r.difference)))} logits on average; in ${apart} of ${its.length} sets the interval of the change excludes 0.`,
        n: itemsOf(its),
        interval: `${overItems(study)}; of the change, item by item, in the table`,
        spec: dotChart({
          dots: its.flatMap((r) => [
            { label: shortName(r.dataset), kind: "add", value: r.add, low: r.addLow, high: r.addHigh },
            {
              label: shortName(r.dataset),
              kind: "ablate, then add",
              value: r.ablateThenAdd,
              low: r.ablateLow,
              high: r.ablateHigh,
            },
          ]),
          order: byMean(its.map((r) => ({ dataset: r.dataset, mean: r.add }))),
          kinds: ["add", "ablate, then add"],
          x: SLOPE,
        }),
      },
    ];
  });
  const table = {
    id: "E16-ablation",
    title: "Adding, and ablating before adding (multiplier 0 is ablated too, unlike the original's)",
    rows,
    columns: [
      column<AblationRow>("set", (r) => shortName(r.dataset)),
      column<AblationRow>("add", (r) => withInterval({ mean: r.add, low: r.addLow, high: r.addHigh })),
      column<AblationRow>("ablate, then add", (r) =>
        withInterval({ mean: r.ablateThenAdd, low: r.ablateLow, high: r.ablateHigh }),
      ),
      column<AblationRow>("change", (r) => withInterval({ ...r, mean: r.difference })),
    ],
  };
  return { experiment: "E16", title: "Ablate, then add", figures, tables: [table] };
}

/** As many as there are colours. */
const MOST_SEEDS = 6;

export function seedsSection(study: StudyData): ReportSection | undefined {
  const rows = seeds(study);
  if (rows.length === 0) return undefined;
  const figures = groupsOf(study.groups).flatMap((group): ReportFigure[] => {
    const its = inGroup(rows, group);
    if (its.length === 0) return [];
    const sets = [...new Set(its.map((r) => r.dataset))];
    const spreads = sets.map((dataset) =>
      standardDeviation(its.filter((r) => r.dataset === dataset).map((r) => r.mean)),
    );
    const all = [...new Set(its.map((r) => `seed ${r.seed}`))];
    const kinds = all.slice(0, MOST_SEEDS);
    const drawn = all.length > kinds.length ? `, the first ${kinds.length} of them drawn` : "";
    return [
      {
        id: `seeds${group.suffix}`,
        title: `Other splits, other vectors (${group.label})`,
        says: `With other training and test items the mean slope of a set varies by a standard deviation of ${number(mean(spreads))} logits on average.`,
        n: `${itemsOf(its)}, ${all.length} seeds${drawn}`,
        interval: overItems(study),
        spec: dotChart({
          dots: its
            .map((r) => ({ ...r, label: shortName(r.dataset), kind: `seed ${r.seed}`, value: r.mean }))
            .filter((dot) => kinds.includes(dot.kind)),
          order: byMean(
            sets.map((dataset) => ({
              dataset,
              mean: mean(its.filter((r) => r.dataset === dataset).map((r) => r.mean)),
            })),
          ),
          kinds,
          x: SLOPE,
        }),
      },
    ];
  });
  const table = {
    id: "seeds",
    title: "Steerability by seed",
    rows,
    columns: [
      column<SeedRow>("set", (r) => shortName(r.dataset)),
      column<SeedRow>("seed", (r) => String(r.seed)),
      column<SeedRow>("mean slope", (r) => withInterval(r)),
      column<SeedRow>("slope ≤ 0", antiText),
    ],
  };
  return { experiment: "seeds", title: "Stability", figures, tables: [table] };
}

export function sizesSection(study: StudyData): ReportSection | undefined {
  const rows = trainingSizes(study);
  if (rows.length === 0) return undefined;
  const figures = groupsOf(study.groups).flatMap((group): ReportFigure[] => {
    const its = inGroup(rows, group);
    if (its.length === 0) return [];
    const least = Math.min(...its.map((r) => r.train));
    const ofAll = [...new Map(its.map((r) => [r.dataset, r])).values()]; // a set's last row is that of all items
    const few = its.filter((r) => r.train === least);
    const most = [...new Set(ofAll.map((r) => r.train))].sort((a, b) => a - b);
    return [
      {
        id: `sizes${group.suffix}`,
        title: `How many training items does a vector need? (${group.label})`,
        says: `Over all sets the mean slope is ${number(mean(few.map((r) => r.mean)))} with ${least} training items and ${number(mean(ofAll.map((r) => r.mean)))} with all of them (${most.join(", ")}).`,
        n: itemsOf(ofAll),
        interval: `line: mean with ${overItems(study)}`,
        spec: panelChart({
          points: its.map((r) => ({ ...r, panel: shortName(r.dataset), x: r.train })),
          bands: [],
          bandColours: {},
          order: byMean(ofAll),
          x: "training items",
          y: "mean steerability",
          line: "vector",
        }),
      },
    ];
  });
  const table = {
    id: "sizes",
    title: "Steerability by number of training items",
    rows,
    columns: [
      column<SizeRow>("set", (r) => shortName(r.dataset)),
      column<SizeRow>("training items", (r) => String(r.train)),
      column<SizeRow>("mean slope", (r) => withInterval(r)),
    ],
  };
  return { experiment: "sizes", title: "Training items", figures, tables: [table] };
}
