/**
 * Benchmark reports: what was measured where, as a table on stdout and as JSON, and the comparison of two of them. Knows rows
 * and units, not what was run.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { arch, cpus, release, type } from "node:os";

export interface Row {
  readonly name: string;
  /** Smaller is better for "ms", larger for everything else. */
  readonly unit: "ms" | "tok/s" | "GFLOP/s" | "GB/s";
  readonly value: number;
  /** Further figures, such as the share of the roofline. */
  readonly also?: Readonly<Record<string, number>>;
}

export interface Report {
  readonly environment: Readonly<Record<string, string | number>>;
  readonly rows: readonly Row[];
}

export function environment(extra: Readonly<Record<string, string | number>>): Report["environment"] {
  const cpu = cpus()[0]?.model.trim() ?? "unknown";
  return {
    date: new Date().toISOString().slice(0, 10),
    cpu,
    cores: cpus().length,
    os: `${type()} ${release()} ${arch()}`,
    node: process.version,
    v8: process.versions.v8,
    ...extra,
  };
}

export function print(report: Report): void {
  console.log(
    Object.entries(report.environment)
      .map(([k, v]) => `${k}: ${v}`)
      .join(" · "),
  );
  const width = Math.max(...report.rows.map((r) => r.name.length));
  for (const { name, unit, value, also } of report.rows) {
    const more = Object.entries(also ?? {})
      .map(([k, v]) => `${k} ${number(v)}`)
      .join("  ");
    console.log(`${name.padEnd(width)}  ${number(value).padStart(10)} ${unit.padEnd(8)} ${more}`);
  }
}

function number(v: number): string {
  return Math.abs(v) >= 100 ? v.toFixed(0) : v.toPrecision(3);
}

export function save(report: Report, path: string): void {
  writeFileSync(path, `${JSON.stringify(report, null, 1)}\n`);
}

/** Prints the ratio of each row to the row of the same name in an older report; true if none is worse by `tolerance`. */
export function compare(report: Report, path: string, tolerance = 0.1): boolean {
  const before = new Map((JSON.parse(readFileSync(path, "utf8")) as Report).rows.map((r) => [r.name, r]));
  let ok = true;
  for (const row of report.rows) {
    const old = before.get(row.name);
    if (!old || old.unit !== row.unit) continue;
    const ratio = row.unit === "ms" ? old.value / row.value : row.value / old.value;
    const verdict = ratio < 1 - tolerance ? "SLOWER" : "";
    if (verdict) ok = false;
    console.log(`${row.name.padEnd(60)} ${ratio.toFixed(2)}x ${verdict}`);
  }
  return ok;
}
