/**
 * Propensities of the golden sets, which PyTorch and `steering-vectors` computed, through the tail tree; on the GPU where
 * `npm run test:gpu:full` asks for it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DatasetItem } from "../../../src/steering/index.ts";
import { loadModel, type SteerableModel } from "../../../src/steering/index.ts";
import { itemGeometry, steeringStart } from "../../../src/steering/study/geometry.ts";
import type { Measure, Operator } from "../../../src/steering/study/result.ts";
import { evaluateTails } from "../../../src/steering/study/tailTree.ts";
import { readGoldens } from "../../support/goldens.ts";
import { defaultModelPath, describeNeeding, fixtures, needModel, needShared, shared } from "../../support/needs.ts";

const onGpu = process.env.TRIMTAB_GPU_FULL === "1";
const TIMEOUT_MS = onGpu ? 1_800_000 : 120_000;

let model: SteerableModel;
beforeAll(async () => {
  const path = defaultModelPath();
  if (path === undefined) return;
  const backend = onGpu ? await (await import("../../support/gpu.ts")).testGpu() : undefined;
  model = await loadModel(path, { backend });
});
afterAll(() => model?.dispose());

interface GoldenSet {
  readonly test: readonly { prompt: string; positive: string; negative: string }[];
  readonly layers: readonly number[];
  readonly multipliers: readonly number[];
}

/** Propensities [layer][item][multiplier] and their goldens. */
async function compare(
  folder: string,
  name: string,
  o: { skip: 0 | 1; measure: Measure; golden: string; operator?: Operator; layers?: number[] },
): Promise<{ worst: number; worstSlope: number }> {
  const set = JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) as GoldenSet;
  const goldens = await readGoldens(join(folder, `${name}.safetensors`));
  const vectors = goldens.get("vectors")!;
  const format = name === "completion" ? ("completion" as const) : ("choice" as const);
  const setting = format === "completion" ? ("RAW" as const) : ("BASE" as const);
  const items = set.test.map((row): DatasetItem => ({ ...row, question: row.prompt, where: name }));
  const geometry = items.map((item) => itemGeometry(model, item, { format, setting }));
  const layers = o.layers ?? set.layers;
  const D = model.config.D;
  const { multipliers } = set;
  const grid = { layers, multipliers, vectors: [layers.map((l) => vectors.data.subarray(l * D, (l + 1) * D))] };
  const got = await evaluateTails(model, geometry, grid, {
    measures: [o.measure],
    operator: o.operator ?? "add",
    skip: o.skip,
    start: (g) => steeringStart(g, o.skip, name),
  });
  const values =
    o.measure === "ab" ? got.ab : o.measure === "logprob" ? got.logprob! : got.ab.map((x, i) => x + got.rest![i]!);
  const want = goldens.get(o.golden)!.data;
  expect(values.length).toBe(want.length);
  const M = set.multipliers.length;
  let [worst, worstSlope] = [0, 0];
  for (let row = 0; row < want.length; row += M) {
    let slope = 0;
    for (let m = 0; m < M; m++) {
      const difference = Math.abs(values[row + m]! - want[row + m]!);
      worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference);
      slope += ((values[row + m]! - want[row + m]!) * set.multipliers[m]!) / 7;
    }
    worstSlope = Math.max(worstSlope, Math.abs(slope));
  }
  return { worst, worstSlope };
}

const CASES = [0, 1].flatMap((skip) =>
  (["logprob", "logit-sum", "ab"] as const).map((measure) => ({
    skip: skip as 0 | 1,
    measure,
    golden: `${{ logprob: "logprob", "logit-sum": "logit", ab: "ab" }[measure]}_diff.skip${skip}`,
  })),
);

describeNeeding([needModel, needShared("golden", "steering")], "propensities of the A/B sets", () => {
  const folder = join(shared ?? "", "golden", "steering");
  for (const name of ["agreeableness", "believes-in-gun-rights"]) {
    it.each(CASES)(`${name}: $measure, skip $skip`, { timeout: TIMEOUT_MS }, async (o) => {
      const { worst, worstSlope } = await compare(folder, name, o);
      expect(worst).toBeLessThanOrEqual(2e-3);
      expect(worstSlope).toBeLessThanOrEqual(1e-3);
    });
    it(`${name}: ablate, then add`, { timeout: TIMEOUT_MS }, async () => {
      const golden = "logprob_diff.ablateThenAdd.layer16.skip1";
      const o = { skip: 1, measure: "logprob", operator: "ablateThenAdd", golden, layers: [16] } as const;
      const { worst, worstSlope } = await compare(folder, name, { ...o, layers: [16] });
      expect(worst).toBeLessThanOrEqual(2e-3);
      expect(worstSlope).toBeLessThanOrEqual(1e-3);
    });
  }
});

describeNeeding(needModel, "propensities of the completion set", () => {
  it("answers of one and two tokens", { timeout: TIMEOUT_MS }, async () => {
    const o = { skip: 0, measure: "logprob", golden: "logprob_diff.skip0" } as const;
    const { worst, worstSlope } = await compare(join(fixtures, "steering"), "completion", o);
    expect(worst).toBeLessThanOrEqual(2e-3);
    expect(worstSlope).toBeLessThanOrEqual(1e-3);
  });
});
