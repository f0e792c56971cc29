/**
 * What a caller may do at hook points: capture values, add vectors, run JavaScript. Options are checked and compiled once
 * into a HookSet; hookRecorder.ts turns it into operations. Knows names and shapes, not the forward pass.
 */
import { HookError } from "../tensor/errors.ts";
import type { ModelConfig } from "./config.ts";
import { type HookName, hookLayer, resolveHook } from "./hookNames.ts";

/** A value on the host: row-major numbers and their shape. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Which positions of a sequence. `all`; `answer`: from the end of the prompt on; `last`: the newest position of each run
 * (the prompt's last token, then every generated one); absolute positions, or a range [from, to). Negative numbers count
 * from the end of the prompt. `each` gives every sequence of a batch its own scope.
 */
export type PositionScope =
  | "all"
  | "answer"
  | "last"
  | readonly number[]
  | { readonly from?: number; readonly to?: number }
  | { readonly each: readonly PositionScope[] };

/** A hook point: a canonical name (which editors complete), an alias, or a name with `*` for the layer. */
export type HookPattern = HookName | (string & {});

/** Adds scale · vector [D] to the value at `hook`. A SteeringVector is one. */
export interface AddIntervention {
  readonly hook: HookPattern;
  readonly vector: Float32Array;
  /** Default 1. */
  readonly scale?: number;
  /** Default `all`, BOS included. */
  readonly positions?: PositionScope;
}

export interface HookContext {
  readonly name: HookName;
  /** 0-based; absent for points outside the blocks. */
  readonly layer: number | undefined;
  readonly phase: "prefill" | "decode";
  /** Number of decode steps before this one. */
  readonly step: number;
  /** Index of the sequence in the batch. */
  readonly sequence: number;
  /** Absolute positions of the rows of the value (of its queries, for scores and pattern; of its keys, for kv). */
  readonly positions: readonly number[];
}

/**
 * Sees a copy of the value [T, ...] of one sequence (pattern and scores [H, Tq, Tk]); what it returns, if anything, replaces
 * the value and must have as many numbers. Runs synchronously.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
export type HookFunction = (value: HostTensor, context: HookContext) => Float32Array | HostTensor | void;

export interface CaptureRequest {
  readonly hook: HookPattern;
  /** Default `all`. */
  readonly positions?: PositionScope;
}

export interface HookOptions {
  /** Hook names (`*` stands for every layer), or names with positions. Captured after hooks and additions at that point. */
  readonly capture?: readonly (HookPattern | CaptureRequest)[];
  readonly hooks?: Readonly<Record<string, HookFunction | readonly HookFunction[]>>;
  readonly steer?: AddIntervention | readonly AddIntervention[];
}

export type PointAction =
  | { readonly kind: "add"; readonly vector: Float32Array; readonly scale: number; readonly positions: PositionScope }
  | { readonly kind: "call"; readonly fn: HookFunction }
  | { readonly kind: "capture"; readonly key: string; readonly positions: PositionScope };

/** Actions by point, in order: additions, then JavaScript, then captures. */
export interface HookSet {
  readonly actions: ReadonlyMap<HookName, readonly PointAction[]>;
  /** Layer of the last capture or JavaScript hook, for early stopping; Infinity where one lies behind the blocks. */
  readonly lastLayer: number | undefined;
}

export const NO_HOOKS: HookSet = { actions: new Map(), lastLayer: undefined };

/** Points whose rows are D wide: where a vector can be added. */
const ADDABLE = /(?:hook_embed|hook_pos_embed|hook_resid_(?:pre|mid|post)|hook_(?:attn|mlp)_out|hook_normalized)$/;

