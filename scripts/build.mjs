/** Compiles src/ to dist/ from scratch and makes the CLI entry executable. Knows nothing of the sources' meaning. */
import { spawnSync } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
rmSync("dist", { recursive: true, force: true });
const compiler = ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"];
const { status } = spawnSync(process.execPath, compiler, { stdio: "inherit" });
if (status === 0) chmodSync("dist/cli/main.js", 0o755);
else process.exitCode = status ?? 1;
