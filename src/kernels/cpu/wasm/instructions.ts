/**
 * WebAssembly instructions as typed expressions: bytes that leave one value on the stack. Only the opcodes that the kernels
 * use. Knows nothing of functions and modules. Opcodes: WebAssembly core 2.0 and relaxed SIMD.
 */

export type ValueType = "i32" | "f32" | "f64" | "v128";

/** Code that leaves one value on the stack. A local is an expression too (it reads the local). */
export interface Expr {
  readonly type: ValueType;
  readonly code: readonly number[];
}

export interface Local extends Expr {
  readonly index: number;
}

/** i32 arithmetic takes plain numbers too. */
export type Operand = Expr | number;

/** Unsigned LEB128. */
export function uleb(value: number): number[] {
  const out: number[] = [];
  let v = value >>> 0;
  do {
    const byte = v & 0x7f;
    v >>>= 7;
    out.push(v ? byte | 0x80 : byte);
  } while (v);
  return out;
}

function sleb(value: number): number[] {
  const out: number[] = [];
  let v = value | 0;
  for (;;) {
    const byte = v & 0x7f;
    v >>= 7;
    if ((v === 0 && !(byte & 0x40)) || (v === -1 && byte & 0x40)) return [...out, byte];
    out.push(byte | 0x80);
  }
}

const f32Bytes = (value: number): number[] => [...new Uint8Array(new Float32Array([value]).buffer)];
/** A SIMD opcode. */
export const simd = (code: number): number[] => [0xfd, ...uleb(code)];

export function i32Operand(x: Operand): Expr {
  return typeof x === "number" ? i32.const(x) : x;
}

const unary =
  (type: ValueType, code: number[]) =>
  (a: Expr): Expr => ({ type, code: [...a.code, ...code] });
const binary =
  (type: ValueType, code: number[]) =>
  (a: Expr, b: Expr): Expr => ({ type, code: [...a.code, ...b.code, ...code] });
const ternary =
  (type: ValueType, code: number[]) =>
  (a: Expr, b: Expr, c: Expr): Expr => ({ type, code: [...a.code, ...b.code, ...c.code, ...code] });
/** i32 arithmetic also takes plain numbers. */
const i32Binary =
  (code: number) =>
  (a: Operand, b: Operand): Expr => ({ type: "i32", code: [...i32Operand(a).code, ...i32Operand(b).code, code] });
const load =
  (type: ValueType, code: number[]) =>
  (address: Expr, offsetBytes = 0): Expr => ({ type, code: [...address.code, ...code, 0, ...uleb(offsetBytes)] });
const shift =
  (code: number) =>
  (a: Expr, bits: Operand): Expr => ({ type: "v128", code: [...a.code, ...i32Operand(bits).code, ...simd(code)] });
const lane =
  (type: ValueType, code: number) =>
  (a: Expr, index: number): Expr => ({ type, code: [...a.code, ...simd(code), index] });

export const i32 = {
  const: (value: number): Expr => ({ type: "i32", code: [0x41, ...sleb(value)] }),
  add: i32Binary(0x6a),
  sub: i32Binary(0x6b),
  mul: i32Binary(0x6c),
  divU: i32Binary(0x6e),
  remU: i32Binary(0x70),
  and: i32Binary(0x71),
  or: i32Binary(0x72),
  xor: i32Binary(0x73),
  shl: i32Binary(0x74),
  shrS: i32Binary(0x75),
  shrU: i32Binary(0x76),
  eq: i32Binary(0x46),
  ne: i32Binary(0x47),
  ltS: i32Binary(0x48),
  ltU: i32Binary(0x49),
  gtS: i32Binary(0x4a),
  gtU: i32Binary(0x4b),
  leS: i32Binary(0x4c),
  geS: i32Binary(0x4e),
  eqz: unary("i32", [0x45]),
  load: load("i32", [0x28]),
  load8u: load("i32", [0x2d]),
  load8s: load("i32", [0x2c]),
  load16u: load("i32", [0x2f]),
  truncF32: unary("i32", [0xfc, 0x00]), // saturating
  reinterpret: unary("i32", [0xbc]),
  /** a where cond ≠ 0, else b. */
  select: (a: Operand, b: Operand, cond: Expr): Expr => ({
    type: "i32",
    code: [...i32Operand(a).code, ...i32Operand(b).code, ...cond.code, 0x1b],
  }),
} as const;

