/**
 * Writes the WGSL of every GPU kernel that the op-case table reaches, as the device gets it, to a folder (default .tmp/wgsl):
 * once as a device without optional features lowers it and once with all of them. Needs the build, and no GPU. Fails where
 * two kernels share a key.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildCase } from "../dist/kernels/opCase.js";
import { opCases } from "../dist/kernels/opCases.js";
import { uploadMatrix } from "../dist/kernels/webgpu/gpuMatrix.js";
import { lowerCalls } from "../dist/kernels/webgpu/lower.js";

const folder = process.argv[2] ?? fileURLToPath(new URL("../.tmp/wgsl", import.meta.url));

const limits = {
  maxBufferSize: 2 ** 30,
  maxStorageBufferBindingSize: 2 ** 30,
  maxStorageBuffersPerShaderStage: 16,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupStorageSize: 32768,
  maxComputeWorkgroupsPerDimension: 65535,
};
const plain = {
  f16: false,
  subgroups: undefined,
  subgroupMatrix: [],
  language: new Set(),
  software: false,
  vendor: "",
  architecture: "",
  limits,
};
const matrixConfig = { componentType: "f16", resultComponentType: "f32", M: 16, N: 16, K: 16 };
const DEVICES = [
  plain,
  { ...plain, software: true },
  { ...plain, software: true, subgroups: { min: 4, max: 4 } },
  {
    ...plain,
    f16: true,
    subgroups: { min: 32, max: 32 },
    subgroupMatrix: [matrixConfig],
    language: new Set(["packed_4x8_integer_dot_product", "subgroup_id"]),
  },
];

/** A backend that holds nothing: enough for cases to be recorded and lowered. */
const memory = {
  mostBytes: limits.maxStorageBufferBindingSize,
  create: (bytes) => ({ gpu: undefined, bytes, id: 0 }),
  destroy() {},
  write() {},
};
const backend = {
  name: "webgpu",
  alloc: (bytes, label) => ({ bytes, label, block: undefined }),
  free() {},
  createMatrix: (label, parts) => uploadMatrix(memory, label, parts),
  freeMatrix() {},
  write() {},
  release() {},
};

const texts = new Map();
for (const opCase of opCases()) {
  const { calls } = buildCase(opCase, backend);
  const [{ op, qkv, heads, positions: slots, cos, sin }] = calls;
  // the caches here are any tensors: no table row has rope and storeKv together, which one kernel does
  if (op === "rope") calls.push({ op: "storeKv", qkv, heads, slots, kCache: cos, vCache: sin }, ...calls);
  for (const device of DEVICES) {
    for (const { key, code } of lowerCalls(calls, { device, gpuMatrix: (m) => m })) {
      const text = code();
      if (texts.has(key) && texts.get(key) !== text) throw new Error(`two kernels have the key "${key}"`);
      texts.set(key, text);
    }
  }
}

rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
for (const [key, text] of texts) {
  writeFileSync(join(folder, `${key.replace(/[^\w.=+-]+/g, "_")}.wgsl`), `// ${key}\n${text.trim()}\n`);
}
console.log(`${texts.size} kernels in ${folder}`);
