import { defineConfig } from "vitest/config";
import { LineReporter } from "./test/support/lineReporter.ts";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    globalSetup: ["test/support/pullModel.ts"],
    reporters: ["default", new LineReporter()],
  },
});
