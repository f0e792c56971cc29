/**
 * `npm run bench -- gpu`: the kernels of the WebGPU backend beside the measured roofline of the adapter, with their dispatches,
 * then the model with and without hooks. Sizes follow the adapter: what takes a GPU milliseconds takes SwiftShader minutes.
 */
import { parseArgs } from "node:util";
import { buildCase, type OpCase } from "../src/kernels/opCase.ts";
import { attentionCase } from "../src/kernels/opCaseAttention.ts";
import { linearCase, normCase } from "../src/kernels/opCases.ts";
import { WebgpuBackend } from "../src/kernels/webgpu/backend.ts";
import { openGpuDevice } from "../src/kernels/webgpu/device.ts";
import { GpuClock } from "./gpuClock.ts";
import { benchGpuModel, type ModelLoad } from "./gpuModel.ts";
import { type GpuRoofline, measureGpuRoofline } from "./gpuRoofline.ts";
import { compare, environment, print, type Report, type Row, save } from "./report.ts";

const USAGE = `usage: npm run bench -- gpu [--filter TEXT] [--model MODEL | --no-model] [--rounds N] [--robust]
                            [--json FILE] [--compare FILE]
TRIMTAB_GPU=software takes a software adapter, which VK_ICD_FILENAMES names. --robust keeps Dawn's clamps of indices.`;

/** [N, K] of SmolLM2-135M's products: q|k|v, out, gate|up, down. */
const MODEL_SHAPES = [
  [960, 576],
  [576, 576],
  [3072, 576],
  [576, 1536],
] as const;
const HEADS = { H: 9, Hkv: 3, Dh: 64 };

function gpuCases(software: boolean): OpCase[] {
  const T = software ? 64 : 1024;
  const square = (n: number, dtype: "f32" | "f16"): OpCase => linearCase({ dtype, T: n, N: n, K: n });
  const dtypes = software ? (["f32", "q4_1"] as const) : (["f32", "f16", "bf16", "q8_0", "q4_1"] as const);
  const products = [1, T].flatMap((rows) =>
    MODEL_SHAPES.flatMap(([N, K]) => dtypes.map((dtype) => linearCase({ dtype, T: rows, N, K }))),
  );
  const attention = (rows: number, past: number): OpCase =>
    attentionCase({ heads: HEADS, seqs: [{ rows, past, prefix: 0 }], window: 0 });
  return [
    square(512, "f32"),
    ...(software ? [] : [square(4096, "f32"), square(4096, "f16")]),
    ...products,
    linearCase({ dtype: "q8_0", T: 1, N: 49152, K: 576 }),
    ...[attention(T, 0), attention(1, 511), ...(software ? [] : [attention(1, 4095)])],
    normCase({ kind: "rms", T, D: 576, form: "gain" }),
  ];
}

async function benchKernels(
  backend: WebgpuBackend,
  clock: GpuClock,
  roof: GpuRoofline,
  cases: readonly OpCase[],
): Promise<Row[]> {
  const rows: Row[] = [];
  for (const c of cases) {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${c.name}`);
    const built = buildCase(c, backend);
    const before = backend.gpuCounters.dispatches;
    backend.run(built.calls);
    const dispatches = backend.gpuCounters.dispatches - before;
    const { buffer } = built.tensors.get(built.outputs[0]!)!;
    const ms = await clock.best(
      () => backend.run(built.calls),
      () => backend.read(buffer, 0, 4),
      50,
      5,
    );
    built.dispose();
    const [gflops, gbytes] = [c.flops / ms / 1e6, c.bytes / ms / 1e6];
    const also = {
      "GFLOP/s": gflops,
      "of peak": gflops / roof.gflops,
      "GB/s": gbytes,
      "of copy": gbytes / roof.gbytesPerSecond,
      dispatches,
    };
    rows.push({ name: c.name, unit: "ms", value: ms, also });
  }
  return rows;
}

/** @returns the exit code. */
export async function benchGpu(args: readonly string[]): Promise<number> {
  const { values: o } = parseArgs({
    args: [...args],
    options: {
      filter: { type: "string", default: "" },
      model: { type: "string", short: "m", default: "smollm2-135m" },
      "no-model": { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
      robust: { type: "boolean", default: false },
      json: { type: "string" },
      compare: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (o.help) {
    console.log(USAGE);
    return 0;
  }
  const opened = await openGpuDevice({ robustness: o.robust });
  const { software, architecture, subgroups } = opened.features;
  const backend = new WebgpuBackend(opened, true);
  const clock = new GpuClock(opened.device);
  const roof = await measureGpuRoofline(opened.device, opened.features, clock);
  const cases = gpuCases(software).filter((c) => c.name.includes(o.filter));
  const rows = await benchKernels(backend, clock, roof, cases);
  const load: ModelLoad = software
    ? { prefillTokens: 16, decodeTokens: 8, rounds: Number(o.rounds) }
    : { prefillTokens: 256, decodeTokens: 64, rounds: Number(o.rounds) };
  if (!o["no-model"]) rows.push(...(await benchGpuModel(o.model, backend, load, roof)));
  backend.dispose();
  const report: Report = {
    environment: environment({
      adapter: opened.description,
      architecture,
      tier: backend.caps.tier,
      subgroups: subgroups ? `${subgroups.min}-${subgroups.max}` : "none",
      robustness: String(o.robust),
      clock: clock.stamps ? "timestamp queries" : "wall",
      "peak GFLOP/s": Number(roof.gflops.toPrecision(3)),
      "copy GB/s": Number(roof.gbytesPerSecond.toPrecision(3)),
      "dispatch µs": Number((1000 * roof.dispatchMs).toPrecision(3)),
    }),
    rows,
  };
  print(report);
  if (o.json) save(report, o.json);
  return o.compare && !compare(report, o.compare) ? 1 : 0;
}