export const f32 = {
  const: (value: number): Expr => ({ type: "f32", code: [0x43, ...f32Bytes(value)] }),
  add: binary("f32", [0x92]),
  sub: binary("f32", [0x93]),
  mul: binary("f32", [0x94]),
  div: binary("f32", [0x95]),
  min: binary("f32", [0x96]),
  max: binary("f32", [0x97]),
  abs: unary("f32", [0x8b]),
  neg: unary("f32", [0x8c]),
  sqrt: unary("f32", [0x91]),
  nearest: unary("f32", [0x90]),
  eq: binary("i32", [0x5b]),
  lt: binary("i32", [0x5d]),
  gt: binary("i32", [0x5e]),
  load: load("f32", [0x2a]),
  fromI32: unary("f32", [0xb2]),
  reinterpret: unary("f32", [0xbe]),
} as const;

export const v128 = {
  load: load("v128", simd(0x00)),
  load8Splat: load("v128", simd(0x07)),
  load16Splat: load("v128", simd(0x08)),
  load32Splat: load("v128", simd(0x09)),
  load64Splat: load("v128", simd(0x0a)),
  /** Eight bytes, widened to eight 16-bit lanes. */
  load8x8S: load("v128", simd(0x01)),
  load8x8U: load("v128", simd(0x02)),
  /** Four 16-bit values, widened to four 32-bit lanes. */
  load16x4S: load("v128", simd(0x03)),
  load16x4U: load("v128", simd(0x04)),
  load32Zero: load("v128", simd(0x5c)),
  load64Zero: load("v128", simd(0x5d)),
  const: (bytes: readonly number[]): Expr => ({ type: "v128", code: [...simd(0x0c), ...bytes] }),
  zero: (): Expr => ({ type: "v128", code: [...simd(0x0c), ...new Array<number>(16).fill(0)] }),
  /** Byte i of the result is byte lanes[i] of a (0–15) or b (16–31). */
  shuffle: (a: Expr, b: Expr, lanes: readonly number[]): Expr => ({
    type: "v128",
    code: [...a.code, ...b.code, ...simd(0x0d), ...lanes],
  }),
  swizzle: binary("v128", simd(0x0e)),
  not: unary("v128", simd(0x4d)),
  and: binary("v128", simd(0x4e)),
  andnot: binary("v128", simd(0x4f)),
  or: binary("v128", simd(0x50)),
  xor: binary("v128", simd(0x51)),
  /** Bits of a where mask is 1, of b where it is 0. */
  bitselect: ternary("v128", simd(0x52)),
} as const;

export const i8x16 = {
  splat: unary("v128", simd(0x0f)),
  shl: shift(0x6b),
  shrS: shift(0x6c),
  shrU: shift(0x6d),
  add: binary("v128", simd(0x6e)),
  sub: binary("v128", simd(0x71)),
  abs: unary("v128", simd(0x60)),
  narrowI16S: binary("v128", simd(0x65)),
} as const;

export const i16x8 = {
  splat: unary("v128", simd(0x10)),
  shl: shift(0x8b),
  shrS: shift(0x8c),
  shrU: shift(0x8d),
  add: binary("v128", simd(0x8e)),
  sub: binary("v128", simd(0x91)),
  mul: binary("v128", simd(0x95)),
  extendLowS: unary("v128", simd(0x87)),
  extendHighS: unary("v128", simd(0x88)),
  extendLowU: unary("v128", simd(0x89)),
  extendHighU: unary("v128", simd(0x8a)),
  narrowI32S: binary("v128", simd(0x85)),
  /** Relaxed SIMD: sums of two adjacent products, a signed 8-bit, b 7-bit (0..127); they must fit 16 bits. */
  relaxedDotI8I7: binary("v128", simd(0x112)),
  extmulLowI8S: binary("v128", simd(0x9c)),
  extmulHighI8S: binary("v128", simd(0x9d)),
} as const;

