/**
 * Gives every dumped kernel to Naga, the WGSL compiler of Firefox and of wgpu: what Dawn takes need not be WGSL. Runs in Deno,
 * whose WebGPU is wgpu: `npm run kernels:naga`. Modules only: SwiftShader needs gigabytes to make pipelines of what Naga writes.
 * Kernels for features that Naga has not yet are counted, not checked.
 */
import { readdirSync, readFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";

const NOT_IN_NAGA =
  /enable-extension specifies standard functionality which is not yet implemented|chromium_experimental/;

const folder = fileURLToPath(new URL("../.tmp/wgsl/", import.meta.url));
const adapter = await navigator.gpu.requestAdapter();
if (!adapter) {
  console.error("no Vulkan adapter: VK_ICD_FILENAMES names a driver (SwiftShader comes with Chromium)");
  process.exit(4);
}
const requiredFeatures = ["shader-f16"].filter((name) => adapter.features.has(name));
const device = await adapter.requestDevice({ requiredFeatures });
const counts = { good: 0, later: 0, bad: 0 };
for (const name of readdirSync(folder)) {
  const code = readFileSync(folder + name, "utf8");
  device.pushErrorScope("validation");
  device.createShaderModule({ code });
  const error = await device.popErrorScope();
  const needsF16 = /^enable f16/m.test(code) && requiredFeatures.length === 0;
  if (error && (needsF16 || NOT_IN_NAGA.test(error.message))) counts.later++;
  else if (error) {
    counts.bad++;
    console.error(`${name}: ${error.message}`);
  } else counts.good++;
}
console.log(`Naga: ${counts.good} kernels compile, ${counts.bad} do not, ${counts.later} need features it has not`);
process.exit(counts.bad > 0 || counts.good === 0 ? 1 : 0);
