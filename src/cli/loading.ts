/**
 * Loading for commands: a model with progress on stderr, the vectors to steer it with, the device it computes on. Knows the
 * flags that say which, not what a command does with the model.
 */
import { type CpuBackend, createCpuBackend } from "../kernels/index.ts";
import { resolveModel } from "../model/hub/index.ts";
import type { LoadOptions, LoadProgress } from "../model/index.ts";
import { loadModel, type SteerableModel } from "../steering/index.ts";
import type { Cli, ModelFlags, SourceFlags, SteerFlags } from "./flags.ts";
import { type Progress, showBytes, showMs, type Terminal } from "./terminal.ts";
import { checkVectors, foreignVectors, type LoadedVector, readVectors } from "./vectorFlags.ts";

/** The model and the vectors to steer it with; vectors are read first, since that is quick. */
export async function loadSteered(
  cli: Cli,
  f: ModelFlags & SteerFlags,
): Promise<{ model: SteerableModel; vectors: LoadedVector[] }> {
  const vectors = await readVectors(f.vector ?? [], f.layer);
  const model = await load(cli, f);
  checkVectors(vectors, model);
  for (const warning of foreignVectors(vectors, model)) cli.terminal.warn(warning);
  for (const { file, vector, scale } of vectors) {
    cli.terminal.detail(
      `${file}: ${vector.hook}, length ${vector.norm.toPrecision(4)} × ${scale}, ${f.positions} positions`,
    );
  }
  return { model, vectors };
}

/** Loads the model with progress on stderr. */
export async function load(cli: Cli, f: ModelFlags): Promise<SteerableModel> {
  const { device, context } = f;
  const watch = watchLoading(cli.terminal);
  try {
    const options = { ...sourceOptions(cli, f), context, onProgress: watch.onProgress };
    const model = await loadModel(f.model, {
      ...options,
      ...(device === "webgpu" ? { device } : { backend: cpu(f) }),
    });
    watch.end();
    const { config, context: most, loadMs } = model;
    const facts = `${config.architecture}, ${config.L} layers, ${deviceText(model)}, context ${most}`;
    cli.terminal.detail(`${model.name}: ${facts}, loaded in ${showMs(loadMs)}`);
    return model;
  } finally {
    watch.end();
  }
}

/** What computed, for JSON output. */
export function deviceFacts({ backend: { name, caps } }: SteerableModel): {
  name: string;
  tier: string;
  threads: number;
} {
  return { name, tier: caps.tier, threads: caps.threads };
}

/** wasm-simd+fma, 2 threads */
export function deviceText({ backend: { caps } }: SteerableModel): string {
  return `${caps.tier}, ${caps.threads} thread${caps.threads === 1 ? "" : "s"}`;
}

/** Downloads a model unless it is there. */
export async function pull(cli: Cli, f: SourceFlags): Promise<Awaited<ReturnType<typeof resolveModel>>> {
  const watch = watchLoading(cli.terminal);
  try {
    return await resolveModel(f.model, { ...sourceOptions(cli, f), onProgress: watch.onProgress });
  } finally {
    watch.end();
  }
}

/** A program of its own may switch on relaxed SIMD for the whole process; a library may not. */
function cpu({ threads, revectorize }: ModelFlags): CpuBackend {
  return createCpuBackend({ setV8Flags: true, threads, revectorize });
}

export function sourceOptions(cli: Cli, f: SourceFlags): Pick<LoadOptions, "revision" | "offline" | "signal"> {
  return { revision: f.revision, offline: f.offline, signal: cli.interrupt.signal };
}

/** Shows downloads file by file, then the loading of weights. */
export function watchLoading(terminal: Terminal): { onProgress: (event: LoadProgress) => void; end: () => void } {
  let shown: { label: string; progress: Progress } | undefined;
  const at = (label: string, show?: (value: number) => string): Progress => {
    if (shown?.label === label) return shown.progress;
    shown?.progress.end();
    shown = { label, progress: terminal.progress(label, show) };
    return shown.progress;
  };
  return {
    onProgress: (event) => {
      if (event.type === "download") {
        at(`downloading ${event.file}`, showBytes).update(event.loadedBytes, event.totalBytes);
      } else if (terminal.animated) at("loading weights").update(event.done, event.total);
    },
    end: () => shown?.progress.end(),
  };
}
