/**
 * `node bench/peers/run.mjs`: measures trimtab and its peers interleaved, each in processes of its own, and prints ratios.
 * README.md says what must be installed; table.mjs says what is compared.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, homedir, loadavg, release, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Contender } from "./contender.mjs";
import { markdown, median, ratios } from "./table.mjs";
import { DECODE_TOKENS, PREFILL_TOKENS, THREADS } from "./work.mjs";

const USAGE = `usage: node bench/peers/run.mjs [--nodes PATH,PATH] [--rounds N] [--json FILE] [--tasks gemm,exact,fast]
                               [--model FILE.gguf] [--onnx FILE.onnx] [--python PATH] [--dist FOLDER] [--only TEXT,TEXT]
                               [--doc FILE.md: put the table between its markers]
                               [--nice N: priority of the measured processes, for a machine shared with others]`;
const here = dirname(fileURLToPath(import.meta.url));

function options() {
  const { values } = parseArgs({
    options: {
      nodes: { type: "string", default: process.execPath },
      rounds: { type: "string", default: "5" },
      json: { type: "string" },
      tasks: { type: "string", default: "gemm,exact,fast" },
      model: { type: "string" },
      onnx: { type: "string", default: join(homedir(), ".cache", "trimtab-peers", `prefill${PREFILL_TOKENS}.onnx`) },
      python: { type: "string", default: "python3" },
      dist: { type: "string", default: join(here, "..", "..", "dist") },
      only: { type: "string", default: "" },
      doc: { type: "string" },
      nice: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const tasks = values.tasks.split(",");
  const problem = values.help
    ? ""
    : !existsSync(join(here, "node_modules"))
      ? "run `npm install` in bench/peers first"
      : !existsSync(join(values.dist, "index.js"))
        ? "run `npm run build` first"
        : tasks.some((t) => t !== "gemm") && !values.model
          ? "give the GGUF with --model"
          : tasks.includes("exact") && !existsSync(values.onnx)
            ? `${values.onnx} is missing: make it with export_onnx.py`
            : undefined;
  if (problem !== undefined) {
    console.error(problem ? `${problem}\n${USAGE}` : USAGE);
    process.exit(problem ? 2 : 0);
  }
  return { ...values, tasks, rounds: Number(values.rounds), only: values.only.split(",") };
}

/** { path, version, name, revectorizes } of each Node asked for. */
function nodesOf(o) {
  return o.nodes.split(",").map((path) => {
    const { stdout, error } = spawnSync(path, ["-p", "process.version"], { encoding: "utf8" });
    if (error) throw new Error(`${path}: ${error.message}`);
    const major = Number(stdout.trim().slice(1).split(".")[0]);
    return { path, version: stdout.trim(), name: `Node ${major}`, revectorizes: major >= 24 };
  });
}

/** Columns of the table: each Node, and once more with revectorize where it has an effect. */
function columnsOf(nodes) {
  return nodes.flatMap((n) => {
    const plain = { label: n.name, node: n.name, path: n.path, floor: n.revectorizes ? 1 : 0, revectorize: false };
    return n.revectorizes
      ? [plain, { ...plain, label: `${n.name}, revectorize`, floor: 2, revectorize: true }]
      : [plain];
  });
}

/** Runs what follows in a session of its own with a priority, of its scheduling group too (Linux schedules sessions). */
function prioritised(nice) {
  const script = `echo ${Number(nice)} > /proc/self/autogroup; exec nice -n ${Number(nice)} "$@"`;
  return ["setsid", "sh", "-c", script, "sh"];
}

function contenders(task, o, nodes, columns) {
  const env = {
    TRIMTAB_DIST: resolve(o.dist),
    PEERS_GGUF: o.model && resolve(o.model),
    PEERS_ONNX: resolve(o.onnx),
    OMP_NUM_THREADS: String(THREADS),
  };
  const list = [];
  const add = (key, program, file, ...args) => {
    const command = [program, join(here, "engines", file), ...args];
    list.push(new Contender(key, [...(o.nice ? prioritised(o.nice) : []), ...command], env));
  };
  for (const c of columns) {
    add(`trimtab ${c.label}`, c.path, "trimtab.mjs", task, ...(c.revectorize ? ["revectorize"] : []));
  }
  const first = nodes[0].path;
  if (task === "gemm" || task === "exact") {
    for (const n of nodes) add(`onnxruntime-web ${n.name}`, n.path, "onnxruntime.mjs", task, "onnxruntime-web");
    add("onnxruntime-node", first, "onnxruntime.mjs", task, "onnxruntime-node");
  }
  if (task === "gemm") {
    for (const n of nodes) add(`tfjs-wasm ${n.name}`, n.path, "tfjs.mjs");
    for (const n of nodes) add(`jax-js ${n.name}`, n.path, "jax.mjs");
  }
  if (task === "fast") {
    add("llama.cpp", first, "llama.mjs");
    const counts = [THREADS, PREFILL_TOKENS, DECODE_TOKENS].map(String);
    add("torch", o.python, "torch_decode.py", resolve(o.model), ...counts);
  }
  return list.filter((c) => o.only.some((part) => c.key.includes(part)));
}

