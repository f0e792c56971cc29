/**
 * Ends a test run with the one plain line `N passed, N failed, N skipped`, which CI reads, after naming what was skipped. A
 * file or suite that does not load, an unhandled error and a run that does not reach its end count as failed.
 */
import type { Reporter, TestModule } from "vitest/node";

export class LineReporter implements Reporter {
  private count = { passed: 0, failed: 1, skipped: 0 };
  private readonly skipped: string[] = [];

  onInit(): void {
    // On exit, so that nothing vitest prints comes after it.
    process.once("exit", () => {
      const { passed, failed, skipped } = this.count;
      for (const name of this.skipped) process.stdout.write(`skipped: ${name}\n`);
      process.stdout.write(`\n${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    });
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    if (modules.length === 0) return; // a set-up that failed, or no test file: still a failure
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === "passed") count.passed++;
        else if (state === "failed") count.failed++;
        else {
          count.skipped++;
          this.skipped.push(`${module.relativeModuleId} > ${test.fullName}`);
        }
      }
      const brokenSuites = [...module.children.allSuites()].filter((suite) => suite.errors().length > 0).length;
      count.failed += module.errors().length + brokenSuites;
    }
    this.count = count;
  }
}
