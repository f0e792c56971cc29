/**
 * The frame that all kernels but the matrix ones share: `run(args, begin, end, scratch)` reads its words into locals and
 * loops over its units. Also the few places where a row's address is computed. Knows no particular kernel.
 */
import type { Features } from "../kernel.ts";
import { type Expr, type Func, i32, type Local, ModuleBuilder } from "./asm.ts";

/** The words of `Command.args`, by name. */
export type Words<Name extends string> = Readonly<Record<Name, Local>>;

/**
 * Emits a module that runs `unit` for each of its units. `names` are the words of `args` in order; functions that `unit`
 * calls are added to `m` before.
 */
export function emitUnits<Name extends string>(
  features: Features,
  names: readonly Name[],
  unit: (f: Func, words: Words<Name>, index: Local, scratch: Local) => void,
  m = new ModuleBuilder(),
): Uint8Array<ArrayBuffer> {
  m.func(
    ["i32", "i32", "i32", "i32"],
    undefined,
    (f) => {
      const [args, begin, end, scratch] = f.params as [Local, Local, Local, Local];
      const words = {} as Record<Name, Local>;
      names.forEach((name, i) => {
        words[name] = f.i32(i32.load(args, 4 * i));
      });
      const index = f.i32();
      f.loop(index, begin, end, 1, () => unit(f, words, index, scratch));
    },
    "run",
  );
  return m.bytes(features);
}

/** Address of row `index` in a matrix whose rows are `bytes` apart. */
export function rowAddress(f: Func, base: Expr, index: Expr, bytes: number): Local {
  return f.i32(i32.add(base, i32.mul(index, bytes)));
}

export const at = (base: Expr, offset: Expr): Expr => i32.add(base, offset);
