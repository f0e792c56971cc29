/**
 * The names of all hook points: TransformerLens's, with aliases, which point exists on which family, and the shape of its
 * value. Unknown names and layers out of range are refused here, with the nearest names. Knows no tensors.
 */
import { HookError, nearestNames } from "../tensor/errors.ts";
import type { ModelConfig } from "./config.ts";

type BlockPoint =
  | "hook_resid_pre"
  | "ln1.hook_scale"
  | "ln1.hook_normalized"
  | "attn.hook_q"
  | "attn.hook_k"
  | "attn.hook_v"
  | "attn.hook_rot_q"
  | "attn.hook_rot_k"
  | "attn.hook_attn_scores"
  | "attn.hook_pattern"
  | "attn.hook_z"
  | "hook_attn_out"
  | "hook_resid_mid"
  | "ln2.hook_scale"
  | "ln2.hook_normalized"
  | "mlp.hook_pre"
  | "mlp.hook_pre_linear"
  | "mlp.hook_post"
  | "hook_mlp_out"
  | "hook_resid_post";

/** A canonical hook point name; layers are 0-based. */
export type HookName =
  | "hook_embed"
  | "hook_pos_embed"
  | `blocks.${number}.${BlockPoint}`
  | `kv.${number}.hook_${"k" | "v"}`
  | "ln_final.hook_scale"
  | "ln_final.hook_normalized"
  | "hook_logits";

interface PointInfo {
  /** Name with `{l}` for the layer. */
  readonly name: string;
  readonly when?: (c: ModelConfig) => boolean;
  /** Other names of the same point (TransformerLens 3, interp-engine). */
  readonly aliases?: readonly string[];
}

const rotary = (c: ModelConfig): boolean => c.rope !== undefined;
const block = (name: BlockPoint, aliases?: readonly string[], when?: PointInfo["when"]): PointInfo => ({
  name: `blocks.{l}.${name}`,
  aliases,
  when,
});

/** In the order in which a forward pass reaches them. */
const POINTS: readonly PointInfo[] = [
  { name: "hook_embed", aliases: ["embed.hook_out"] },
  { name: "hook_pos_embed", aliases: ["pos_embed.hook_out"], when: (c) => !rotary(c) },
  block("hook_resid_pre", ["blocks.{l}.hook_in", "resid_pre.{l}", "resid.pre.{l}"]),
  block("ln1.hook_scale"),
  block("ln1.hook_normalized"),
  block("attn.hook_q", ["blocks.{l}.attn.q.hook_out"]),
  block("attn.hook_k", ["blocks.{l}.attn.k.hook_out"]),
  block("attn.hook_v", ["blocks.{l}.attn.v.hook_out"]),
  block("attn.hook_rot_q", [], rotary),
  block("attn.hook_rot_k", [], rotary),
  { name: "kv.{l}.hook_k" },
  { name: "kv.{l}.hook_v" },
  block("attn.hook_attn_scores"),
  block("attn.hook_pattern"),
  block("attn.hook_z", ["blocks.{l}.attn.o.hook_in"]),
  block("hook_attn_out", ["blocks.{l}.attn.hook_out", "attn_out.{l}", "attn.out.{l}"]),
  block("hook_resid_mid", ["resid_mid.{l}", "resid.mid.{l}"]),
  block("ln2.hook_scale"),
  block("ln2.hook_normalized"),
  block("mlp.hook_pre", ["blocks.{l}.mlp.gate.hook_out"]),
  block("mlp.hook_pre_linear", ["blocks.{l}.mlp.in.hook_out"], (c) => c.gatedMlp),
  block("mlp.hook_post", ["blocks.{l}.mlp.out.hook_in"]),
  block("hook_mlp_out", ["blocks.{l}.mlp.hook_out", "mlp_out.{l}", "mlp.out.{l}"]),
  block("hook_resid_post", ["blocks.{l}.hook_out", "resid_post.{l}", "resid.post.{l}"]),
  { name: "ln_final.hook_scale" },
  { name: "ln_final.hook_normalized" },
  { name: "hook_logits", aliases: ["unembed.hook_out"] },
];

/** All hook point names of a model, in forward order; `{l}` names are listed for every layer. */
export function hookNames(c: ModelConfig): HookName[] {
  const has = POINTS.filter((p) => !p.when || p.when(c));
  const layered = (p: PointInfo): boolean => p.name.includes("{l}");
  const first = has.findIndex(layered);
  const last = has.findLastIndex(layered);
  const blocks = Array.from({ length: c.L }, (_, l) =>
    has.slice(first, last + 1).map((p) => p.name.replace("{l}", String(l))),
  );
  return [
    ...has.slice(0, first).map((p) => p.name),
    ...blocks.flat(),
    ...has.slice(last + 1).map((p) => p.name),
  ] as HookName[];
}

/** The layer in a canonical name, or undefined. */
export function hookLayer(name: HookName): number | undefined {
  const match = /^(?:blocks|kv)\.(\d+)\./.exec(name);
  return match ? Number(match[1]) : undefined;
}

/**
 * Canonical names for `name`: itself, what an alias stands for, or, with `*` for the layer, one a layer.
 * @throws HookError for an unknown name (the nearest are listed), a point the family lacks, or a layer out of range.
 */
export function resolveHook(name: string, c: ModelConfig): HookName[] {
  if (typeof name !== "string") throw new HookError(`a hook name must be a string, got ${JSON.stringify(name)}`);
  const layerText = /(?:^|\.)(-?\d+|\*)(?=\.|$)/.exec(name)?.[1];
  const pattern = layerText === undefined ? name : name.replace(/(^|\.)(-?\d+|\*)(?=\.|$)/, "$1{l}");
  const point = POINTS.find((p) => p.name === pattern || p.aliases?.includes(pattern));
  if (!point) {
    const known = POINTS.filter((p) => !p.when || p.when(c)).map((p) => p.name.replace("{l}", layerText ?? "0"));
    throw new HookError(
      `unknown hook point "${name}"`,
      `nearest: ${nearestNames(name, known).join(", ") || known.join(", ")}`,
    );
  }
  if (point.when && !point.when(c))
    throw new HookError(`hook point "${name}" does not exist on ${c.architecture} models`);
  if (layerText === undefined) return [point.name as HookName];
  if (layerText === "*") return Array.from({ length: c.L }, (_, l) => point.name.replace("{l}", String(l)) as HookName);
  const layer = Number(layerText);
  if (layer < 0 || layer >= c.L) {
    const near = point.name.replace("{l}", String(Math.min(Math.max(layer, 0), c.L - 1)));
    throw new HookError(
      `hook point "${name}": layer ${layer} is out of range`,
      `layers are 0 to ${c.L - 1}; nearest: ${near}`,
    );
  }
  return [point.name.replace("{l}", String(layer)) as HookName];
}
