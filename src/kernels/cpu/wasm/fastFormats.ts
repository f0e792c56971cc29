/**
 * The quantised types as `fast` sees them: a scale part is a run of 16 or 32 elements with one scale, within which products
 * are summed in integers; w = scale · (code − middle) or scale · code ± minimum. Bit places come from expandFormats.ts.
 */
import type { Features } from "../kernel.ts";
import { QUANT_FORMATS, type QuantFormat } from "./expandFormats.ts";
import { type DotPlan, dotPlan } from "./fastDot.ts";
import { blockCount, type PanelFormat } from "./packFormats.ts";

export interface FastFormat {
  readonly panel: PanelFormat;
  readonly quant: QuantFormat;
  readonly plan: DotPlan;
  /** Elements of a scale part. */
  readonly partElems: number;
  /** Integer that is subtracted from every code; the parts' sums start at −middle · Σq. */
  readonly middle: number;
}

/** Undefined where `fast` is not defined: the plain types. */
export function fastFormat(panel: PanelFormat, features: Features): FastFormat | undefined {
  const quant = QUANT_FORMATS[panel.dtype];
  if (!quant) return undefined;
  const plan = dotPlan(features, 2 ** (quant.low.count + (quant.high?.count ?? 0)) - 1, quant.signed ?? false);
  const partElems = quant.scales ? panel.elems / quant.parts : panel.elems;
  return { panel, quant, plan, partElems, middle: plan.flip ? 128 : (quant.middle ?? 0) };
}

/** What a part of quantised x needs besides d: nothing, or −middle·Σq as i32, or ±d·Σq as float32. */
export type PartSum = "none" | "offset" | "minimum";

export function partSum({ quant, middle }: FastFormat): PartSum {
  if (quant.minSign) return "minimum";
  return middle ? "offset" : "none";
}

export function partCount({ panel, partElems }: FastFormat, k: number): number {
  return (blockCount(panel, k) * panel.elems) / partElems;
}
