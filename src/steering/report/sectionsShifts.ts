/** What E5 and E12 draw, and the sets away from home beside controls. From experiments' rows to figures. */
import { type CrossRow, SHIFTS, type ShiftRow, shiftPairs } from "../experiments/shifts.ts";
import type { StudyData } from "../experiments/studyData.ts";
import { mean } from "../statistics/descriptive.ts";
import { column, type Group, type ReportFigure, type ReportTable } from "./content.ts";
import { correlations, number, plural, shortName, span, withInterval } from "./names.ts";
import { scatterChart } from "./planeCharts.ts";
import { correlationInterval, overItems } from "./sectionsText.ts";

export function shiftFigure(
  study: StudyData,
  group: Group,
  rows: readonly ShiftRow[],
  cross: readonly CrossRow[],
): ReportFigure[] {
  if (rows.length === 0) return [];
  const of = (what: "mean" | "variance") =>
    SHIFTS.flatMap((shift) =>
      shiftPairs(cross, group, shift).map(({ home, away }) => ({
        panel: `${shift.train}→${shift.test}`,
        kind: "set",
        label: shortName(home.dataset),
        x: home[what],
        y: away[what],
        ...(what === "mean" ? { xLow: home.low, xHigh: home.high, yLow: away.low, yHigh: away.high } : {}),
      })),
    );
  const rhos = rows.map((r) => r.rho);
  const variances = rows.map((r) => r.rhoVariance);
  const n = `${plural(rows[0]!.sets, "set")}, ${plural(rows.length, "shift")}`;
  const [beyond, controlled] = [rows.map((r) => r.beyondRandom), rows.map((r) => r.controlled)];
  const against = controlled.every((count) => count > 0)
    ? ` In ${span(beyond, String)} of ${plural(Math.max(...controlled), "set")} the mean away lies beyond what random vectors do under the shift.`
    : "";
  return [
    {
      id: `E5-shifts${group.suffix}`,
      title: `Does a vector work under another prompt? (${group.label})`,
      says: `A set that steers well at home steers well away where its point lies near the dashed line (as much away as at home; solid: least squares): ${correlations(rhos)}${reach(rows)}, mean slope ${number(mean(rows.map((r) => r.home)))} at home and ${number(mean(rows.map((r) => r.away)))} away.${against}`,
      n,
      interval: `of points: ${overItems(study)}; of correlations, in the table: ${correlationInterval(study, rows[0]!.sets)}`,
      spec: scatterChart({
        points: of("mean"),
        x: "BASE→BASE",
        y: "under the shift",
        kinds: ["set"],
        diagonal: true,
        regression: "set",
      }),
    },
    {
      id: `E12-variance${group.suffix}`,
      title: `Is the spread the same under another prompt? (${group.label})`,
      says: `Each point compares a set's variance of steerability at home and away (dashed: the same; solid: least squares): ${correlations(variances)}.`,
      n,
      interval: `of correlations, in the table: ${correlationInterval(study, rows[0]!.sets)}`,
      spec: scatterChart({
        points: of("variance"),
        x: "variance BASE→BASE",
        y: "under the shift",
        kinds: ["set"],
        diagonal: true,
        regression: "set",
      }),
    },
  ];
}

/** How far the intervals of the correlations reach. */
function reach(rows: readonly ShiftRow[]): string {
  const known = rows.filter((r) => Number.isFinite(r.low));
  if (known.length === 0) return " (too few sets for an interval)";
  const [low, high] = [Math.min(...known.map((r) => r.low)), Math.max(...known.map((r) => r.high))];
  return ` (intervals within ${number(low)} to ${number(high)})`;
}

/** Every set away from home, beside what controls do there. */
export function awayTable(study: StudyData, cross: readonly CrossRow[]): ReportTable[] {
  const rows = study.groups.flatMap((group) =>
    SHIFTS.flatMap((shift) => shiftPairs(cross, group, shift).map(({ away }) => away)),
  );
  if (!rows.some((r) => r.randomVectors + r.shuffledVectors > 0)) return [];
  return [
    {
      id: "E5-away",
      title: "Steerability under a shift, beside controls of the vector of BASE under it",
      rows,
      columns: [
        column<CrossRow>("set", (r) => shortName(r.dataset)),
        column<CrossRow>("shift", (r) => `${r.train}→${r.test}`),
        column<CrossRow>("mean slope", (r) => withInterval(r)),
        column<CrossRow>("random vectors", (r) => `${number(r.randomLow)} … ${number(r.randomHigh)}`),
        column<CrossRow>("shuffled labels", (r) => `${number(r.shuffledLow)} … ${number(r.shuffledHigh)}`),
      ],
    },
  ];
}
