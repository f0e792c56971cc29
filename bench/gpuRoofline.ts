/**
 * What this adapter can do, measured: a loop of float32 multiply-adds in registers, a stream copy larger than the caches, and
 * dispatches that do nothing but wait for each other. Every GPU benchmark is given as a share of these. Knows no operation.
 */
import type { DeviceFeatures } from "../src/kernels/webgpu/kernel.ts";
import type { GpuClock } from "./gpuClock.ts";

export interface GpuRoofline {
  /** In 1e9 a second; a multiply-add counts two. */
  readonly gflops: number;
  /** Read and written bytes together. */
  readonly gbytesPerSecond: number;
  /** Of one dispatch of a pass that has to wait for the one before. */
  readonly dispatchMs: number;
}

const SUMS = 16;
const THREADS = 64;
/** As many as a decode step of the default model has. */
const DISPATCHES = 274;
const STORAGE_AND_COPY = 0x80 | 0x8;

/** Independent sums in scalars, as matmul keeps them. Their values cannot be foretold, or compilers would drop the loop. */
const fmaText = (rounds: number): string => /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let a = y[0];
  let b = y[1];
${Array.from({ length: SUMS }, (_, i) => `  var s${i} = f32(id.x + ${i}u);`).join("\n")}
  for (var i = 0u; i < ${rounds}u; i++) {
${Array.from({ length: SUMS }, (_, i) => `    s${i} = fma(s${i}, a, b);`).join("\n")}
  }
  y[id.x] = ${Array.from({ length: SUMS }, (_, i) => `s${i}`).join(" + ")};
}`;

const COPY_TEXT = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@compute @workgroup_size(${THREADS})
fn main(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
  let at = id.x + id.y * groups.x * ${THREADS}u;
  y[at] = x[at];
}`;

const COUNT_TEXT = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(1) fn main() { y[0] += 1u; }`;

export async function measureGpuRoofline(device: GPUDevice, f: DeviceFeatures, clock: GpuClock): Promise<GpuRoofline> {
  const [groups, rounds] = f.software ? [64, 256] : [8192, 2048];
  const copyBytes = f.software ? 16 << 20 : 128 << 20;
  const buffer = (size: number): GPUBuffer => device.createBuffer({ size, usage: STORAGE_AND_COPY });
  const [x, y] = [buffer(copyBytes), buffer(copyBytes)];
  const fmaMs = await timeText(device, clock, fmaText(rounds), [y], [groups, 1]);
  const copyGroups = copyBytes / 16 / THREADS;
  const width = Math.min(copyGroups, 32768);
  const copyMs = await timeText(device, clock, COPY_TEXT, [y, x], [width, copyGroups / width]);
  const countMs = await timeText(device, clock, COUNT_TEXT, [y], [1, 1], DISPATCHES);
  x.destroy();
  y.destroy();
  return {
    gflops: (2 * SUMS * rounds * groups * THREADS) / fmaMs / 1e6,
    gbytesPerSecond: (2 * copyBytes) / copyMs / 1e6,
    dispatchMs: countMs / DISPATCHES,
  };
}

async function timeText(
  device: GPUDevice,
  clock: GpuClock,
  code: string,
  buffers: readonly GPUBuffer[],
  grid: readonly [number, number],
  dispatches = 1,
): Promise<number> {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const run = (): void => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < dispatches; i++) pass.dispatchWorkgroups(...grid);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
  return clock.best(run, () => device.queue.onSubmittedWorkDone(), 50, 7);
}
