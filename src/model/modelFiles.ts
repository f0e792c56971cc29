/**
 * Where a model's files come from: a folder on disk, a list of File objects (a page's file picker), or one GGUF. Knows
 * names and bytes only. Node's modules are imported when a folder is really read.
 */
import { type ByteSource, blobSource, fileSource } from "../formats/index.ts";
import { FormatError, InputError } from "../tensor/errors.ts";

/** Files of a Hugging Face folder, by name. */
export interface ModelFiles {
  readonly name: string;
  /** The text of a file, or undefined where there is none. */
  text(file: string): Promise<string | undefined>;
  /** @throws InputError E_DATA where there is none. */
  source(file: string): Promise<ByteSource>;
  has(file: string): Promise<boolean>;
}

/** Config files are small; a larger one is not what it claims to be. tokenizer.json of a 250k vocabulary is 33 MB. */
const MAX_TEXT_BYTES = 256 * 1024 * 1024;

export async function folderFiles(path: string): Promise<ModelFiles> {
  const { readFile, stat } = await import("node:fs/promises");
  const { basename, join, resolve } = await import("node:path");
  const size = async (file: string): Promise<number | undefined> => {
    try {
      const s = await stat(join(path, file));
      return s.isFile() ? s.size : undefined;
    } catch {
      return undefined;
    }
  };
  return {
    name: basename(resolve(path)),
    has: async (file) => (await size(file)) !== undefined,
    text: async (file) => {
      const bytes = await size(file);
      if (bytes === undefined) return undefined;
      refuseLarge(file, bytes);
      return decode(await readFile(join(path, file)), join(path, file));
    },
    source: async (file) => {
      if ((await size(file)) === undefined) throw missing(file, path);
      return fileSource(join(path, file));
    },
  };
}

/** Files chosen in a page. @throws InputError where two share a name. */
export function pickedFiles(files: readonly File[]): ModelFiles {
  const byName = new Map(files.map((f) => [f.name, f]));
  if (byName.size !== files.length) throw new InputError("E_DATA", "two of the chosen files have the same name");
  return {
    name: files.find((f) => /\.(gguf|safetensors)$/.test(f.name))?.name ?? "files",
    has: async (file) => byName.has(file),
    text: async (file) => {
      const found = byName.get(file);
      if (!found) return undefined;
      refuseLarge(file, found.size);
      return decode(new Uint8Array(await found.arrayBuffer()), file);
    },
    source: async (file) => {
      const found = byName.get(file);
      if (!found) throw missing(file, "the chosen files");
      return blobSource(found, file);
    },
  };
}

function missing(file: string, where: string): InputError {
  return new InputError(
    "E_DATA",
    `${file} is not in ${where}`,
    "a model folder holds config.json and model.safetensors (or its index and shards)",
  );
}

function refuseLarge(file: string, bytes: number): void {
  if (bytes > MAX_TEXT_BYTES) throw new FormatError(`${file} has ${bytes} bytes, at most ${MAX_TEXT_BYTES} are read`);
}

function decode(bytes: Uint8Array, where: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${where} is not UTF-8 text`, undefined, { cause });
  }
}
