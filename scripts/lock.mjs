/**
 * Completes package-lock.json after `npm install`: a registry mirror that lacks the native packages of other platforms makes
 * npm leave them out of the lock file, and `npm ci` then refuses it. Adds them with the version that their parent asks for
 * and the platform that their name tells; npm fetches them only there. Run: node scripts/lock.mjs
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const PLATFORM =
  /(android|darwin|freebsd|linux|openharmony|win32)-(arm64|arm|x64|ia32|ppc64|riscv64|s390x)(?:-(\w+))?$/;
const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const lock = JSON.parse(readFileSync(path, "utf8"));

const added = {};
for (const { optionalDependencies = {}, dev } of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const key = `node_modules/${name}`;
    if (key in lock.packages) continue;
    const [, os, cpu, abi] = PLATFORM.exec(name) ?? [];
    if (!os) throw new Error(`${name} is not in package-lock.json, and its name tells no platform`);
    const libc = abi?.startsWith("musl") ? ["musl"] : abi?.startsWith("gnu") ? ["glibc"] : undefined;
    added[key] = { version, cpu: [cpu], ...(dev && { dev }), libc, optional: true, os: [os] };
  }
}

const byKey = ([a], [b]) => a.localeCompare(b, "en");
lock.packages = Object.fromEntries(Object.entries({ ...lock.packages, ...added }).sort(byKey));
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`${Object.keys(added).length} packages added`);
