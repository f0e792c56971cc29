#!/usr/bin/env node
/** Entry of the `trimtab` program: arguments in, exit code out. A reader that went away (`| head`) is no error. */
import { runCli } from "./index.ts";

process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2));
