/**
 * Ctrl-C and SIGTERM: the first asks the running work to stop (AbortSignal), a second Ctrl-C ends the process at once.
 * Knows signals and exit codes, no commands.
 */
import { EXIT } from "./exitCodes.ts";

export class Interrupt {
  readonly #controller = new AbortController();
  readonly #onStop: () => void;
  readonly #onSigint = (): void => this.#stop(EXIT.interrupted, "SIGINT");
  readonly #onSigterm = (): void => this.#stop(EXIT.terminated, "SIGTERM");
  #exitCode: number | undefined;

  /** `onStop` is called once, at the first signal. */
  constructor(onStop: () => void) {
    this.#onStop = onStop;
    process.on("SIGINT", this.#onSigint);
    process.on("SIGTERM", this.#onSigterm);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** 130 or 143 once a signal has come. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** As if the user had pressed Ctrl-C (a terminal in raw mode sends no signal). */
  interrupt(): void {
    this.#onSigint();
  }

  #stop(exitCode: number, name: string): void {
    if (this.#exitCode !== undefined) process.exit(this.#exitCode);
    this.#exitCode = exitCode;
    this.#onStop();
    this.#controller.abort(new Error(`stopped by ${name}`));
  }

  dispose(): void {
    process.off("SIGINT", this.#onSigint);
    process.off("SIGTERM", this.#onSigterm);
  }
}
