/** Sections across prompt settings and models: E5, E6, E7, E8, E12, E13, E15. From experiments' rows to figures. */
import { type CosineRow, cosines, cosineTrends, type NamedDirection, unitDirections } from "../experiments/cosines.ts";
import { type ModelPairRow, modelCorrelations, modelPoints } from "../experiments/models.ts";
import {
  PUBLISHED_HOME,
  PUBLISHED_MODELS,
  PUBLISHED_PAIRS,
  PUBLISHED_SHIFT,
  PUBLISHED_SHIFTS,
  PUBLISHED_TRANSFER,
  PUBLISHED_VARIANCE_SHIFTS,
} from "../experiments/published.ts";
import { type CrossRow, SHIFTS, shiftCorrelations } from "../experiments/shifts.ts";
import type { StudyData } from "../experiments/studyData.ts";
import { type TransferCorrelation, transferCorrelations, transfers } from "../experiments/transfer.ts";
import { mean } from "../statistics/descriptive.ts";
import { column, type Group, groupsOf, inGroup, type ReportFigure, type ReportSection } from "./content.ts";
import { number, percent, plural, pValue, shortName, span } from "./names.ts";
import { heatChart, scatterChart } from "./planeCharts.ts";
import { awayTable, shiftFigure } from "./sectionsShifts.ts";
import { clusterInterval, correlationInterval, itemsOf, overItems, rhoText, wholeSets } from "./sectionsText.ts";

/** Groups with names, whatever groups their rows come from. */
function eachGroup(study: StudyData, figures: (group: Group) => ReportFigure[]): ReportFigure[] {
  return groupsOf(study.groups).flatMap(figures);
}

export function shiftsSection(study: StudyData, cross: readonly CrossRow[]): ReportSection | undefined {
  const rows = shiftCorrelations(study, cross);
  if (rows.length === 0) return undefined;
  const figures = eachGroup(study, (group) => shiftFigure(study, group, inGroup(rows, group), cross));
  const named = rows.map((r) => {
    const key = `${r.train}→${r.test}`;
    const [paper, variance] = [PUBLISHED_SHIFTS[key], PUBLISHED_VARIANCE_SHIFTS[key]];
    return {
      ...r,
      paperLlama2: paper?.llama2 ?? Number.NaN,
      paperQwen15: paper?.qwen15 ?? Number.NaN,
      paperAwayLlama2: paper?.away[0] ?? Number.NaN,
      paperAwayQwen15: paper?.away[1] ?? Number.NaN,
      paperNegativeLlama2: paper?.negative[0] ?? Number.NaN,
      paperNegativeQwen15: paper?.negative[1] ?? Number.NaN,
      paperVarianceLlama2: variance?.llama2 ?? Number.NaN,
      paperVarianceQwen15: variance?.qwen15 ?? Number.NaN,
    };
  });
  type Row = (typeof named)[number];
  const table = {
    id: "E5-shifts",
    title: `Steerability at home and under a shift (paper's headline: ρ = ${PUBLISHED_SHIFT.llama2} Llama-2-7b, ${PUBLISHED_SHIFT.qwen15} Qwen-1.5-14b [P]; at home ${PUBLISHED_HOME.join(" / ")} [F])`,
    rows: named,
    columns: [
      column<Row>("model", (r) => `${r.model} · ${r.format}`),
      column<Row>("shift", (r) => `${r.train}→${r.test}`),
      column<Row>("sets", (r) => String(r.sets)),
      column<Row>("ρ of means", (r) => `${rhoText(r)}, ${pValue(r.p)}`),
      column<Row>("paper, Llama-2 / Qwen-1.5 [F]", (r) => `${number(r.paperLlama2)} / ${number(r.paperQwen15)}`),
      column<Row>("home → away", (r) => `${number(r.home)} → ${number(r.away)}`),
      column<Row>("paper, away [F]", (r) => `${number(r.paperAwayLlama2)} / ${number(r.paperAwayQwen15)}`),
      column<Row>("away < 0", (r) => percent(r.negative)),
      column<Row>("paper [F]", (r) => `${percent(r.paperNegativeLlama2)} / ${percent(r.paperNegativeQwen15)}`),
      column<Row>("beyond random vectors away", (r) =>
        r.controlled > 0 ? `${r.beyondRandom} of ${r.controlled}` : "—",
      ),
      column<Row>("ρ of variances", (r) => rhoText({ rho: r.rhoVariance, low: r.lowVariance, high: r.highVariance })),
      column<Row>("paper [F]", (r) => `${number(r.paperVarianceLlama2)} / ${number(r.paperVarianceQwen15)}`),
    ],
  };
  return {
    experiment: "E5",
    title: "At home and under a shift of the prompt",
    figures,
    tables: [table, ...awayTable(study, cross)],
  };
}