/** @throws HookError for unknown names, layers out of range, vectors of a wrong length, scopes that make no sense. */
export function compileHooks(o: HookOptions, c: ModelConfig): HookSet {
  if (!o.capture?.length && !o.hooks && !o.steer) return NO_HOOKS;
  const actions = new Map<HookName, PointAction[]>();
  const put = (name: HookName, action: PointAction): void => {
    const list = actions.get(name);
    if (list) list.push(action);
    else actions.set(name, [action]);
  };
  for (const add of o.steer === undefined ? [] : Array.isArray(o.steer) ? o.steer : [o.steer as AddIntervention]) {
    for (const name of resolveHook(add.hook, c)) put(name, compileAdd(add, name, c));
  }
  for (const [given, fns] of Object.entries(o.hooks ?? {})) {
    for (const fn of Array.isArray(fns) ? fns : [fns as HookFunction]) {
      if (typeof fn !== "function") throw new HookError(`hook "${given}" is ${typeof fn}, expected a function`);
      for (const name of resolveHook(given, c)) put(name, { kind: "call", fn });
    }
  }
  for (const request of o.capture ?? []) {
    const { hook, positions = "all" } = typeof request === "string" ? { hook: request } : request;
    checkScope(positions, hook);
    const names = resolveHook(hook, c);
    for (const name of names) put(name, { kind: "capture", key: names.length > 1 ? name : hook, positions });
  }
  const watched = [...actions].filter(([, list]) => list.some((a) => a.kind !== "add")).map(([name]) => name);
  const layers = watched.map(
    (name) =>
      hookLayer(name) ?? (name.startsWith("ln_final") || name === "hook_logits" ? Number.POSITIVE_INFINITY : -1),
  );
  return { actions, lastLayer: layers.length ? Math.max(...layers) : undefined };
}

function compileAdd(add: AddIntervention, name: HookName, c: ModelConfig): PointAction {
  if (!ADDABLE.test(name)) {
    throw new HookError(
      `a vector cannot be added at ${name}`,
      "use a residual stream point such as blocks.0.hook_resid_post, or a JavaScript hook",
    );
  }
  if (!(add.vector instanceof Float32Array) || add.vector.length !== c.D) {
    throw new HookError(
      `steering at ${name}: the vector has ${add.vector?.length} elements, the model's residual stream ${c.D}`,
      "use a vector extracted from this model",
    );
  }
  const bad = add.vector.findIndex((x) => !Number.isFinite(x));
  if (bad >= 0) {
    throw new HookError(
      `steering at ${name}: element ${bad} of the vector is ${add.vector[bad]}, expected finite numbers`,
      "extract the vector again",
    );
  }
  const scale = add.scale ?? 1;
  if (!Number.isFinite(scale))
    throw new HookError(`steering at ${name}: the scale is ${scale}, expected a finite number`);
  const positions = add.positions ?? "all";
  checkScope(positions, name);
  return { kind: "add", vector: add.vector, scale, positions };
}

function checkScope(scope: PositionScope, where: string): void {
  if (scope === "all" || scope === "answer" || scope === "last") return;
  if (typeof scope === "object" && "each" in scope) {
    for (const one of scope.each) checkScope(one, where);
    return;
  }
  const numbers = Array.isArray(scope)
    ? scope
    : typeof scope === "object" && scope
      ? Object.values(scope)
      : [Number.NaN];
  if (numbers.every((n) => n === undefined || Number.isInteger(n))) return;
  throw new HookError(
    `positions ${JSON.stringify(scope)} at ${where}`,
    `give "all", "answer", "last", whole numbers, or {from, to}`,
  );
}

/** The scope of sequence `s`. @throws HookError where `each` has none for it. */
export function scopeOf(scope: PositionScope, s: number): PositionScope {
  if (typeof scope !== "object" || !("each" in scope)) return scope;
  const own = scope.each[s];
  if (own !== undefined) return own;
  throw new HookError(`positions "each" has ${scope.each.length} entries, but the batch has a sequence ${s}`);
}

/** Whether a row is within a scope (of one sequence). `promptLength` is where negative positions count from. */
export function inScope(scope: PositionScope, position: number, promptLength: number, isNewest: boolean): boolean {
  if (scope === "all") return true;
  if (scope === "answer") return position >= promptLength;
  if (scope === "last") return isNewest;
  if (Array.isArray(scope)) {
    for (let i = 0; i < scope.length; i++) {
      const p = scope[i]!;
      if (position === (p < 0 ? promptLength + p : p)) return true;
    }
    return false;
  }
  const { from = 0, to = Number.POSITIVE_INFINITY } = scope as { from?: number; to?: number };
  return position >= (from < 0 ? promptLength + from : from) && position < (to < 0 ? promptLength + to : to);
}
