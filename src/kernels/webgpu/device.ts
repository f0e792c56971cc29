/**
 * Opens a GPU device: finds the `GPU` object (the browser's, or Dawn's through the npm package `webgpu` in Node), chooses an
 * adapter, asks for all features that kernels may use and for limits up to what the adapter has, and describes the result.
 * Adapters that are a CPU in disguise are taken only where they were asked for. Knows no kernels.
 */
import { checkKeys, DeviceError, InputError, nearest } from "../../tensor/errors.ts";
import type { DeviceFeatures, GpuFeature, GpuLimits, SubgroupMatrixConfig } from "./kernel.ts";

export interface GpuDeviceOptions {
  /** `software` takes an adapter that runs on the CPU (SwiftShader, lavapipe); also by TRIMTAB_GPU=software. Default: `hardware`, the fastest. */
  readonly adapter?: "hardware" | "software";
  /** Optional features to do without, for tests of the paths that need none. */
  readonly without?: readonly GpuFeature[];
  /** False drops Dawn's clamps of array indices (Node only): faster, and for kernels that are known to be right. Default true. */
  readonly robustness?: boolean;
}

export const GPU_DEVICE_KEYS = ["adapter", "without", "robustness"] as const;

export interface GpuDevice {
  readonly device: GPUDevice;
  readonly features: DeviceFeatures;
  /** For people: `doctor`, benchmarks. */
  readonly description: string;
}

const WANTED_FEATURES = [
  "shader-f16",
  "subgroups",
  "timestamp-query",
  "chromium-experimental-subgroup-matrix",
] as const;

/** What every kernel may rely on; WebGPU's own defaults, which compatibility adapters may miss. */
const LEAST: GpuLimits = {
  maxBufferSize: 268435456,
  maxStorageBufferBindingSize: 134217728,
  maxStorageBuffersPerShaderStage: 8,
  maxComputeInvocationsPerWorkgroup: 256,
  maxComputeWorkgroupSizeX: 256,
  maxComputeWorkgroupStorageSize: 16384,
  maxComputeWorkgroupsPerDimension: 65535,
};
const LIMITS = Object.keys(LEAST) as (keyof GpuLimits)[];

/** @throws DeviceError where there is no adapter, only one that was not asked for, or one with too small limits. */
export async function openGpuDevice(o: GpuDeviceOptions = {}): Promise<GpuDevice> {
  checkKeys(o, GPU_DEVICE_KEYS, "webgpu device");
  const gpu = await findGpu(o.robustness ?? true);
  const adapter = await findAdapter(gpu, wantsSoftware(o.adapter));
  const limits = limitsOf(adapter.limits);
  const small = LIMITS.find((name) => limits[name] < LEAST[name]);
  if (small) {
    throw new DeviceError(
      `webgpu: adapter ${describe(adapter.info)} has ${small} ${limits[small]}, expected ${LEAST[small]} or more`,
      "use another adapter, or the CPU",
    );
  }
  const requiredFeatures = WANTED_FEATURES.filter(
    (f) => adapter.features.has(f) && !o.without?.includes(f as GpuFeature),
  ) as GPUFeatureName[];
  const device = await adapter.requestDevice({ requiredFeatures, requiredLimits: { ...limits } }).catch((cause) => {
    throw new DeviceError(
      `webgpu: adapter ${describe(adapter.info)} gave no device: ${cause.message}`,
      "use another adapter, or the CPU",
    );
  });
  const language = new Set<string>(gpu.wgslLanguageFeatures ?? []);
  return { device, features: featuresOf(device, adapter.info, language), description: describe(adapter.info) };
}

/** A device of the caller's own, described as `openGpuDevice` does. */
export function adoptGpuDevice(device: GPUDevice): GpuDevice {
  const info = device.adapterInfo;
  return { device, features: featuresOf(device, info, new Set()), description: describe(info) };
}

const ADAPTERS = ["hardware", "software"];

function wantsSoftware(asked: string | undefined): boolean {
  const named = (typeof process === "object" && process.env?.TRIMTAB_GPU) || undefined;
  const wanted = asked ?? named ?? "hardware";
  if (ADAPTERS.includes(wanted)) return wanted === "software";
  const near = nearest(String(wanted), ADAPTERS);
  const hint = near ? `did you mean "${near}"?` : 'adapters are "hardware" and "software"';
  throw new InputError(
    "E_OPTION",
    `${asked === undefined ? "TRIMTAB_GPU" : "adapter"} ${JSON.stringify(wanted)}`,
    hint,
  );
}

/**
 * Dawn's `GPU` objects by their options, for the life of the process: one that is collected while anything is pending takes
 * the process down with it (segmentation fault, webgpu 0.6.2).
 */
