/**
 * SteeringVector: one direction at one hook point, as an immutable value with the algebra of vectors. VectorSet: the
 * directions of one extraction, one a layer. Knows numbers and names; files are vectorFile.ts, extraction extract.ts.
 */

import { type AddIntervention, type HookName, hookLayer } from "../model/index.ts";
import { InputError, ShapeError } from "../tensor/errors.ts";

/** How vectors came to be. */
export interface VectorMeta {
  readonly model: string;
  readonly modelSha256: string;
  /** E.g. `meanDiff`. */
  readonly method: string;
  /** Read position: `auto`, `mean`, or a token index. */
  readonly read: string;
  /** Number of contrast pairs. */
  readonly pairs: number;
  readonly createdBy: string;
}

export class SteeringVector implements AddIntervention {
  readonly hook: HookName;
  /** The direction [D], scale included. Do not change it. */
  readonly vector: Float32Array;
  readonly meta: VectorMeta;
  /** Mean length of the residual stream where the vector was read, if known. */
  readonly residualNorm: number | undefined;

  constructor(hook: HookName, vector: Float32Array, meta: VectorMeta, residualNorm?: number) {
    this.hook = hook;
    this.vector = vector;
    this.meta = meta;
    this.residualNorm = residualNorm;
  }

  /** 0-based layer of the hook point; −1 for points before the blocks. */
  get layer(): number {
    return hookLayer(this.hook) ?? -1;
  }

  /** Euclidean length. */
  get norm(): number {
    return Math.sqrt(dot(this.vector, this.vector));
  }

  /** Length as a share of the residual stream's at the read position. */
  get relativeNorm(): number | undefined {
    return this.residualNorm === undefined ? undefined : this.norm / this.residualNorm;
  }

  times(scale: number): SteeringVector {
    if (!Number.isFinite(scale)) throw new InputError("E_OPTION", `vector times ${scale}`, "give a finite number");
    return this.#with(this.vector.map((x) => x * scale));
  }

  /** @throws ShapeError unless both act at one hook point of models of one size. */
  plus(other: SteeringVector): SteeringVector {
    this.#assertSame(other, "plus");
    return this.#with(this.vector.map((x, i) => x + other.vector[i]!));
  }

  minus(other: SteeringVector): SteeringVector {
    return this.plus(other.times(-1));
  }

  /** The same direction with length 1. */
  normalize(): SteeringVector {
    const { norm } = this;
    if (norm === 0) throw new ShapeError(`normalize: the vector at ${this.hook} is zero`);
    return this.times(1 / norm);
  }

  /** Cosine of the angle to another vector of the same size, which may belong to another layer. */
  cosine(other: SteeringVector): number {
    if (other.vector.length !== this.vector.length)
      throw new ShapeError(`cosine of vectors with ${this.vector.length} and ${other.vector.length} elements`);
    return dot(this.vector, other.vector) / (this.norm * other.norm);
  }

  #with(vector: Float32Array): SteeringVector {
    return new SteeringVector(this.hook, vector, this.meta, this.residualNorm);
  }

  #assertSame(other: SteeringVector, what: string): void {
    if (other.hook === this.hook && other.vector.length === this.vector.length) return;
    throw new ShapeError(
      `${what}: ${this.hook} [${this.vector.length}] and ${other.hook} [${other.vector.length}]`,
      "add vectors of one hook point",
    );
  }
}

/** Σ a·b in float64. */
function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

/** The vectors of one extraction, by layer. */
export class VectorSet {
  readonly vectors: readonly SteeringVector[];

  constructor(vectors: readonly SteeringVector[]) {
    this.vectors = [...vectors].sort((a, b) => a.layer - b.layer);
  }

  get layers(): readonly number[] {
    return this.vectors.map((v) => v.layer);
  }

  get meta(): VectorMeta | undefined {
    return this.vectors[0]?.meta;
  }

  /** The vector of a layer. @throws InputError E_LAYER listing the layers that there are. */
  at(layer: number): SteeringVector {
    const found = this.vectors.find((v) => v.layer === layer);
    if (found) return found;
    throw new InputError("E_LAYER", `there is no vector for layer ${layer}`, `layers here: ${this.layers.join(", ")}`);
  }
}
