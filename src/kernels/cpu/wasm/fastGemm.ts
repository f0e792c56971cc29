/**
 * `fast` GEMM: a panel's codes are unpacked once to bytes (16 bits for `i16`) and its scales to float32; then register tiles
 * of quantised rows by 8 or 16 columns run over it. Part by part in the order of K, with the arithmetic of fastGemv.ts, so a
 * sum does not depend on the tile that made it.
 */
import type { Features } from "../kernel.ts";
import { type Func, f32x4, i32, i32x4, type Local, type ModuleBuilder, v128 } from "./asm.ts";
import { unpackCodes, XWord } from "./fastDot.ts";
import { type FastFormat, partCount, partSum } from "./fastFormats.ts";
import { type CodeSink, emitCodeWalk, WALK_SCRATCH_BYTES } from "./fastWalk.ts";
import { STRIP_ROW_BYTES } from "./gemm.ts";
import { madd } from "./math.ts";
import { blockCount, PANEL } from "./packFormats.ts";
import { codeBytes, quantizedRowBytes } from "./quantize.ts";

const SCALE_BYTES = 4 * PANEL;

/** Rows, and vectors of 4 columns, of a tile. */
interface TileShape {
  readonly rows: number;
  readonly vectors: number;
}

/**
 * The float sums must be locals: 256-bit fusion does not reach sums in memory, and elsewhere it makes no difference.
 * Measured, q4_1 on Node 24: `pair` 3 × 16 fused 189 GOP/s, 4 × 8 not fused 106 (Node 20: 92); larger tiles spill more than
 * they save, and unrolling K gains nothing.
 */
function tileShape(format: FastFormat, features: Features): TileShape {
  const twoVectorsACode = format.plan.form === "i16";
  if (features.wide) return { rows: twoVectorsACode ? 2 : 3, vectors: 4 };
  return { rows: twoVectorsACode ? 2 : 4, vectors: 2 };
}

/** Rows that are done before the epilogue runs over them. */
export function fastStripRows(format: FastFormat, features: Features): number {
  return 16 * tileShape(format, features).rows;
}

export function fastStripBytes(format: FastFormat, features: Features): number {
  return fastStripRows(format, features) * STRIP_ROW_BYTES;
}

/** Bytes of scratch for an unpacked panel. */
export function unpackedBytes(format: FastFormat, k: number): number {
  return WALK_SCRATCH_BYTES + unpackedCodeBytes(format, k) + partCount(format, k) * partScaleBytes(format);
}

function unpackedCodeBytes(format: FastFormat, k: number): number {
  return (k / 4) * format.plan.codeWordBytes;
}

function partScaleBytes(format: FastFormat): number {
  return partSum(format) === "minimum" ? 2 * SCALE_BYTES : SCALE_BYTES;
}

/** Adds unpack(panel, target) and returns its index. target: walk scratch, codes, then scales (and minima) of every part. */
export function addUnpack(m: ModuleBuilder, format: FastFormat, k: number): number {
  return m.func(["i32", "i32"], undefined, (f) => {
    const [panel, target] = f.params as [Local, Local];
    const codes = f.i32(i32.add(target, WALK_SCRATCH_BYTES));
    const scales = f.i32(i32.add(codes, unpackedCodeBytes(format, k)));
    let offsets: readonly number[] = [];
    const sink: CodeSink = {
      begin() {},
      openRun() {},
      closeRun() {},
      words(o) {
        offsets = o;
      },
      codes(index, c, bytes) {
        const at = offsets[index]! * format.plan.codeWordBytes + 16 * c;
        unpackCodes(f, format.plan, bytes).forEach((v, i) => f.storeV128(codes, v, at + 64 * i));
      },
      advance: (words) => f.increment(codes, words * format.plan.codeWordBytes),
      end(scale, minimum) {
        for (let c = 0; c < PANEL / 4; c++) {
          f.storeV128(scales, scale(c), 16 * c);
          if (minimum) f.storeV128(scales, minimum(c), SCALE_BYTES + 16 * c);
        }
        f.increment(scales, partScaleBytes(format));
      },
    };
    emitCodeWalk(f, format, blockCount(format.panel, k), panel, target, sink);
  });
}

/** Adds panel(x, unpacked, strip, rows): quantised rows times an unpacked panel into the strip. Returns its index. */
export function addFastPanel(m: ModuleBuilder, format: FastFormat, k: number, features: Features): number {
  const shape = tileShape(format, features);
  const tiles = Array.from({ length: shape.rows }, (_, i) =>
    addTile(m, format, { ...shape, rows: i + 1 }, k, features),
  );
  const most = shape.rows;
  const rowBytes = quantizedRowBytes(format, k);
  const side = m.func(["i32", "i32", "i32", "i32", "i32"], undefined, (f) => {
    const [x, codes, scales, strip, rows] = f.params as [Local, Local, Local, Local, Local];
    f.while(i32.geS(rows, most), () => {
      f.call(tiles[most - 1]!, [x, codes, scales, strip]);
      f.increment(x, most * rowBytes);
      f.increment(strip, most * STRIP_ROW_BYTES);
      f.increment(rows, -most);
    });
    for (let r = 1; r < most; r++) f.if(i32.eq(rows, r), () => f.call(tiles[r - 1]!, [x, codes, scales, strip]));
  });
  return m.func(["i32", "i32", "i32", "i32"], undefined, (f) => {
    const [x, unpacked, strip, rows] = f.params as [Local, Local, Local, Local];
    const codes = f.i32(i32.add(unpacked, WALK_SCRATCH_BYTES));
    const scales = f.i32(i32.add(codes, unpackedCodeBytes(format, k)));
    for (let at = 0; at < PANEL * 4; at += 16 * shape.vectors) {
      f.call(side, [x, i32.add(codes, at), i32.add(scales, at), i32.add(strip, at), rows]);
    }
  });
}

