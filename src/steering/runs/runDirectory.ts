/**
 * The folder of a run: manifest, cells, vectors, claims, events. Opens it for the first time or again, and refuses another
 * configuration's. Knows files, not how units are computed.
 */
import { appendFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { InputError } from "../../tensor/errors.ts";
import type { UnitResult } from "../study/result.ts";
import { type Claim, claimUnit, isClaimed, sweepClaims } from "./claims.ts";
import { sweepTemporary, syncFolder, writeDurable } from "./durable.ts";
import { type Manifest, parseManifest, refuseOtherRun } from "./manifest.ts";
import { type PlannedUnit, planned } from "./plan.ts";
import { readUnit, type UnitFacts, type UnitFile, type UnitState, unitState, writeUnit } from "./unitFiles.ts";

const MANIFEST = "manifest.json";
/** What a run directory holds, and `fresh` removes. */
const OWN = [MANIFEST, "cells", "vectors", "claims", "events.jsonl"];

/** One line of `events.jsonl`. */
export interface RunEvent {
  readonly event: "open" | "start" | "finish" | "fail" | "damaged" | "stop";
  readonly unit?: string;
  readonly [fact: string]: unknown;
}

export class RunDirectory {
  readonly path: string;
  readonly manifest: Manifest;
  readonly units: readonly PlannedUnit[];

  private constructor(path: string, manifest: Manifest) {
    this.path = path;
    this.manifest = manifest;
    this.units = manifest.units.map(planned);
  }

  /**
   * Makes the run, or continues it. @throws InputError where the folder holds something else or another configuration's run;
   * FormatError for a damaged manifest.
   */
  static async open(path: string, asked: Manifest, o: { fresh?: boolean } = {}): Promise<RunDirectory> {
    await mkdir(path, { recursive: true });
    const names = await readdir(path);
    const isRun = names.includes(MANIFEST);
    const foreign = names.filter((name) => !OWN.includes(name) && !name.startsWith(".tmp-"));
    if (!isRun && foreign.length > 0)
      throw new InputError("E_OPTION", `${path} is not a run: it holds ${foreign[0]}`, "give another --out");
    if (o.fresh) await removeRun(path, isRun);
    await sweepTemporary(path);
    await sweepClaims(path);
    if (isRun && !o.fresh) {
      const run = await RunDirectory.read(path);
      refuseOtherRun(run.manifest, asked, path);
      return run;
    }
    await writeDurable(join(path, MANIFEST), `${JSON.stringify(asked, null, 1)}\n`);
    await syncFolder(path);
    return new RunDirectory(path, asked);
  }

  /** A run that is there. @throws InputError where there is none; FormatError for a damaged manifest. */
  static async read(path: string): Promise<RunDirectory> {
    const file = join(path, MANIFEST);
    const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
      throw new InputError("E_OPTION", `${path} is not a run: it has no ${MANIFEST}`, "trimtab results ls lists runs");
    });
    return new RunDirectory(path, parseManifest(text, file));
  }

  /** See `unitState`. */
  state(unit: PlannedUnit, deep = false): Promise<UnitState> {
    return unitState(this.path, unit, deep);
  }

  claim(unit: PlannedUnit): Promise<Claim | undefined> {
    return claimUnit(this.path, unit.id);
  }

  isClaimed(unit: PlannedUnit): Promise<boolean> {
    return isClaimed(this.path, unit.id);
  }

  write(unit: PlannedUnit, result: UnitResult, facts: Omit<UnitFacts, "configHash">): Promise<UnitFile> {
    return writeUnit(this.path, unit, result, { ...facts, configHash: this.manifest.configHash });
  }

  /** @throws FormatError naming a damaged part. */
  readUnit(unit: PlannedUnit, file: UnitFile): Promise<UnitResult> {
    return readUnit(this.path, unit, file);
  }

  /** Appends a line with the time and this process. */
  async log(event: RunEvent): Promise<void> {
    const line = JSON.stringify({ at: new Date().toISOString(), pid: process.pid, ...event });
    await appendFile(join(this.path, "events.jsonl"), `${line}\n`);
  }

  /**
   * Reads every part of the given units; a damaged unit loses its mark and so counts as missing. The problems found, which name
   * the parts.
   */
  async verify(units: readonly PlannedUnit[]): Promise<string[]> {
    const problems: string[] = [];
    for (const unit of units) {
      const found = await this.state(unit, true);
      if (found.state !== "damaged") continue;
      problems.push(found.problem);
      await this.log({ event: "damaged", unit: unit.id, problem: found.problem });
      await rm(join(this.path, "cells", unit.id), { recursive: true, force: true });
    }
    return problems;
  }
}

/** Removes what a run consists of and nothing else. @throws InputError where another process works on it. */
async function removeRun(path: string, isRun: boolean): Promise<void> {
  if (!isRun) return;
  const run = await RunDirectory.read(path).catch(() => undefined);
  for (const unit of run?.units ?? []) {
    if (!(await run!.isClaimed(unit))) continue;
    throw new InputError("E_OPTION", `--fresh: another process works on ${path}`, "stop it first");
  }
  for (const name of OWN) await rm(join(path, name), { recursive: true, force: true });
}
