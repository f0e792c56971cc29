/**
 * A small WebAssembly assembler: functions with locals and structured loops, and the module's bytes; the expressions that
 * they are made of come from instructions.ts. Knows nothing of kernels.
 */
import { type Expr, i32, i32Operand, type Local, type Operand, simd, uleb, type ValueType } from "./instructions.ts";

export {
  demote,
  type Expr,
  f32,
  f32x4,
  f64,
  f64x2,
  i8x16,
  i16x8,
  i32,
  i32x4,
  type Local,
  type ValueType,
  v128,
} from "./instructions.ts";

const TYPE_BYTE: Readonly<Record<ValueType, number>> = { i32: 0x7f, f32: 0x7d, f64: 0x7c, v128: 0x7b };

/** Body of one function: declare locals, then append statements. */
export class Func {
  readonly #params: readonly ValueType[];
  readonly #locals: ValueType[] = [];
  readonly #code: number[] = [];
  /** The parameters as expressions. */
  readonly params: readonly Local[];

  constructor(
    params: readonly ValueType[],
    readonly result: ValueType | undefined,
  ) {
    this.#params = params;
    this.params = params.map((type, index) => ({ type, index, code: [0x20, ...uleb(index)] }));
  }

  /** A new local, zero at entry, or set to `init` here. */
  local(type: ValueType, init?: Expr): Local {
    const index = this.#params.length + this.#locals.length;
    this.#locals.push(type);
    const made: Local = { type, index, code: [0x20, ...uleb(index)] };
    if (init) this.set(made, init);
    return made;
  }

  i32(init?: Operand): Local {
    return this.local("i32", init === undefined ? undefined : i32Operand(init));
  }

  f32(init?: Expr): Local {
    return this.local("f32", init);
  }

  v128(init?: Expr): Local {
    return this.local("v128", init);
  }

  set(target: Local, value: Operand): void {
    const v = typeof value === "number" ? i32.const(value) : value;
    if (v.type !== target.type) throw new Error(`asm: set a ${target.type} local to a ${v.type}`);
    this.#code.push(...v.code, 0x21, ...uleb(target.index));
  }

  /** target += by, for i32. */
  increment(target: Local, by: Operand): void {
    this.set(target, i32.add(target, by));
  }

  #store(code: number[], address: Expr, value: Expr, offsetBytes: number): void {
    this.#code.push(...address.code, ...value.code, ...code, 0, ...uleb(offsetBytes));
  }

  storeV128(address: Expr, value: Expr, offsetBytes = 0): void {
    this.#store(simd(0x0b), address, value, offsetBytes);
  }

  storeF32(address: Expr, value: Expr, offsetBytes = 0): void {
    this.#store([0x38], address, value, offsetBytes);
  }

  storeI32(address: Expr, value: Expr, offsetBytes = 0): void {
    this.#store([0x36], address, value, offsetBytes);
  }

  store8(address: Expr, value: Expr, offsetBytes = 0): void {
    this.#store([0x3a], address, value, offsetBytes);
  }

  store16(address: Expr, value: Expr, offsetBytes = 0): void {
    this.#store([0x3b], address, value, offsetBytes);
  }

  /** Stores the low 32 bits of lane `index`. */
  storeLane32(address: Expr, value: Expr, index: number, offsetBytes = 0): void {
    this.#code.push(...address.code, ...value.code, ...simd(0x5a), 0, ...uleb(offsetBytes), index);
  }

  /** Copies `bytes` bytes (bulk memory; ranges may overlap). */
  copyMemory(to: Expr, from: Expr, bytes: Operand): void {
    this.#code.push(...to.code, ...from.code, ...i32Operand(bytes).code, 0xfc, 0x0a, 0, 0);
  }

  /** for (counter = from; counter < to; counter += step), signed; the body may change `counter`. */
  loop(counter: Local, from: Operand, to: Operand, step: Operand, body: () => void): void {
    this.set(counter, from);
    this.while(i32.ltS(counter, to), () => {
      body();
      this.increment(counter, step);
    });
  }

  while(condition: Expr, body: () => void): void {
    // block { br_if 0 (!cond); loop { body; br_if 0 (cond) } }: one test and one backward branch an iteration
    this.#code.push(0x02, 0x40, ...condition.code, 0x45, 0x0d, 0, 0x03, 0x40);
    body();
    this.#code.push(...condition.code, 0x0d, 0, 0x0b, 0x0b);
  }

  if(condition: Expr, then: () => void, otherwise?: () => void): void {
    this.#code.push(...condition.code, 0x04, 0x40);
    then();
    if (otherwise) {
      this.#code.push(0x05);
      otherwise();
    }
    this.#code.push(0x0b);
  }

  /** Leaves the function (only where it has no result). */
  return(): void {
    this.#code.push(0x0f);
  }

  /** Calls function `index` of the module as a statement (it must have no result). */
  call(index: number, args: readonly Operand[]): void {
    this.#code.push(...args.flatMap((a) => i32Operand(a).code), 0x10, ...uleb(index));
  }

  /** @internal The encoded body; `value` is left as the result. */
  encode(value?: Expr): number[] {
    const locals = this.#locals.flatMap((type) => [1, TYPE_BYTE[type]]);
    const body = [...uleb(this.#locals.length), ...locals, ...this.#code, ...(value?.code ?? []), 0x0b];
    return [...uleb(body.length), ...body];
  }

  /** @internal */
  signature(): number[] {
    const params = this.#params.map((type) => TYPE_BYTE[type]);
    const results = this.result ? [TYPE_BYTE[this.result]] : [];
    return [0x60, ...uleb(params.length), ...params, ...uleb(results.length), ...results];
  }
}

export interface ModuleOptions {
  /** Whether the imported memory is shared between threads. */
  readonly shared: boolean;
}

/** A module that imports one memory as `env.memory` and exports chosen functions. */
export class ModuleBuilder {
  readonly #functions: { signature: number[]; body: number[]; exportAs: string | undefined }[] = [];

  /** Adds a function and returns its index. `build` may return the result expression. */
  func(
    params: readonly ValueType[],
    result: ValueType | undefined,
    build: (f: Func) => Expr | undefined,
    exportAs?: string,
  ): number {
    const f = new Func(params, result);
    const value = build(f);
    this.#functions.push({ signature: f.signature(), body: f.encode(value), exportAs });
    return this.#functions.length - 1;
  }

  bytes(o: ModuleOptions): Uint8Array<ArrayBuffer> {
    const section = (id: number, entries: readonly (readonly number[])[]): number[] => {
      const body = [...uleb(entries.length), ...entries.flat()];
      return [id, ...uleb(body.length), ...body];
    };
    const name = (text: string): number[] => [...uleb(text.length), ...[...text].map((c) => c.charCodeAt(0))];
    const limits = o.shared ? [0x03, 0, ...uleb(65536)] : [0x00, 0];
    const fns = this.#functions;
    return new Uint8Array([
      ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(
        1,
        fns.map((f) => f.signature),
      ),
      ...section(2, [[...name("env"), ...name("memory"), 0x02, ...limits]]),
      ...section(
        3,
        fns.map((_, i) => uleb(i)),
      ),
      ...section(
        7,
        fns.flatMap((f, i) => (f.exportAs ? [[...name(f.exportAs), 0x00, ...uleb(i)]] : [])),
      ),
      ...section(
        10,
        fns.map((f) => f.body),
      ),
    ]);
  }
}
