/**
 * What a sweep will do, found out before it does: datasets and models looked at, units planned, and what they will cost. Knows
 * no run directory.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { createCpuBackend } from "../kernels/index.ts";
import { openModel } from "../model/index.ts";
import { type Dataset, estimateUnit, loadDataset, type SteerableModel } from "../steering/index.ts";
import {
  checkModelLayers,
  type Manifest,
  type ManifestModel,
  makeManifest,
  type PlannedUnit,
  planUnits,
  studyOptions,
} from "../steering/runs/index.ts";
import { packageVersion } from "./doctorFacts.ts";
import type { Cli } from "./flags.ts";
import { load, sourceOptions } from "./loading.ts";
import type { ReadConfig, SweepFlags } from "./sweepFlags.ts";

export interface SweepPlan {
  readonly manifest: Manifest;
  readonly units: readonly PlannedUnit[];
  /** By the names that units have. */
  readonly datasets: ReadonlyMap<string, Dataset>;
}

/** @throws InputError naming what in the configuration cannot be done. */
export async function planSweep(cli: Cli, f: SweepFlags, { config, file }: ReadConfig): Promise<SweepPlan> {
  const byPlace = new Map<string, Dataset>();
  for (const from of config.datasets) byPlace.set(from, await loadDataset(from));
  const models: ManifestModel[] = [];
  for (const name of config.models) {
    const opened = await openModel(name, sourceOptions(cli, f));
    await opened.file.close();
    checkModelLayers(config, name, opened.config.L, file);
    models.push({ name, sha256: opened.sha256, layers: opened.config.L });
  }
  const units = planUnits(config, byPlace);
  const datasets = new Map([...byPlace.values()].map((dataset) => [dataset.name, dataset]));
  const manifest = makeManifest({
    trimtab: await packageVersion(),
    config,
    models,
    datasets: [...datasets.values()].map(({ name, sha256, format, items, licence }) => ({
      ...{ name, sha256, format, licence },
      items: items.length,
    })),
    units: units.map(({ id: _, ...key }) => key),
    device: deviceOf(f),
    gitCommit: await gitCommit(),
  });
  return { manifest, units, datasets };
}

function deviceOf({ device, threads, revectorize }: SweepFlags): string {
  if (device === "webgpu") return device;
  const backend = createCpuBackend({ setV8Flags: true, threads, revectorize });
  try {
    return backend.caps.tier;
  } finally {
    backend.dispose();
  }
}

/** Of the working directory; undefined where it is no repository or there is no git. */
async function gitCommit(): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)("git", ["rev-parse", "HEAD"]);
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}

export interface SweepCost {
  readonly units: number;
  readonly rows: number;
  /** Of evaluating; training adds a few percent. */
  readonly tokenLayerEvaluations: number;
  readonly estimatedSeconds: number;
  readonly estimatedBytes: number;
  /** Most rows that one pass runs together. */
  readonly mostRows: number;
}

/** Measured: doubles of random digits hardly compress, everything else does. */
const BYTES_PER_ROW = 22;
const BYTES_PER_PART = 3000;

/** Tokenises every unit, and times this model on this machine. @throws InputError of a unit that cannot be run. */
export async function estimateSweep(cli: Cli, f: SweepFlags, plan: SweepPlan): Promise<SweepCost> {
  const options = studyOptions(plan.manifest.config);
  const cost = {
    units: plan.units.length,
    rows: 0,
    tokenLayerEvaluations: 0,
    estimatedSeconds: 0,
    parts: 0,
    mostRows: 0,
  };
  for (const { name, layers } of plan.manifest.models) {
    const model = await load(cli, { ...f, model: name });
    const progress = cli.terminal.progress("planning");
    try {
      const perSecond = await tokenLayersPerSecond(model);
      const own = plan.units.filter((unit) => unit.model === name);
      for (const [i, { dataset, setting, seed }] of own.entries()) {
        const spec = { dataset: plan.datasets.get(dataset)!, setting, seed, options };
        const { evaluations, vocabularyRows, mostRows, resultRows } = estimateUnit(model, spec);
        cost.rows += resultRows;
        cost.tokenLayerEvaluations += evaluations;
        cost.estimatedSeconds += (evaluations + vocabularyRows * layersPerVocabulary(model)) / perSecond;
        cost.mostRows = Math.max(cost.mostRows, mostRows);
        cost.parts += options.layers === "all" ? layers : options.layers!.length;
        progress.update(i + 1, own.length);
        await new Promise((resolve) => setImmediate(resolve));
        cli.interrupt.signal.throwIfAborted();
      }
    } finally {
      progress.end();
      model.dispose();
    }
  }
  const { parts, ...facts } = cost;
  return { ...facts, estimatedBytes: parts * BYTES_PER_PART + cost.rows * BYTES_PER_ROW };
}

/** A log-probability needs the whole vocabulary, whose product costs as much as this many layers of one token. */
function layersPerVocabulary({ config: { D, F, H, Hkv, Dh, V } }: SteerableModel): number {
  return (D * V) / (2 * D * H * Dh + 2 * D * Hkv * Dh + 3 * D * F);
}

const PROBE_TOKENS = 192;

/** Prefill of some tokens, the second time: what a batch of tails costs too. */
async function tokenLayersPerSecond(model: SteerableModel): Promise<number> {
  const tokens = Array.from({ length: Math.min(PROBE_TOKENS, model.context - 1) }, (_, i) => (i * 37) % model.config.V);
  let ms = 0;
  for (let round = 0; round < 2; round++) {
    const started = performance.now();
    await model.generate(tokens, { maxTokens: 1, temperature: 0, precision: "exact" }).result();
    ms = performance.now() - started;
  }
  return (tokens.length * model.config.L) / (ms / 1000);
}
