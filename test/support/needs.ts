/**
 * What tests need and a machine may lack: the default model, ../shared, a build. Present: the test runs. Absent: it is
 * skipped with the reason in its title; with CI set, it fails. Knows paths only.
 */
import { existsSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, it } from "vitest";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const fixtures = join(root, "test", "fixtures");
/** The folder of goldens and datasets beside the repository, if it is there. */
export const shared: string | undefined = [resolve(root, "..", "shared")].find((p) => existsSync(join(p, "golden")));

export interface Need {
  readonly ok: boolean;
  readonly reason: string;
}

export function needShared(...path: string[]): Need {
  const found = shared !== undefined && existsSync(join(shared, ...path));
  return { ok: found, reason: `../shared/${path.join("/")} is not there` };
}

const MODEL = { repo: "models--QuantFactory--SmolLM2-135M-Instruct-GGUF", file: "SmolLM2-135M-Instruct.Q4_1.gguf" };

/** The default model in the Hugging Face cache, if it was pulled. */
export function defaultModelPath(): string | undefined {
  const { HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env;
  const cache =
    HF_HUB_CACHE ?? join(HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "huggingface"), "hub");
  const snapshots = join(cache, MODEL.repo, "snapshots");
  if (!existsSync(snapshots)) return undefined;
  return readdirSync(snapshots)
    .map((commit) => join(snapshots, commit, MODEL.file))
    .find((path) => existsSync(path));
}

export const needModel: Need = {
  ok: defaultModelPath() !== undefined,
  reason: "the default model is not in the cache: run `npm run trimtab -- model pull smollm2-135m`",
};

/** dist/, which `npm test` builds before the tests. */
export const needBuild: Need = {
  ok: existsSync(join(root, "dist", "cli", "main.js")),
  reason: "dist/ is not built: run `npm run build`",
};

type Needs = Need | readonly Need[];

/** `describe` with needs: see the header. The body of an absent one is not run, so it may read what it needs at once. */
export function describeNeeding(needs: Needs, title: string, body: () => void): void {
  const reason = lacking(needs);
  if (reason === undefined) describe(title, body);
  else reportLack(title, reason);
}

/** `it` with needs: see the header. */
export function itNeeding(needs: Needs, title: string, body: () => void | Promise<void>, timeoutMs?: number): void {
  const reason = lacking(needs);
  if (reason === undefined) it(title, body, timeoutMs);
  else reportLack(title, reason);
}

function lacking(needs: Needs): string | undefined {
  const missing = [needs].flat().filter((n) => !n.ok);
  return missing.length > 0 ? missing.map((n) => n.reason).join("; ") : undefined;
}

function reportLack(title: string, reason: string): void {
  const inCi = Boolean(process.env.CI);
  it.skipIf(!inCi)(inCi ? title : `${title} [skipped: ${reason}]`, () => {
    throw new Error(`missing in CI: ${reason}`);
  });
}
