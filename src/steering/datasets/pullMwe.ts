/**
 * Brings the 152 sets of model-written evals into the cache, file by file, and only those that are what the shipped hashes
 * say. Stopped and started again it goes on with what is missing. Knows no CLI; Node only, imported lazily.
 */
import { checkKeys, InputError, TrimtabError } from "../../tensor/errors.ts";
import { checkedMwe, type Env, mweFolder, mwePath } from "./mweCache.ts";
import { MWE_SETS } from "./mweHashes.ts";
import type { FetchImpl, MweSource } from "./mweSources.ts";

export interface PullMweOptions {
  /** A checkout or folder with the raw files, or a .zip or .tar.gz of it; default: the public repository. */
  readonly from?: string;
  readonly signal?: AbortSignal;
  /** After each file. */
  readonly onProgress?: (event: { type: "dataset"; name: string; done: number; total: number }) => void;
  readonly fetchImpl?: FetchImpl;
  readonly env?: Env;
}

export interface PulledMwe {
  readonly folder: string;
  /** Names of sets: newly written, there before, and not in the given folder or archive. */
  readonly written: readonly string[];
  readonly present: readonly string[];
  readonly missing: readonly string[];
}

type State = "written" | "present" | "missing";

const OPTIONS = ["from", "signal", "onProgress", "fetchImpl", "env"];
const AT_A_TIME = 6;

/**
 * Fetches what the cache lacks. A file that is not the one behind its hash is refused, after all others were fetched.
 * @throws InputError E_DATA naming the refused files, or where the folder cannot be written or holds none of the sets;
 *   TrimtabError E_HUB, E_HUB_AUTH, E_HUB_NOT_FOUND; FormatError for a damaged archive; the signal's reason.
 */
export async function pullMwe(o: PullMweOptions = {}): Promise<PulledMwe> {
  checkKeys(o, OPTIONS, "pullMwe");
  const { localSource, webSource } = await import("./mweSources.ts");
  const env = o.env ?? process.env;
  const folder = await mweFolder(env);
  const source =
    o.from === undefined ? webSource({ env, signal: o.signal, fetchImpl: o.fetchImpl }) : await localSource(o.from);
  const names = Object.keys(MWE_SETS);
  const state: Record<State, string[]> = { written: [], present: [], missing: [] };
  const refused: string[] = [];
  let done = 0;
  await eachOf(names, AT_A_TIME, async (name) => {
    o.signal?.throwIfAborted();
    const path = `${folder}/${mwePath(name)}`;
    const outcome = await pullOne(name, path, source);
    if (typeof outcome === "string") state[outcome].push(name);
    else refused.push(describe(outcome));
    o.onProgress?.({ type: "dataset", name, done: ++done, total: names.length });
  });
  if (refused.length > 0)
    throw new InputError(
      "E_DATA",
      `${refused.length} of ${names.length} files are refused: ${refused.slice(0, 3).join("; ")}${refused.length > 3 ? "; …" : ""}`,
      `${source.name} is another version or damaged; the other files are in ${folder}`,
    );
  if (state.missing.length > 0 && state.written.length === 0)
    throw new InputError(
      "E_DATA",
      `${source.name} has none of the ${state.missing.length} files that are missing`,
      "expected persona/NAME.jsonl and advanced-ai-risk/lm_generated_evals/NAME.jsonl",
    );
  const inOrder = (list: string[]): string[] => names.filter((name) => list.includes(name));
  return { folder, written: inOrder(state.written), present: inOrder(state.present), missing: inOrder(state.missing) };
}

/** Its new state, or why it is refused. */
async function pullOne(name: string, path: string, source: MweSource): Promise<State | TrimtabError> {
  const { readFile } = await import("node:fs/promises");
  const there = await readFile(path).catch(() => undefined);
  if (there !== undefined && (await wrongWith(name, there)) === undefined) return "present";
  const bytes = await source.read(name);
  if (bytes === undefined) return "missing";
  const wrong = await wrongWith(name, bytes);
  if (wrong === undefined) await writeWhole(path, bytes);
  return wrong ?? "written";
}

async function wrongWith(name: string, bytes: Uint8Array): Promise<TrimtabError | undefined> {
  try {
    await checkedMwe(name, new TextDecoder().decode(bytes), mwePath(name));
  } catch (error) {
    if (error instanceof TrimtabError) return error;
    throw error;
  }
}

function describe({ message, hint }: TrimtabError): string {
  return hint === undefined ? message : message.slice(0, -` — ${hint}`.length);
}

/** Under its name there is the whole file or none: a stop at any moment loses one file at most. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const { mkdir, rename, rm, writeFile } = await import("node:fs/promises");
  const { dirname } = await import("node:path");
  const draft = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(draft, bytes, { flush: true });
    await rename(draft, path);
  } catch (cause) {
    await rm(draft, { force: true }).catch(() => {});
    throw new InputError(
      "E_DATA",
      `${path} cannot be written: ${(cause as Error).message}`,
      "free some space, check the folder's permissions, or set XDG_CACHE_HOME to another place",
      { cause },
    );
  }
}

/** Runs `work` on every item, some at a time; the first failure stops the rest, and is thrown when none is at work any more. */
async function eachOf<T>(items: readonly T[], atATime: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) {
      try {
        await work(item);
      } catch (error) {
        queue.length = 0;
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: atATime }, worker));
  if (failures.length > 0) throw failures[0];
}
