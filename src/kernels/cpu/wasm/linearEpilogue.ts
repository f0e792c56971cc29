/**
 * What follows the sums of `linear`: y = act(sum + bias) + residual, from a strip [rows][16] to 16 columns of y or fewer.
 * Each step is the float32 operation of the separate op, so fused and unfused results are equal bit for bit.
 */
import type { Activation } from "../../../tensor/backend.ts";
import type { Features } from "../kernel.ts";
import { f32, f32x4, i32, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import { STRIP_ROW_BYTES } from "./gemm.ts";
import { activationF32x4 } from "./math.ts";
import { PANEL } from "./packFormats.ts";

export interface Epilogue {
  /** Elements of a row of y. */
  readonly n: number;
  readonly bias: boolean;
  readonly residual: boolean;
  readonly act: Activation | undefined;
}

export function epilogueKey(e: Epilogue): string {
  return `${e.n}/${e.bias ? "b" : ""}${e.residual ? "r" : ""}/${e.act ?? ""}`;
}

/**
 * Adds epilogue(strip, rows, columns, bias, residual, y), all pointers at the panel's first column; returns its index.
 * `columns` < 16 in a matrix's last panel. Bias is read up to 64 bytes past its end, never used from there.
 */
export function addEpilogue(m: ModuleBuilder, e: Epilogue, features: Features): number {
  return m.func(["i32", "i32", "i32", "i32", "i32", "i32"], undefined, (f) => {
    const [strip, rows, columns, bias, residual, y] = f.params as [Local, Local, Local, Local, Local, Local];
    const end = f.i32(i32.add(strip, i32.mul(rows, STRIP_ROW_BYTES)));
    const at = f.i32();
    f.while(i32.ne(strip, end), () => {
      if (e.bias || e.act) {
        const v = f.v128();
        f.loop(at, 0, STRIP_ROW_BYTES, 16, () => {
          f.set(v, v128.load(i32.add(strip, at)));
          if (e.bias) f.set(v, f32x4.add(v, v128.load(i32.add(bias, at))));
          if (e.act) f.set(v, activationF32x4(f, features, e.act, v));
          f.storeV128(i32.add(strip, at), v);
        });
      }
      const whole = (): void => {
        for (let c = 0; c < STRIP_ROW_BYTES; c += 16) {
          const v = v128.load(strip, c);
          f.storeV128(y, e.residual ? f32x4.add(v, v128.load(residual, c)) : v, c);
        }
      };
      const part = (): void =>
        f.loop(at, 0, i32.shl(columns, 2), 4, () => {
          const v = f32.load(i32.add(strip, at));
          f.storeF32(i32.add(y, at), e.residual ? f32.add(v, f32.load(i32.add(residual, at))) : v);
        });
      f.if(i32.eq(columns, PANEL), whole, part);
      f.increment(strip, STRIP_ROW_BYTES);
      f.increment(y, 4 * e.n);
      if (e.residual) f.increment(residual, 4 * e.n);
    });
  });
}
