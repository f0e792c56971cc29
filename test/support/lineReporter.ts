/** Ends a test run with the one plain line `N passed, N failed, N skipped`, which CI reads. A suite that does not load fails. */
import type { Reporter, TestModule } from "vitest/node";

export class LineReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      for (const test of tests) {
        const { state } = test.result();
        if (state === "passed") count.passed++;
        else if (state === "failed") count.failed++;
        else count.skipped++;
      }
      const brokenSuites = [...module.children.allSuites()].filter((suite) => suite.errors().length > 0).length;
      count.failed += module.errors().length + brokenSuites;
    }
    // After the default reporter's summary, which prints in the same phase.
    process.once("exit", () => {
      process.stdout.write(`\n${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped\n`);
    });
  }
}
