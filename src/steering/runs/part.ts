/**
 * One layer of one unit as a Parquet file: long rows, one for every vector, item and multiplier, with every column that tells
 * them apart, so that a single part is complete in itself. Knows rows and bytes, no folders.
 */
import { type FileMetaData, parquetMetadata, parquetRead } from "hyparquet";
import { type ColumnSource, parquetWriteBuffer } from "hyparquet-writer";
import { FormatError } from "../../tensor/errors.ts";
import { type Measure, rowOffset, type TestedItem, type UnitResult } from "../study/result.ts";

export const PART_SCHEMA = "2";

/** Columns of the measures, which are null where a measure was not computed. */
export const MEASURE_COLUMNS = { ab: "ab", "logit-sum": "logit_sum", logprob: "logprob" } as const satisfies Record<
  Measure,
  string
>;

export interface PartFacts {
  readonly configHash: string;
  readonly unit: string;
}

/** Rows [vector][item][multiplier] of one layer. */
export function partBytes(r: UnitResult, layer: number, facts: PartFacts): Uint8Array {
  const kvMetadata = [
    { key: "trimtab.schema", value: PART_SCHEMA },
    { key: "trimtab.config_hash", value: facts.configHash },
    { key: "trimtab.unit", value: facts.unit },
  ];
  const columnData = partColumns(r, layer);
  const rows = columnData[0]!.data.length;
  return new Uint8Array(parquetWriteBuffer({ columnData, kvMetadata, rowGroupSize: Math.max(1, rows) }));
}

/** The table of one layer: see the header. */
export function partColumns(r: UnitResult, layer: number): ColumnSource[] {
  const { items, multipliers, vectors, layers } = r;
  const [V, I, M] = [vectors.length, items.length, multipliers.length];
  const rows = V * I * M;
  const each = <T>(value: (v: number, i: number, m: number) => T): T[] =>
    Array.from({ length: rows }, (_, row) => value(Math.floor(row / (I * M)), Math.floor(row / M) % I, row % M));
  const text = (name: string, value: string): ColumnSource => required(name, "STRING", Array(rows).fill(value));
  const measure = (m: Measure): ColumnSource => {
    const table = r.propensities[m];
    const data = each((v, i, k) => (table ? table[rowOffset(r, v, layer, i) + k]! : null));
    return { ...required(MEASURE_COLUMNS[m], "DOUBLE", data), nullable: true };
  };
  const { ab, "logit-sum": sum } = r.propensities;
  const paren = each((v, i, k) => {
    const at = rowOffset(r, v, layer, i) + k;
    return ab && sum ? sum[at]! - ab[at]! : null;
  });
  return [
    text("model", r.model),
    text("dataset", r.dataset),
    text("format", r.format),
    text("setting", r.setting),
    required("seed", "INT64", Array(rows).fill(BigInt(r.seed))),
    text("operator", r.operator),
    required("skip", "INT32", Array(rows).fill(r.skip)),
    required("layer", "INT32", Array(rows).fill(layers[layer]!)),
    required(
      "vector",
      "STRING",
      each((v) => vectors[v]!),
    ),
    required(
      "norm",
      "DOUBLE",
      each((v) => r.norms[v * layers.length + layer]!),
    ),
    required(
      "item",
      "INT32",
      each((_, i) => items[i]!.index),
    ),
    optional(
      "letter",
      each((_, i) => items[i]!.letter),
    ),
    optional(
      "yes_no",
      each((_, i) => items[i]!.yesNo),
    ),
    required(
      "original_yes",
      "BOOLEAN",
      each((_, i) => items[i]!.originalYes),
    ),
    required(
      "swapped",
      "BOOLEAN",
      each((_, i) => items[i]!.swapped),
    ),
    required(
      "mass",
      "DOUBLE",
      each((_, i) => items[i]!.mass),
    ),
    required(
      "multiplier",
      "DOUBLE",
      each((_v, _i, m) => multipliers[m]!),
    ),
    measure("ab"),
    { ...required("paren", "DOUBLE", paren), nullable: true },
    measure("logit-sum"),
    measure("logprob"),
  ];
}

function required(
  name: string,
  type: "STRING" | "DOUBLE" | "INT32" | "INT64" | "BOOLEAN",
  data: unknown[],
): ColumnSource {
  // a dictionary would hold -0 and 0 as one value
  const encoding = type === "DOUBLE" ? ({ encoding: "PLAIN" } as const) : {};
  return { name, type, data, nullable: false, ...encoding };
}

function optional(name: string, data: (string | null)[]): ColumnSource {
  return { name, type: "STRING", data, nullable: true };
}

/** A part that was read: its columns by name, and what its metadata say. */
export interface ReadPart {
  readonly rows: number;
  readonly columns: ReadonlyMap<string, ArrayLike<unknown>>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** @throws FormatError naming the file where it is damaged or of a newer version. */
export async function readPart(bytes: Uint8Array, name: string, only?: readonly string[]): Promise<ReadPart> {
  const file = bytes.slice().buffer;
  let metadata: FileMetaData;
  const columns = new Map<string, unknown[]>();
  try {
    metadata = parquetMetadata(file);
    await parquetRead({
      file,
      metadata,
      columns: only ? [...only] : undefined,
      onChunk: ({ columnName, columnData, rowStart }) => {
        const into = columns.get(columnName) ?? [];
        columns.set(columnName, into);
        for (let i = 0; i < columnData.length; i++) into[rowStart + i] = columnData[i];
      },
    });
  } catch (cause) {
    throw new FormatError(`${name}: damaged Parquet (${(cause as Error).message})`, REMEDY, { cause });
  }
  const facts = new Map((metadata.key_value_metadata ?? []).map(({ key, value }) => [key, value ?? ""]));
  const schema = facts.get("trimtab.schema");
  if (schema !== PART_SCHEMA)
    throw new FormatError(
      `${name}: schema ${schema ?? "missing"}, this program reads ${PART_SCHEMA}`,
      "update trimtab",
    );
  return { rows: Number(metadata.num_rows), columns, metadata: facts };
}

export const REMEDY = "run the sweep again: it computes the unit anew";

/** Item facts from the first vector's rows. */
export function itemsOf(part: ReadPart, items: number, multipliers: number): TestedItem[] {
  const at = (name: string, i: number): unknown => part.columns.get(name)![i * multipliers];
  return Array.from({ length: items }, (_, i) => ({
    index: at("item", i) as number,
    letter: at("letter", i) as TestedItem["letter"],
    yesNo: at("yes_no", i) as TestedItem["yesNo"],
    originalYes: at("original_yes", i) as boolean,
    swapped: at("swapped", i) as boolean,
    mass: at("mass", i) as number,
  }));
}