const held = Symbol.for("trimtab.gpus");
const gpus: Map<string, GPU> = ((globalThis as Record<symbol, unknown>)[held] ??= new Map()) as Map<string, GPU>;

async function findGpu(robustness: boolean): Promise<GPU> {
  const own = (globalThis as { navigator?: { gpu?: GPU } }).navigator?.gpu;
  if (own) return own;
  if (typeof process !== "object" || !process.versions?.node) {
    throw new DeviceError("webgpu: this browser has no navigator.gpu", "use a browser with WebGPU, or the CPU");
  }
  // f16 on NVIDIA and subgroup matrices are behind toggles in Dawn
  const dawn = ["allow_unsafe_apis", "vulkan_enable_f16_on_nvidia", ...(robustness ? [] : ["disable_robustness"])];
  const options = [`enable-dawn-features=${dawn.join(",")}`];
  const known = gpus.get(options.join());
  if (known) return known;
  const name = "webgpu"; // not a literal, so that bundlers for the browser leave it alone
  const { create } = (await import(name).catch((cause: Error) => {
    throw new DeviceError(
      `webgpu: the package "webgpu" cannot be loaded: ${cause.message}`,
      'install it beside trimtab ("npm install webgpu@0.6.2"), or use the CPU',
    );
  })) as { create(options: readonly string[]): GPU };
  const gpu = create(options);
  gpus.set(options.join(), gpu);
  return gpu;
}

async function findAdapter(gpu: GPU, software: boolean): Promise<GPUAdapter> {
  const found = await gpu.requestAdapter({ powerPreference: "high-performance", forceFallbackAdapter: software });
  // a driver that is itself a CPU need not call itself a fallback
  const adapter = found ?? (software ? await gpu.requestAdapter() : null);
  if (!adapter) {
    throw new DeviceError(
      "webgpu: no adapter was found",
      "install a Vulkan, Metal or D3D12 driver (VK_ICD_FILENAMES may name one), or use the CPU",
    );
  }
  const isSoftware = runsOnCpu(adapter.info);
  if (isSoftware === software) return adapter;
  throw software
    ? new DeviceError(
        `webgpu: a software adapter was asked for, and ${describe(adapter.info)} was found`,
        "name one by VK_ICD_FILENAMES (SwiftShader comes with Chromium), or leave out TRIMTAB_GPU and the option",
      )
    : new DeviceError(
        `webgpu: the only adapter is ${describe(adapter.info)}, which runs on the CPU`,
        'the CPU backend is faster; for tests, set TRIMTAB_GPU=software or give adapter: "software"',
      );
}

const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|basic render|\bsoftware\b/i;

function runsOnCpu(info: GPUAdapterInfo): boolean {
  const { isFallbackAdapter } = info as { isFallbackAdapter?: boolean };
  return isFallbackAdapter === true || SOFTWARE.test(`${info.architecture} ${info.description} ${info.device}`);
}

function describe(info: GPUAdapterInfo | undefined): string {
  const known = [info?.vendor, info?.architecture, info?.device, info?.description].filter(Boolean);
  return known.join(" ") || "(unnamed)";
}

function limitsOf(all: GPUSupportedLimits): GpuLimits {
  return Object.fromEntries(LIMITS.map((name) => [name, all[name]])) as unknown as GpuLimits;
}

function featuresOf(
  device: GPUDevice,
  info: GPUAdapterInfo | undefined,
  language: ReadonlySet<string>,
): DeviceFeatures {
  const has = (name: string): boolean => device.features.has(name);
  const { subgroupMinSize: min = 4, subgroupMaxSize: max = 128 } = info ?? {};
  return {
    f16: has("shader-f16"),
    subgroups: has("subgroups") ? { min, max } : undefined,
    subgroupMatrix: has("chromium-experimental-subgroup-matrix") ? matrixConfigs(info) : [],
    language,
    software: info !== undefined && runsOnCpu(info),
    vendor: info?.vendor ?? "",
    architecture: info?.architecture ?? "",
    limits: limitsOf(device.limits),
  };
}

/** Short name of what the device has, for `Capabilities`. */
export function tierName(f: DeviceFeatures): string {
  const parts = [f.f16 && "f16", f.subgroups && "subgroups", f.subgroupMatrix.length > 0 && "subgroup-matrix"];
  return ["webgpu", ...parts.filter(Boolean)].join("+");
}

/** The configurations are objects whose fields are getters, so they are copied by name. */
function matrixConfigs(info: GPUAdapterInfo | undefined): SubgroupMatrixConfig[] {
  const { subgroupMatrixConfigs = [] } = (info ?? {}) as { subgroupMatrixConfigs?: Iterable<SubgroupMatrixConfig> };
  return [...subgroupMatrixConfigs].map(({ componentType, resultComponentType, M, N, K }) => ({
    componentType,
    resultComponentType,
    M,
    N,
    K,
  }));
}