export function matrixSection(study: StudyData, cross: readonly CrossRow[]): ReportSection {
  const figures = eachGroup(study, (group) => [
    ...matrixFigure(study, group, cross),
    ...meanVarianceFigure(group, cross),
  ]);
  const table = { id: "E15-matrix", title: "Every vector under every setting", rows: cross, columns: [] };
  return { experiment: "E15", title: "Every setting's vector under every setting", figures, tables: [table] };
}

function matrixFigure(study: StudyData, group: Group, cross: readonly CrossRow[]): ReportFigure[] {
  // RAW is no prompt setting: its run has other items, and its vector is tested at home only
  const its = wholeSets(inGroup(cross, group).filter((r) => r.test !== "RAW" && r.train !== "RAW"));
  const [trains, tests] = [[...new Set(its.map((r) => r.train))], [...new Set(its.map((r) => r.test))]];
  if (trains.length * tests.length < 2) return [];
  const cells = trains.flatMap((train) =>
    tests.map((test) => {
      const found = its.filter((r) => r.train === train && r.test === test);
      return { row: train, column: test as string, value: mean(found.map((r) => r.mean)) };
    }),
  );
  const own = mean(cells.filter((c) => c.row === c.column).map((c) => c.value));
  const others = cells.filter((c) => c.row !== c.column && c.row !== "mean" && Number.isFinite(c.value));
  return [
    {
      id: `E15-matrix${group.suffix}`,
      title: `Mean steerability by training and test setting (${group.label})`,
      says: `Vectors steer ${number(own)} logits on average under the setting they come from, and ${number(mean(others.map((c) => c.value)))} under others (the mean of the five apart).`,
      n: itemsOf(its),
      interval: `none shown; the CSV table has one for every set (${overItems(study)})`,
      spec: heatChart({
        cells,
        rows: trains,
        columns: tests,
        rowTitle: "trained under",
        columnTitle: "tested under",
        legend: "mean slope",
        diverging: true,
      }),
    },
  ];
}

function meanVarianceFigure(group: Group, cross: readonly CrossRow[]): ReportFigure[] {
  const wanted = [{ train: "BASE", test: "BASE" }, ...SHIFTS];
  const points = wanted.flatMap(({ train, test }) =>
    wholeSets(inGroup(cross, group))
      .filter((r) => r.train === train && r.test === test)
      .map((r) => ({ panel: "", kind: `${train}→${test}`, label: shortName(r.dataset), x: r.mean, y: r.variance })),
  );
  const kinds = [...new Set(points.map((p) => p.kind))];
  if (points.length < 3) return [];
  return [
    {
      id: `E13-mean-variance${group.suffix}`,
      title: `Do steerable sets vary more? (${group.label})`,
      says: "Each point is a set: to the right it is steered more, upward its items differ more.",
      n: `${plural(points.length, "point")}: sets by shift`,
      interval: "none; the table of E15 has the means' intervals",
      spec: scatterChart({ points, x: "mean slope", y: "variance of slopes", kinds }),
    },
  ];
}

export function modelsSection(study: StudyData, cross: readonly CrossRow[]): ReportSection | undefined {
  const rows = modelCorrelations(study, cross);
  if (rows.length === 0) return undefined;
  const points = modelPoints(study, "mean", cross);
  const pairs = [...new Map(points.map((p) => [`${p.first} ${p.second} ${p.format}`, p])).values()];
  const figures = pairs.map(({ first, second, format }, i): ReportFigure => {
    const its = points.filter((p) => p.first === first && p.second === second && p.format === format);
    const row = rows.find((r) => r.first === first && r.second === second && r.format === format && r.of === "mean")!;
    return {
      id: `E6-models${pairs.length > 1 ? `-${i + 1}` : ""}`,
      title: `The same sets in two models (${format})`,
      says: `If steerability belonged to the dataset alone, all points would lie on a rising line (dashed: the same in both models; solid: least squares); their rank correlation is ${rhoText(row)}.`,
      n: plural(row.sets, "set"),
      interval: `of points: ${overItems(study)}; of the correlation, in the table: ${correlationInterval(study, row.sets)}`,
      spec: scatterChart({
        points: its.map((p) => ({ ...p, panel: p.shift, kind: "set", label: shortName(p.dataset) })),
        x: first,
        y: second,
        kinds: ["set"],
        diagonal: true,
        regression: "set",
      }),
    };
  });
  const table = {
    id: "E6-models",
    title: `Agreement of models (paper's column: Llama-2 and Qwen-1.5, means [P], variances [F]; of means also ${PUBLISHED_PAIRS} [F])`,
    rows,
    columns: [
      column<ModelPairRow>("models", (r) => `${r.first}, ${r.second}`),
      column<ModelPairRow>("format", (r) => r.format),
      column<ModelPairRow>("shift", (r) => r.shift),
      column<ModelPairRow>("of", (r) => r.of),
      column<ModelPairRow>("ρ", (r) => `${rhoText(r)}, ${pValue(r.p)}`),
      column<ModelPairRow>("paper", (r) => number(PUBLISHED_MODELS[r.of][r.shift], 3)),
    ],
  };
  return { experiment: "E6", title: "Across models", figures, tables: [table] };
}

