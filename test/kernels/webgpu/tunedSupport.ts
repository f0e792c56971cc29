/**
 * Runs one lowering of an op case on the GPU of the tests and compares it with the float64 oracle: values, guard bytes, inputs.
 * The lowering is called directly, so that kernels which the backend would not choose on a CPU are tested as well.
 */
import { expect } from "vitest";
import type { OpCase } from "../../../src/kernels/opCase.ts";
import { WebgpuBackend } from "../../../src/kernels/webgpu/backend.ts";
import { type GpuDevice, openGpuDevice } from "../../../src/kernels/webgpu/device.ts";
import type {
  DeviceFeatures,
  Dispatch,
  GpuMatrix,
  LinearPart,
  LowerContext,
  Scratch,
} from "../../../src/kernels/webgpu/kernel.ts";
import { blockOf } from "../../../src/kernels/webgpu/memory.ts";
import type { BufferRef, OpCall } from "../../../src/tensor/backend.ts";
import { disagreements, runCase } from "../../support/agreement.ts";
import { testAdapter } from "../../support/gpu.ts";

export type Lower = (call: OpCall, ctx: LowerContext) => readonly Dispatch[];

export class KernelBench {
  readonly #pipelines = new Map<string, GPUComputePipeline>();

  private constructor(
    readonly opened: GpuDevice,
    readonly backend: WebgpuBackend,
    readonly context: LowerContext,
  ) {}

  /** `pretend` changes what lowering is told of the device, not the device. */
  static async open(pretend: Partial<DeviceFeatures> = {}): Promise<KernelBench> {
    const opened = await openGpuDevice({ adapter: testAdapter });
    const device = { ...opened.features, ...pretend };
    return new KernelBench(opened, new WebgpuBackend(opened, true), { device, gpuMatrix: (m) => m as GpuMatrix });
  }

  /** Encodes and submits the dispatches in one pass. */
  async run(dispatches: readonly Dispatch[]): Promise<void> {
    const { device } = this.opened;
    const scratch = new Map<number, GPUBuffer>();
    const bufferOf = (b: BufferRef | Scratch): GPUBuffer => {
      if (!("scratch" in b)) return blockOf(b).gpu;
      const known = scratch.get(b.scratch);
      if (known && known.size >= b.bytes) return known;
      const made = device.createBuffer({ size: b.bytes, usage: 128 });
      scratch.set(b.scratch, made);
      return made;
    };
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const d of dispatches) {
      if (d.grid.some((n) => n === 0)) continue;
      const pipeline = await this.#pipeline(d);
      const entries = d.bindings.map(({ buffer }, i) => ({ binding: i + 1, resource: { buffer: bufferOf(buffer) } }));
      const words = device.createBuffer({ size: Math.max(16, 4 * d.words.length), usage: 64 | 8 });
      device.queue.writeBuffer(words, 0, Uint32Array.from(d.words));
      pass.setPipeline(pipeline);
      pass.setBindGroup(
        0,
        device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: [{ binding: 0, resource: { buffer: words } }, ...entries],
        }),
      );
      pass.dispatchWorkgroups(...d.grid);
    }
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  async #pipeline(d: Dispatch): Promise<GPUComputePipeline> {
    const known = this.#pipelines.get(d.key);
    if (known) return known;
    const code = d.code();
    const module = this.opened.device.createShaderModule({ code });
    const pipeline = await this.opened.device
      .createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } })
      .catch((error: Error) => expect.fail(`${d.key}: ${error.message}\n${code}`));
    this.#pipelines.set(d.key, pipeline);
    return pipeline;
  }

  /** @returns the keys of the kernels that ran. `slack` widens the case's tolerance. */
  async check(c: OpCase, lower: Lower, slack = 1): Promise<string[]> {
    let dispatches: Dispatch[] = [];
    const got = await runCase(this.backend, c, (calls) => {
      dispatches = calls.flatMap((call) => lower(call, this.context));
      return this.run(dispatches);
    });
    const tolerance = { nmse: slack ** 2 * c.nmse, relative: slack * c.relative };
    expect(await disagreements(got, c, tolerance)).toEqual([]);
    return dispatches.map((d) => d.key);
  }
}

/** The parts of a `linear`, one a segment, as the backend makes them. */
export function linearParts(call: OpCall, ctx: LowerContext): LinearPart[] {
  if (call.op !== "linear") throw new Error(`${call.op} is no linear`);
  const { x, w, bias, act, residual, y, precision = "exact" } = call;
  const [N, K] = w.shape;
  const T = x.elems / K;
  return ctx.gpuMatrix(w).segments.map((segment) => ({ T, N, K, x, w: segment, bias, act, residual, y, precision }));
}
