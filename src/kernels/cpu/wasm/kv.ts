/** storeKv: the k and v parts of packed qkv rows go to their rows of the caches. A unit is a row of qkv. */
import type { OpCall } from "../../../tensor/backend.ts";
import type { Command, Features, LowerContext } from "../kernel.ts";
import { i32 } from "./asm.ts";
import { emitUnits, rowAddress } from "./unitKernel.ts";

export function lowerStoreKv(
  { qkv, heads: { H, Hkv, Dh }, slots, kCache, vCache }: Extract<OpCall, { op: "storeKv" }>,
  ctx: LowerContext,
): Command {
  const bytes = Hkv * Dh * 4;
  const emit = (features: Features): Uint8Array<ArrayBuffer> =>
    emitUnits(features, ["qkv", "slots", "kCache", "vCache"], (f, w, t) => {
      const slot = f.i32(i32.load(rowAddress(f, w.slots, t, 4)));
      const k = rowAddress(f, i32.add(w.qkv, H * Dh * 4), t, (H + 2 * Hkv) * Dh * 4);
      f.copyMemory(rowAddress(f, w.kCache, slot, bytes), k, bytes);
      f.copyMemory(rowAddress(f, w.vCache, slot, bytes), i32.add(k, bytes), bytes);
    });
  return {
    key: `storeKv/${H}/${Hkv}/${Dh}`,
    emit,
    args: [qkv, slots, kCache, vCache].map((t) => ctx.address(t)),
    units: slots.elems,
    scratchBytes: 0,
  };
}