export function transferSection(study: StudyData): ReportSection | undefined {
  const rows = transfers(study).filter((r) => Number.isFinite(r.relative));
  const found = transferCorrelations(study, rows);
  if (found.length === 0) return undefined;
  const figures = eachGroup(study, (group) => {
    const [its, rhos] = [inGroup(rows, group), inGroup(found, group)];
    const without = rhos.find((r) => r.selfPairs === "without");
    if (!without) return [];
    const withSelf = rhos.find((r) => r.selfPairs === "with")!;
    return [
      {
        id: `E7-transfer${group.suffix}`,
        title: `Do vectors transfer between like behaviours? (${group.label})`,
        says: `The rank correlation of distance and transfer is ${number(without.rho)} between different settings, and ${number(withSelf.rho)} with the pairs of a setting with itself, which lie at (0, 1) by definition and which the paper counted. Solid: least squares through pairs of different settings.`,
        n: `${without.pairs} pairs of settings of ${plural(without.sets, "set")}, own slope above 0.25`,
        interval: `of correlations, in the table: ${clusterInterval(study, without.sets)}`,
        spec: scatterChart({
          points: its.map((r) => ({
            panel: "",
            kind: r.self ? "setting with itself" : "two settings",
            label: `${shortName(r.dataset)} ${r.train}→${r.test}`,
            x: r.distance,
            y: r.relative,
          })),
          x: "distance of unsteered behaviour (logits)",
          y: "relative steerability",
          kinds: ["two settings", "setting with itself"],
          regression: "two settings",
        }),
      },
    ];
  });
  const table = {
    id: "E7-transfer",
    title: "Distance and transfer",
    rows: found,
    columns: [
      column<TransferCorrelation>("model", (r) => `${r.model} · ${r.format}`),
      column<TransferCorrelation>("self pairs", (r) => r.selfPairs),
      column<TransferCorrelation>("pairs", (r) => String(r.pairs)),
      column<TransferCorrelation>("sets", (r) => String(r.sets)),
      column<TransferCorrelation>("ρ", rhoText),
      column<TransferCorrelation>("paper, Llama-2 / Qwen-1.5 [P]", (r) =>
        r.selfPairs === "with" ? `${number(PUBLISHED_TRANSFER.llama2!)} / ${number(PUBLISHED_TRANSFER.qwen15!)}` : "—",
      ),
    ],
  };
  const pairs = { id: "E7-pairs", title: "Distance and transfer of every pair", rows, columns: [] };
  return { experiment: "E7", title: "Behaviour and transfer", figures, tables: [table, pairs] };
}

export function cosinesSection(study: StudyData, given: readonly NamedDirection[] = []): ReportSection | undefined {
  const rows = cosines(study, [...unitDirections(study), ...given]);
  const figures = eachGroup(study, (group) => cosineFigure(group, inGroup(rows, group)));
  if (figures.length === 0) return undefined;
  const trends = cosineTrends(study, rows);
  const tables = [
    {
      id: "E8-trends",
      title: "Distance of unsteered behaviour and cosine of vectors",
      rows: trends,
      columns: [
        column<(typeof trends)[number]>("model", (r) => `${r.model} · ${r.format}`),
        column<(typeof trends)[number]>("pairs", (r) => String(r.pairs)),
        column<(typeof trends)[number]>("sets", (r) => String(r.sets)),
        column<(typeof trends)[number]>("ρ", rhoText),
      ],
    },
    { id: "E8-cosines", title: "Cosines of every set's vectors", rows, columns: [] },
  ].filter((t) => t.rows.length > 0);
  return { experiment: "E8", title: "How alike are the vectors?", figures, tables };
}

function cosineFigure(group: Group, all: readonly CosineRow[]): ReportFigure[] {
  const rows = wholeSets(all);
  const names = [...new Set(rows.map((r) => r.first))];
  if (names.length < 2) return [];
  const cells = names.flatMap((row) =>
    names.map((column) => ({
      row,
      column,
      value: mean(rows.filter((r) => r.first === row && r.second === column).map((r) => r.cosine)),
    })),
  );
  const others = cells.filter((c) => c.row !== c.column).map((c) => c.value);
  return [
    {
      id: `E8-cosines${group.suffix}`,
      title: `Cosines of the settings' vectors (${group.label}, layer ${rows[0]!.layer})`,
      says: `1 means that two settings give the same direction; on average over sets others are at ${span(others)}.`,
      n: `mean over ${plural(new Set(rows.map((r) => r.dataset)).size, "set")}`,
      interval: "none; the CSV table has every set",
      spec: heatChart({
        cells,
        rows: names,
        columns: names,
        rowTitle: "",
        columnTitle: "",
        legend: "cosine",
        diverging: true,
        most: 1,
      }),
    },
  ];
}
