/**
 * The child's side of a measurement: prepare once, then measure whenever the parent says "go". One JSON object a line on
 * stdout, everything else that is printed goes to stderr. Knows no engine.
 */
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr); // libraries that print must not break the protocol

const reply = (message) => write(`${JSON.stringify(message)}\n`);

/**
 * `prepare()` loads and warms up and gives `{ facts, round }`; `round()` measures once and gives `{ cell: milliseconds }`.
 */
export async function serve(prepare) {
  try {
    const { facts, round } = await prepare();
    reply({ ready: facts });
    for await (const line of createInterface({ input: process.stdin })) {
      if (line === "go") reply({ times: await round() });
      else break;
    }
    process.exit(0);
  } catch (error) {
    reply({ failed: String(error?.message ?? error).split("\n")[0] });
    console.error(error);
    process.exit(1);
  }
}

/** The version of a peer that package.json pins. */
export function versionOf(name) {
  return JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")).dependencies[name];
}

/** Least milliseconds of one call, over at least `calls` calls and `totalMs`. */
export async function best(run, totalMs, calls) {
  let least = Number.POSITIVE_INFINITY;
  const begin = performance.now();
  for (let i = 0; i < calls || performance.now() - begin < totalMs; i++) {
    const start = performance.now();
    await run();
    least = Math.min(least, performance.now() - start);
  }
  return least;
}
