/**
 * The GPU that tests run on: a software adapter through Dawn in Node (SwiftShader, which Debian's Chromium brings along, where
 * the environment names no other Vulkan driver), or with TRIMTAB_GPU=hardware the machine's own. Importing this file names
 * SwiftShader's driver to the process. Absent: see needs.ts.
 */
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { createWebgpuBackend, type WebgpuBackend, type WebgpuBackendOptions } from "../../src/kernels/index.ts";
import type { Need } from "./needs.ts";

const SWIFTSHADER = "/usr/lib/chromium/vk_swiftshader_icd.json";

export const testAdapter = process.env.TRIMTAB_GPU === "hardware" ? "hardware" : "software";

const named = process.env.VK_DRIVER_FILES ?? process.env.VK_ICD_FILENAMES;
if (named === undefined && testAdapter === "software" && existsSync(SWIFTSHADER)) {
  process.env.VK_ICD_FILENAMES = SWIFTSHADER;
  process.env.VK_DRIVER_FILES = SWIFTSHADER;
}

process.env.XDG_RUNTIME_DIR ??= tmpdir(); // or the driver complains on stderr

async function whyNot(): Promise<string | undefined> {
  try {
    (await createWebgpuBackend({ adapter: testAdapter })).dispose();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

const lack = await whyNot();

export const needGpu: Need = {
  ok: lack === undefined,
  reason: `no ${testAdapter} GPU${testAdapter === "software" ? " (apt-get install chromium brings one)" : ""}: ${lack}`,
};

/** A backend on that GPU; several in one process have a device each. */
export function testGpu(o: Omit<WebgpuBackendOptions, "adapter" | "device"> = {}): Promise<WebgpuBackend> {
  return createWebgpuBackend({ adapter: testAdapter, ...o });
}