/** tile(x, codes, scales, strip): `rows` quantised rows by 4·`vectors` columns. */
function addTile(m: ModuleBuilder, format: FastFormat, shape: TileShape, k: number, features: Features): number {
  return m.func(["i32", "i32", "i32", "i32"], undefined, (f) => {
    const tile = new Tile(f, format, shape, k, features);
    tile.emit();
  });
}

class Tile {
  readonly #x: Local;
  readonly #codes: Local;
  readonly #scales: Local;
  readonly #strip: Local;
  /** The parts of row 0. */
  readonly #part: Local;
  readonly #xWord: XWord;
  /** Integer sums of a part and float sums, [row][vector]; `pair` also 16-bit sums of a run. */
  readonly #ints: Local[][];
  readonly #run: Local[][];
  readonly #sums: Local[][];

  constructor(
    readonly f: Func,
    readonly format: FastFormat,
    readonly shape: TileShape,
    readonly k: number,
    readonly features: Features,
  ) {
    [this.#x, this.#codes, this.#scales, this.#strip] = f.params as [Local, Local, Local, Local];
    this.#part = f.i32(i32.add(this.#x, codeBytes(format, k)));
    this.#xWord = new XWord(f, format.plan);
    const make = (): Local[][] =>
      Array.from({ length: shape.rows }, () => Array.from({ length: shape.vectors }, () => f.v128()));
    this.#ints = make();
    this.#run = format.plan.form === "pair" ? make() : this.#ints;
    this.#sums = make();
  }

  emit(): void {
    const { f, format, k } = this;
    const end = f.i32(i32.add(this.#scales, partCount(format, k) * partScaleBytes(format)));
    f.while(i32.ne(this.#scales, end), () => {
      this.#emitIntegers();
      this.#emitScales();
      f.increment(this.#part, 8);
      f.increment(this.#scales, partScaleBytes(format));
    });
    this.#each((r, v) => f.storeV128(this.#strip, this.#sums[r]![v]!, r * STRIP_ROW_BYTES + 16 * v));
  }

  #each(body: (row: number, vector: number) => void): void {
    for (let r = 0; r < this.shape.rows; r++) for (let v = 0; v < this.shape.vectors; v++) body(r, v);
  }

  #partAt(row: number): number {
    return row * quantizedRowBytes(this.format, this.k);
  }

  #emitIntegers(): void {
    const { f, format } = this;
    const { plan } = format;
    const words = format.partElems / 4;
    const run = Math.min(words, plan.chainWords);
    const offset = partSum(format) === "offset";
    const single = plan.form === "pair" && run >= words;
    if (!single) {
      this.#each((r, v) =>
        f.set(this.#ints[r]![v]!, offset ? v128.load32Splat(this.#part, this.#partAt(r) + 4) : v128.zero()),
      );
    }
    const runEnd = f.i32();
    for (let done = 0; done < words; done += run) {
      if (plan.form === "pair") this.#each((r, v) => f.set(this.#run[r]![v]!, v128.zero()));
      f.set(runEnd, i32.add(this.#codes, run * plan.codeWordBytes));
      f.while(i32.ne(this.#codes, runEnd), () => this.#emitWord());
      if (plan.form !== "pair") continue;
      this.#each((r, v) => {
        const sum = i32x4.extaddPairwiseI16S(this.#run[r]![v]!);
        const start = offset ? v128.load32Splat(this.#part, this.#partAt(r) + 4) : undefined;
        const before = single ? start : this.#ints[r]![v]!;
        f.set(this.#ints[r]![v]!, before ? i32x4.add(before, sum) : sum);
      });
    }
  }

  /** One word (4 elements) of every row times one word of every column. */
  #emitWord(): void {
    const { f, format, shape } = this;
    const { plan } = format;
    const perCode = plan.codeWordBytes / 64;
    const b = Array.from({ length: shape.vectors }, (_, v) =>
      Array.from({ length: perCode }, (_, i) => f.v128(v128.load(this.#codes, 16 * v + 64 * i))),
    );
    for (let r = 0; r < shape.rows; r++) {
      this.#xWord.load(this.#x, this.#partAt(r));
      for (let v = 0; v < shape.vectors; v++) this.#xWord.dot(this.#run[r]![v]!, b[v]!);
    }
    f.increment(this.#x, plan.xWordBytes);
    f.increment(this.#codes, plan.codeWordBytes);
  }

  #emitScales(): void {
    const { f, features, format, shape } = this;
    const hasMinimum = partSum(format) === "minimum";
    for (let r = 0; r < shape.rows; r++) {
      const d = f.v128(v128.load32Splat(this.#part, this.#partAt(r)));
      const dSum = f.v128(v128.load32Splat(this.#part, this.#partAt(r) + 4));
      for (let v = 0; v < shape.vectors; v++) {
        const sum = this.#sums[r]![v]!;
        f.set(
          sum,
          madd(features, f32x4.fromI32(this.#ints[r]![v]!), f32x4.mul(v128.load(this.#scales, 16 * v), d), sum),
        );
        if (hasMinimum) f.set(sum, madd(features, v128.load(this.#scales, SCALE_BYTES + 16 * v), dSum, sum));
      }
    }
  }
}
