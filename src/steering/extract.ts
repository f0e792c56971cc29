/**
 * Mean-difference extraction (Rimsky et al. 2024, arXiv 2312.06681; Tan et al. 2024, arXiv 2407.12404): the mean over pairs
 * of residual(positive) − residual(negative) at the read position, at all layers in one pass over packed, unpadded batches.
 * Knows models through `runBatch` only.
 */
import { breathe, type HookName, type HostTensor, type LanguageModel } from "../model/index.ts";
import { checkKeys, InputError } from "../tensor/errors.ts";
import { type ContrastPair, type PairOptions, type ReadPosition, readRange, tokenizePair } from "./pairs.ts";
import { SteeringVector, type VectorMeta, VectorSet } from "./vector.ts";

export interface ExtractOptions extends PairOptions {
  /** Default "all". */
  readonly layers?: "all" | readonly number[];
  /** Default "auto". */
  readonly read?: ReadPosition;
  readonly signal?: AbortSignal;
  readonly onProgress?: (pairsDone: number, pairs: number) => void;
}

const EXTRACT_KEYS = ["layers", "read", "raw", "system", "signal", "onProgress"] as const;

/** Tokens that are run together: enough rows for full GEMM speed, little enough memory. */
const BATCH_TOKENS = 1024;

interface Side {
  readonly pair: number;
  readonly sign: 1 | -1;
  readonly tokens: readonly number[];
  readonly range: { readonly from: number; readonly to: number };
}

/** @throws InputError E_DATA naming the pair, E_LAYER, E_CONTEXT, all before any work; the signal's reason when aborted. */
export async function extract(
  model: LanguageModel,
  pairs: readonly ContrastPair[],
  o: ExtractOptions = {},
): Promise<VectorSet> {
  checkKeys(o, EXTRACT_KEYS, "extract");
  const layers = checkLayers(o.layers ?? "all", model.config.L);
  const read = o.read ?? "auto";
  if (pairs.length === 0) throw new InputError("E_DATA", "extract: no contrast pairs", "give at least one");
  if (typeof read === "number" ? !Number.isInteger(read) : read !== "auto" && read !== "mean") {
    throw new InputError(
      "E_OPTION",
      `extract: read ${JSON.stringify(read)}`,
      'give "auto", "mean" or a whole number such as -2',
    );
  }
  const sides = pairs.flatMap((pair, i) => sidesOf(model, pair, i, read, o));
  const sums = layers.map(() => new Float64Array(model.config.D));
  const lengths = layers.map(() => 0);
  let done = 0;
  for (const batch of packed(sides)) {
    o.signal?.throwIfAborted();
    await accumulate(model, batch, layers, sums, lengths);
    done += batch.length;
    o.onProgress?.(Math.floor(done / 2), pairs.length);
    await breathe();
  }
  const meta: VectorMeta = {
    model: model.name,
    modelSha256: model.sha256,
    method: "meanDiff",
    read: String(read),
    pairs: pairs.length,
    createdBy: "trimtab",
  };
  return new VectorSet(
    layers.map((l, i) => {
      const mean = Float32Array.from(sums[i]!, (x) => x / pairs.length);
      return new SteeringVector(hookOf(l), mean, meta, lengths[i]! / sides.length);
    }),
  );
}

function hookOf(layer: number): HookName {
  return `blocks.${layer}.hook_resid_post`;
}

function checkLayers(layers: "all" | readonly number[], L: number): readonly number[] {
  if (layers === "all") return Array.from({ length: L }, (_, l) => l);
  const bad = layers.find((l) => !(Number.isInteger(l) && l >= 0 && l < L));
  if (bad !== undefined || layers.length === 0)
    throw new InputError("E_LAYER", `extract: layer ${bad ?? "list is empty"}`, `layers are 0 to ${L - 1}`);
  return [...new Set(layers)].sort((a, b) => a - b);
}

function sidesOf(model: LanguageModel, pair: ContrastPair, i: number, read: ReadPosition, o: PairOptions): Side[] {
  const where = `pair ${i + 1}`;
  const { positive, negative, differ } = tokenizePair(model, pair, o);
  return ([1, -1] as const).map((sign) => {
    const side = sign > 0 ? positive : negative;
    if (side.tokens.length > model.context) {
      throw new InputError(
        "E_CONTEXT",
        `${where} has ${side.tokens.length} tokens; the context is ${model.context}`,
        "load the model with a larger context, or shorten it",
      );
    }
    return { pair: i, sign, tokens: side.tokens, range: readRange(side, differ, read, where) };
  });
}

/** Batches of about BATCH_TOKENS tokens, in order. */
function* packed(sides: readonly Side[]): Generator<Side[]> {
  let batch: Side[] = [];
  let tokens = 0;
  for (const side of sides) {
    if (batch.length && tokens + side.tokens.length > BATCH_TOKENS) {
      yield batch;
      batch = [];
      tokens = 0;
    }
    batch.push(side);
    tokens += side.tokens.length;
  }
  if (batch.length) yield batch;
}

async function accumulate(
  model: LanguageModel,
  batch: readonly Side[],
  layers: readonly number[],
  sums: readonly Float64Array[],
  lengths: number[],
): Promise<void> {
  const positions = { each: batch.map((side) => side.range) };
  const results = await model.runBatch(
    batch.map((side) => side.tokens),
    { capture: layers.map((l) => ({ hook: hookOf(l), positions })), logits: "none", cache: false },
  );
  for (const [s, { captures }] of results.entries()) {
    for (const [i, l] of layers.entries()) {
      const mean = meanRow(captures[hookOf(l)]!);
      let squares = 0;
      for (let d = 0; d < mean.length; d++) {
        sums[i]![d]! += batch[s]!.sign * mean[d]!;
        squares += mean[d]! ** 2;
      }
      lengths[i]! += Math.sqrt(squares);
    }
  }
}

/** Mean over the rows of [n, D]. */
function meanRow({ shape, data }: HostTensor): Float64Array {
  const [n = 0, D = 0] = shape;
  const mean = new Float64Array(D);
  for (let i = 0; i < n * D; i++) mean[i % D]! += data[i]! / n;
  return mean;
}