export const i32x4 = {
  splat: unary("v128", simd(0x11)),
  shl: shift(0xab),
  shrS: shift(0xac),
  shrU: shift(0xad),
  add: binary("v128", simd(0xae)),
  sub: binary("v128", simd(0xb1)),
  mul: binary("v128", simd(0xb5)),
  minS: binary("v128", simd(0xb6)),
  maxS: binary("v128", simd(0xb8)),
  gtS: binary("v128", simd(0x3b)),
  extendLowS: unary("v128", simd(0xa7)),
  extendHighS: unary("v128", simd(0xa8)),
  extendLowU: unary("v128", simd(0xa9)),
  extendHighU: unary("v128", simd(0xaa)),
  /** Sums of products of adjacent 16-bit lanes. */
  dotI16: binary("v128", simd(0xba)),
  truncSatF32: unary("v128", simd(0xf8)),
  extractLane: lane("i32", 0x1b),
  extaddPairwiseI16S: unary("v128", simd(0x7e)),
  /** Relaxed SIMD: adds sums of 4 products, a signed 8-bit, b 7-bit (0..127), to c. */
  relaxedDotI8I7Add: ternary("v128", simd(0x113)),
} as const;

export const f32x4 = {
  splat: unary("v128", simd(0x13)),
  extractLane: lane("f32", 0x1f),
  abs: unary("v128", simd(0xe0)),
  neg: unary("v128", simd(0xe1)),
  sqrt: unary("v128", simd(0xe3)),
  add: binary("v128", simd(0xe4)),
  sub: binary("v128", simd(0xe5)),
  mul: binary("v128", simd(0xe6)),
  div: binary("v128", simd(0xe7)),
  min: binary("v128", simd(0xe8)),
  max: binary("v128", simd(0xe9)),
  /** b < a ? b : a, and a < b ? b : a: one instruction on x64, and a NaN in b is passed over. */
  pmin: binary("v128", simd(0xea)),
  pmax: binary("v128", simd(0xeb)),
  eq: binary("v128", simd(0x41)),
  ne: binary("v128", simd(0x42)),
  lt: binary("v128", simd(0x43)),
  gt: binary("v128", simd(0x44)),
  nearest: unary("v128", simd(0x6a)),
  fromI32: unary("v128", simd(0xfa)),
  fromU32: unary("v128", simd(0xfb)),
  /** Relaxed SIMD: a·b + c, fused where the machine fuses. */
  relaxedMadd: ternary("v128", simd(0x105)),
  /** The lanes of an f64x2 rounded, in the two low lanes; the others are 0. */
  demoteZero: unary("v128", simd(0x5e)),
} as const;

export const f64 = {
  const: (value: number): Expr => ({ type: "f64", code: [0x44, ...new Uint8Array(new Float64Array([value]).buffer)] }),
  add: binary("f64", [0xa0]),
  sub: binary("f64", [0xa1]),
  mul: binary("f64", [0xa2]),
  div: binary("f64", [0xa3]),
  sqrt: unary("f64", [0x9f]),
  max: binary("f64", [0xa5]),
  promote: unary("f64", [0xbb]),
} as const;

/** A float64 rounded to float32. */
export const demote: (a: Expr) => Expr = unary("f32", [0xb6]);

export const f64x2 = {
  splat: unary("v128", simd(0x14)),
  extractLane: lane("f64", 0x21),
  /** The two low lanes of an f32x4, widened. */
  promoteLow: unary("v128", simd(0x5f)),
  add: binary("v128", simd(0xf0)),
  sub: binary("v128", simd(0xf1)),
  mul: binary("v128", simd(0xf2)),
} as const;
