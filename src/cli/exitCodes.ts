/**
 * Exit codes of the CLI, and which error means which. Scripts rely on them; `--help` prints them. Knows error codes, no
 * commands.
 */
import { CommanderError } from "commander";
import { type ErrorCode, TrimtabError } from "../tensor/errors.ts";

export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  device: 4,
  interrupted: 130,
  terminated: 143,
} as const;

export const EXIT_HELP = `
Exit codes: 0 done · 1 failed · 2 wrong usage or input · 3 not found, or no access · 4 device or out of memory
            130 stopped by Ctrl-C · 143 stopped by SIGTERM`;

const BY_ERROR_CODE: Partial<Record<ErrorCode, number>> = {
  E_OPTION: EXIT.usage,
  E_LAYER: EXIT.usage,
  E_HOOK: EXIT.usage,
  E_CONTEXT: EXIT.usage,
  E_DATA: EXIT.usage,
  E_TOKENIZER: EXIT.usage,
  E_HUB: EXIT.notFound,
  E_HUB_NOT_FOUND: EXIT.notFound,
  E_HUB_AUTH: EXIT.notFound,
  E_HUB_OFFLINE: EXIT.notFound,
  E_DEVICE: EXIT.device,
  E_OOM: EXIT.device,
};

const BY_SYSTEM_CODE: Readonly<Record<string, number>> = {
  ENOENT: EXIT.notFound,
  EACCES: EXIT.notFound,
  EPERM: EXIT.notFound,
  ENOMEM: EXIT.device,
};

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof TrimtabError) return BY_ERROR_CODE[error.code] ?? EXIT.failed;
  if (isOutOfMemory(error)) return EXIT.device;
  const system = (error as { code?: unknown } | undefined)?.code;
  return (typeof system === "string" ? BY_SYSTEM_CODE[system] : undefined) ?? EXIT.failed;
}

/** V8 reports a buffer or a WebAssembly memory that it cannot have as a RangeError. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof RangeError && /allocation failed|allocate memory|out of memory/i.test(error.message);
}
