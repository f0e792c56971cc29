/**
 * One measured process: started, told to measure, and frozen (SIGSTOP) while others are measured, so that its spinning
 * threads take nothing from them. Knows the protocol of child.mjs, no engine.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const TIMEOUT_MS = 180_000;

export class Contender {
  /** `key` names it in results; `command` is the program and its arguments. */
  constructor(key, command, env) {
    this.key = key;
    this.facts = undefined;
    this.failure = undefined;
    /** cell -> milliseconds, one a round */
    this.times = {};
    this.command = command;
    this.env = env;
  }

  /** Starts, waits until it has warmed up, and freezes it. A failure is kept, not thrown. */
  async start() {
    const [program, ...args] = this.command;
    this.errors = [];
    this.process = spawn(program, args, { env: { ...process.env, ...this.env }, stdio: ["pipe", "pipe", "pipe"] });
    this.process.on("error", (error) => this.#fail(error.message));
    this.process.stdin.on("error", () => {}); // an ended process is reported below
    this.process.stderr.on("data", (data) => this.errors.push(String(data)));
    this.process.on("exit", (code) =>
      this.#fail(`ended with ${code}: ${this.errors.join("").trim().split("\n").at(-1)}`),
    );
    createInterface({ input: this.process.stdout }).on("line", (line) => this.#receive(JSON.parse(line)));
    this.facts = (await this.#reply())?.ready;
    this.#freeze();
  }

  async round() {
    if (this.failure) return;
    this.process.kill("SIGCONT");
    this.process.stdin.write("go\n");
    const times = (await this.#reply())?.times;
    this.#freeze();
    for (const [cell, ms] of Object.entries(times ?? {})) (this.times[cell] ??= []).push(ms);
  }

  stop() {
    this.process?.removeAllListeners("exit");
    this.process?.kill("SIGKILL");
  }

  #freeze() {
    if (!this.failure) this.process.kill("SIGSTOP");
  }

  #reply() {
    return new Promise((resolve) => {
      if (this.failure) return resolve(undefined);
      const timer = setTimeout(() => this.#fail(`no answer within ${TIMEOUT_MS / 1000} s`), TIMEOUT_MS);
      this.resolve = (message) => {
        clearTimeout(timer);
        resolve(message);
      };
    });
  }

  #receive(message) {
    if (message.failed) this.#fail(message.failed);
    else this.resolve?.(message);
  }

  #fail(why) {
    if (this.failure) return;
    this.failure = why;
    this.stop();
    this.resolve?.(undefined);
  }
}
