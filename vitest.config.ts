/** How the tests run: in forked processes, one a core, ending with one plain line of counts. */
import { defineConfig } from "vitest/config";
import { LineReporter } from "./test/support/lineReporter.ts";

export default defineConfig({
  test: {
    environment: "node",
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    globalSetup: ["test/support/pullModel.ts"],
    reporters: ["default", new LineReporter()],
  },
});
