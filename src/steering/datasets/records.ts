/**
 * Text to records, each with the file and line where it stands: JSONL, a JSON array, CSV (RFC 4180). Refuses bad text with that
 * place. Knows nothing of what the records mean.
 */
import { InputError } from "../../tensor/errors.ts";

export interface DataRecord {
  readonly fields: Readonly<Record<string, unknown>>;
  /** `file:line`, lines from 1. */
  readonly where: string;
}

/** The value of a field that must be text. @throws InputError E_DATA with the place. */
export function textField(record: DataRecord, key: string): string {
  const value = record.fields[key];
  if (typeof value === "string" && value.trim() !== "") return value;
  const got = value === undefined ? "missing" : JSON.stringify(value);
  const hint = value === undefined ? `its fields are ${Object.keys(record.fields).join(", ") || "none"}` : undefined;
  throw new InputError("E_DATA", `${record.where}: "${key}" is ${got}, expected text`, hint);
}

/** Records of JSONL, or of a JSON array of objects where the text begins with a bracket. @throws InputError E_DATA. */
export function jsonRecords(text: string, fileName: string): DataRecord[] {
  const body = text.replace(/^\uFEFF/, "");
  const records = /^\s*\[/.test(body) ? arrayRecords(body, fileName) : lineRecords(body, fileName);
  return requireSome(records, fileName);
}

function lineRecords(text: string, fileName: string): DataRecord[] {
  // split at \n only: JSON text may hold other line separators of Unicode
  return text.split("\n").flatMap((line, i) => {
    if (line.trim() === "") return [];
    const where = `${fileName}:${i + 1}`;
    return [{ fields: requireObject(parseJson(line, where), where), where }];
  });
}

function arrayRecords(text: string, fileName: string): DataRecord[] {
  const rows = parseJson(text, fileName) as unknown[];
  const lines = elementLines(text);
  return rows.map((row, i) => {
    const where = `${fileName}:${lines[i]}`;
    return { fields: requireObject(row, where), where };
  });
}

/** The line on which each element of a valid JSON array begins. */
function elementLines(text: string): number[] {
  const lines: number[] = [];
  let [line, depth, inElement] = [1, 0, false];
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[^\s"]|\n/g)) {
    if (token === "\n") line++;
    else if (depth === 1 && (token === "," || token === "]")) inElement = false;
    else if (depth === 1 && !inElement) {
      inElement = true;
      lines.push(line);
    }
    if (token === "[" || token === "{") depth++;
    else if (token === "]" || token === "}") depth--;
  }
  return lines;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const hint = "one JSON object a line, or one JSON array of objects";
    throw new InputError("E_DATA", `${where}: not valid JSON: ${(cause as Error).message}`, hint, { cause });
  }
}

function requireObject(row: unknown, where: string): Record<string, unknown> {
  if (typeof row === "object" && row !== null && !Array.isArray(row)) return row as Record<string, unknown>;
  throw new InputError("E_DATA", `${where}: ${JSON.stringify(row)?.slice(0, 60)} is no JSON object`);
}

/** Records of CSV with a header line; a quoted field may hold commas, line ends and doubled quotes. @throws InputError E_DATA. */
export function csvRecords(text: string, fileName: string): DataRecord[] {
  const [header, ...rows] = csvRows(text.replace(/^\uFEFF/, ""), fileName);
  const names = header?.cells.map((c) => c.trim()) ?? [];
  const records = rows.map(({ cells, line }) => {
    const where = `${fileName}:${line}`;
    if (cells.length !== names.length)
      throw new InputError(
        "E_DATA",
        `${where}: ${cells.length} fields, but the header has ${names.length}`,
        "put fields that hold commas between double quotes",
      );
    return { fields: Object.fromEntries(names.map((name, i) => [name, cells[i]])), where };
  });
  return requireSome(records, fileName);
}

interface CsvRow {
  readonly cells: string[];
  readonly line: number;
}

function csvRows(text: string, fileName: string): CsvRow[] {
  const rows: CsvRow[] = [];
  // a cell, quoted or plain, and the comma or line end after it
  const cell = /(?:"([^"]*(?:""[^"]*)*)"|([^",\r\n]*))(,|\r\n?|\n|$)/y;
  let [cells, line, rowLine] = [[] as string[], 1, 1];
  while (cell.lastIndex < text.length || cells.length > 0) {
    const found = cell.exec(text);
    if (found === null)
      throw new InputError(
        "E_DATA",
        `${fileName}:${line}: a double quote is out of place`,
        'inside a quoted field write ""',
      );
    const [all, quoted, plain, end] = found as unknown as [string, string | undefined, string | undefined, string];
    cells.push(quoted === undefined ? (plain ?? "") : quoted.replaceAll('""', '"'));
    line += all.match(/\r\n?|\n/g)?.length ?? 0;
    if (end === ",") continue;
    if (cells.length > 1 || cells[0]!.trim() !== "") rows.push({ cells, line: rowLine });
    [cells, rowLine] = [[], line];
    if (cell.lastIndex >= text.length) break;
  }
  return rows;
}

function requireSome(records: DataRecord[], fileName: string): DataRecord[] {
  if (records.length > 0) return records;
  throw new InputError("E_DATA", `${fileName} has no rows`, "expected at least one");
}
