/**
 * `npm run study:quick`: every experiment on the default model, in under ten minutes on two cores: the bundled concepts in both
 * formats and four persona sets of the model-written evals, which it fetches if they are not there. Needs the build. Further
 * arguments go to `trimtab study`; the same command again continues.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const CONCEPTS = ["sentiment", "formality", "certainty", "warmth", "optimism", "alphabet"];
const PERSONAS = ["narcissism", "openness", "politically-liberal", "interest-in-science"];
const FOLDER = "runs/study-quick";

const main = fileURLToPath(new URL("../dist/cli/main.js", import.meta.url));
/** A copy of the sets beside the checkout, where there is one. */
const copy = fileURLToPath(new URL("../../shared/data/mwe", import.meta.url));

function trimtab(...args) {
  const { status, signal } = spawnSync(process.execPath, [main, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  return signal ? 1 : (status ?? 1);
}

if (PERSONAS.some((name) => trimtab("dataset", "show", name, "--json", "-q", "-n", "0") !== 0)) {
  const status = trimtab("dataset", "pull", "mwe", ...(existsSync(copy) ? ["--from", copy] : []));
  if (status !== 0) process.exit(status);
}
const data = [...CONCEPTS, ...CONCEPTS.map((name) => `${name}:choice`), ...PERSONAS].join(",");
const started = performance.now();
const args = ["study", "--all", "--quick", "--data", data, "-o", FOLDER, ...process.argv.slice(2)];
const { status } = spawnSync(process.execPath, [main, ...args], { stdio: "inherit" });
console.error(`${((performance.now() - started) / 60_000).toFixed(1)} minutes`);
process.exit(status ?? 1);
