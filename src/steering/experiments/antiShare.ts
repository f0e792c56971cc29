/** The share of items that go the wrong way, by sign as in the paper, with its interval. Pure. */
import { wilsonInterval } from "../statistics/proportion.ts";

export interface AntiShare {
  /** Share of items with a slope of 0 or less, with Wilson's 95 % interval. */
  readonly anti: number;
  readonly antiLow: number;
  readonly antiHigh: number;
}

export function antiShare(slopes: ArrayLike<number>): AntiShare {
  const count = Array.from(slopes).filter((slope) => slope <= 0).length;
  const { low, high } = wilsonInterval(count, slopes.length);
  return { anti: count / slopes.length, antiLow: low, antiHigh: high };
}