/** Runs all contenders of a task in turn, `rounds` times, each time beginning with the next one. */
async function measure(list, rounds) {
  const log = (text) => process.stderr.isTTY && process.stderr.write(`\r\x1b[K${text}`);
  for (const c of list) {
    log(`starting ${c.key}`);
    await c.start();
  }
  for (let r = 0; r < rounds; r++) {
    for (let i = 0; i < list.length; i++) {
      const c = list[(i + r) % list.length];
      log(`round ${r + 1} of ${rounds}: ${c.key}`);
      await c.round();
    }
  }
  log("");
  for (const c of list) c.stop();
}

function report(list, byTask) {
  for (const c of list) {
    const facts = Object.entries(c.facts ?? {})
      .map(([k, v]) => `${k} ${v}`)
      .join(", ");
    const times = Object.entries(c.times).map(([cell, ms]) => {
      const tokens = cell.startsWith("prefill") ? PREFILL_TOKENS : cell.startsWith("decode") ? 1 : 0;
      const speed = tokens ? ` = ${((1000 * tokens) / median(ms)).toFixed(0)} tok/s` : "";
      return `${cell} ${median(ms).toFixed(2)} ms (${Math.min(...ms).toFixed(2)}–${Math.max(...ms).toFixed(2)})${speed}`;
    });
    console.log(`${c.key.padEnd(28)} ${c.failure ? `FAILED: ${c.failure}` : times.join("; ")}  [${facts}]`);
    const known = (byTask[c.key] ??= { facts: {}, times: {} });
    Object.assign(known.facts, c.facts, c.failure ? { failure: c.failure } : {});
    Object.assign(known.times, c.times);
  }
}

function environmentLine(e, dependencies, transformers) {
  const nodes = Object.values(e.nodes).join(", ");
  const versions = transformers ? { ...dependencies, transformers } : dependencies;
  const peers = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${e.date} · ${e.cpu}, ${e.cores} cores · ${e.os} · Node ${nodes} · ${e.threads} threads · median (range) of ${e.rounds} rounds · ${peers.join(", ")}`;
}

/** Replaces what stands between the two markers of a page. */
function writeTable(path, text) {
  const [before, , after] = readFileSync(path, "utf8").split(/(?<=<!-- peers -->)([\s\S]*?)(?=<!-- \/peers -->)/);
  if (after === undefined) throw new Error(`${path}: no markers <!-- peers --> … <!-- /peers -->`);
  writeFileSync(path, `${before}\n\n${text}\n\n${after}`);
}

async function main() {
  const o = options();
  const nodes = nodesOf(o);
  const columns = columnsOf(nodes);
  const load = loadavg()[0];
  const environment = {
    date: new Date().toISOString().slice(0, 10),
    cpu: cpus()[0].model.trim(),
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 2 ** 30),
    os: `${process.platform} ${release()} ${process.arch}`,
    nodes: Object.fromEntries(nodes.map((n) => [n.name, n.version])),
    threads: THREADS,
    rounds: o.rounds,
    loadAtStart: load,
    nice: Number(o.nice ?? 0),
  };
  console.log(JSON.stringify(environment));
  const engines = {};
  for (const task of o.tasks) {
    const list = contenders(task, o, nodes, columns);
    process.on("exit", () => list.forEach((c) => c.stop()));
    await measure(list, o.rounds);
    report(list, engines);
  }
  const times = Object.fromEntries(Object.entries(engines).map(([key, e]) => [key, e.times]));
  const rows = ratios(times, columns);
  const dependencies = JSON.parse(readFileSync(join(here, "package.json"), "utf8")).dependencies;
  console.log(`\n${markdown(rows, columns)}`);
  if (o.doc)
    writeTable(
      o.doc,
      `${environmentLine(environment, dependencies, engines.torch?.facts.version)}\n\n${markdown(rows, columns)}`,
    );
  if (!o.json) return;
  const named = columns.map((c) => c.label);
  const table = rows.map((r) => ({ name: r.name, ...Object.fromEntries(r.columns.map((c, i) => [named[i], c])) }));
  writeFileSync(o.json, `${JSON.stringify({ environment, peers: dependencies, table, engines }, null, 1)}\n`);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
