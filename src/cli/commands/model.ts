/** `trimtab model pull|info|ls`: fetching models, looking at them, listing the cache. */
import type { Command } from "commander";
import { cacheFolder, listCached } from "../../model/hub/index.ts";
import { openModel } from "../../model/index.ts";
import { modelsAmong } from "../cachedModels.ts";
import { addSourceFlags, type Cli, type SourceFlags } from "../flags.ts";
import { pull, sourceOptions, watchLoading } from "../loading.ts";
import { type ModelFacts, modelFacts } from "../modelFacts.ts";
import { showBytes } from "../terminal.ts";

interface Flags extends SourceFlags {
  readonly json?: boolean;
}

export function addModel(program: Command, cli: Cli): void {
  const model = program.command("model").description("pull, inspect and list models");
  const pullCommand = model.command("pull").description("download a model into the cache and print its path");
  addSourceFlags(pullCommand).argument("[model]", "instead of -m").option("--json", "one JSON object on stdout");
  pullCommand.action((name: string | undefined, flags: Flags) => pullModel(cli, named(name, flags)));
  const infoCommand = model.command("info").description("show sizes, types and files of a model, without loading it");
  addSourceFlags(infoCommand).argument("[model]", "instead of -m").option("--json", "one JSON object on stdout");
  infoCommand.action((name: string | undefined, flags: Flags) => info(cli, named(name, flags)));
  const lsCommand = model.command("ls").description("list the models in the cache");
  lsCommand.option("--json", "one JSON object on stdout");
  lsCommand.action((flags: Flags) => ls(cli, flags));
}

function named(name: string | undefined, flags: Flags): Flags {
  return name === undefined ? flags : { ...flags, model: name };
}

async function pullModel(cli: Cli, flags: Flags): Promise<void> {
  const found = await pull(cli, flags);
  const path = found.kind === "gguf-url" ? found.url : found.path;
  if (flags.json) cli.terminal.json({ model: flags.model, kind: found.kind, path });
  else cli.terminal.data(`${path}\n`);
}

async function info(cli: Cli, flags: Flags): Promise<void> {
  const watch = watchLoading(cli.terminal);
  try {
    const opened = await openModel(flags.model, { ...sourceOptions(cli, flags), onProgress: watch.onProgress });
    try {
      const facts = await modelFacts(opened);
      watch.end();
      if (flags.json) cli.terminal.json(facts);
      else cli.terminal.data(report(facts));
    } finally {
      await opened.file.close();
    }
  } finally {
    watch.end();
  }
}

function report(f: ModelFacts): string {
  const shared = f.keyValueHeads === f.heads ? "" : `, ${f.keyValueHeads} key/value heads`;
  const types = Object.entries(f.dtypes).map(([dtype, bytes]) => `${dtype} ${showBytes(bytes)}`);
  const window = f.slidingWindowTokens === undefined ? "" : `, sliding window ${f.slidingWindowTokens}`;
  const t = f.tokenizer;
  const rows: [string, string][] = [
    ["model", f.name],
    ["path", f.path ?? "(read in place)"],
    ["family", `${f.architecture}, ${(f.parameters / 1e6).toFixed(1)} million parameters`],
    [
      "sizes",
      `${f.layers} layers of ${f.modelDimension}, MLP ${f.mlpDimension}, vocabulary ${f.vocabulary}${f.tiedEmbeddings ? " (tied)" : ""}`,
    ],
    ["attention", `${f.heads} heads of ${f.headDimension}${shared}${window}`],
    ["context", `${f.contextTokens} tokens`],
    ["weights", `${showBytes(f.weightBytes)}: ${types.join(", ")}`],
    [
      "tokenizer",
      t ? `ends at ${t.eosTokenIds.join(", ")}, ${t.addsBos ? "adds" : "adds no"} BOS` : "none: give token ids",
    ],
    ["template", f.chatTemplate ? "yes" : "none: prompts are raw text"],
    ["sha256", `${f.sha256} (configuration and header)`],
  ];
  return rows.map(([label, value]) => `${label.padEnd(11)}${value}\n`).join("");
}

async function ls(cli: Cli, flags: Flags): Promise<void> {
  const models = modelsAmong(await listCached());
  if (flags.json) cli.terminal.json({ folder: cacheFolder(), models });
  else if (models.length === 0) cli.terminal.note(`no models in ${cacheFolder()}; trimtab model pull fetches one`);
  else for (const m of models) cli.terminal.data(`${m.name}\t${showBytes(m.bytes)}\t${m.path}\n`);
}
