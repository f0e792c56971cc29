/** `trimtab chat`: a conversation on the terminal, or one turn a line from a pipe. Steering strength changes on the fly. */
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { InputError, nearest, TrimtabError } from "../../tensor/errors.ts";
import { Conversation } from "../conversation.ts";
import { EXIT } from "../exitCodes.ts";
import {
  addModelFlags,
  addSamplingFlags,
  addSteerFlags,
  type Cli,
  type ModelFlags,
  type SamplingFlags,
  type SteerFlags,
  samplingOptions,
} from "../flags.ts";
import { loadSteered } from "../loading.ts";
import { toNumber } from "../values.ts";
import type { LoadedVector } from "../vectorFlags.ts";

interface Flags extends ModelFlags, SamplingFlags, SteerFlags {
  readonly system?: string;
}

const HELP = `/steer 1.5     multiply the vectors' scales by 1.5 (0 for none, negative to turn them round)
/steer         show the strength
/system TEXT   set the system message; without text, take the template's own
/reset         forget the conversation
/quit          leave (so does Ctrl-D; Ctrl-C stops an answer)
A line that begins with a blank is sent as it is.`;

const TEMPERATURE = 0.7;

export function addChat(program: Command, cli: Cli): void {
  const command = program.command("chat").description("talk with a model, changing the steering on the fly");
  addModelFlags(command);
  addSteerFlags(command);
  addSamplingFlags(command, TEMPERATURE);
  command.option("--system <text>", "system message of the chat template");
  command.addHelpText("after", `\nWhile chatting:\n${HELP.replace(/^/gm, "  ")}`);
  command.action((flags: Flags) => chat(cli, flags));
}

async function chat(cli: Cli, flags: Flags): Promise<void> {
  const { model, vectors } = await loadSteered(cli, flags);
  if (!model.chatTemplate) {
    throw new InputError("E_TOKENIZER", `${model.name} has no chat template`, "use trimtab generate --raw");
  }
  const { system, positions } = flags;
  const generate = samplingOptions(flags);
  const conversation = new Conversation(model, { system, vectors, positions, generate });
  const session = new Session(cli, conversation, vectors);
  try {
    await session.run();
  } finally {
    conversation.dispose();
  }
}

class Session {
  readonly #cli: Cli;
  readonly #conversation: Conversation;
  readonly #vectors: readonly LoadedVector[];
  readonly #lines: Interface;
  readonly #interactive = Boolean(process.stdin.isTTY && process.stderr.isTTY);
  /** The answer being written. */
  #answering: AbortController | undefined;
  /** Ctrl-C was pressed since the last line. */
  #armed = false;

  constructor(cli: Cli, conversation: Conversation, vectors: readonly LoadedVector[]) {
    this.#cli = cli;
    this.#conversation = conversation;
    this.#vectors = vectors;
    this.#lines = createInterface({ input: process.stdin, output: process.stderr, terminal: this.#interactive });
    this.#lines.on("SIGINT", () => this.#onCtrlC());
    cli.interrupt.signal.addEventListener("abort", () => {
      this.#answering?.abort();
      this.#lines.close();
    });
  }

  async run(): Promise<void> {
    const { terminal, interrupt } = this.#cli;
    if (this.#interactive) {
      terminal.note(`${this.#conversation.model.name}, ${this.#steering()} · /help lists the commands`);
      this.#prompt();
    }
    for await (const line of this.#lines) {
      if (interrupt.signal.aborted) break;
      this.#armed = false;
      if (line.startsWith("/")) {
        if (this.#command(line)) return this.#lines.close();
      } else if (line.trim() !== "") await this.#turn(line.trim());
      if (interrupt.signal.aborted) break;
      this.#prompt();
    }
    this.#lines.close();
    if (this.#interactive) process.stderr.write("\n"); // Ctrl-D leaves the prompt's line unfinished
  }

  async #turn(text: string): Promise<void> {
    const { terminal } = this.#cli;
    this.#answering = new AbortController();
    try {
      const answer = this.#conversation.say(text, this.#answering.signal);
      let next = await answer.next();
      for (; !next.done; next = await answer.next()) terminal.data(next.value);
      terminal.data("\n");
      if (next.value.stopReason === "abort") terminal.note("(stopped)");
      if (next.value.stopReason === "length") terminal.note("(cut at --max-tokens, or at the end of the context)");
    } catch (error) {
      // What the user typed may be too long; the conversation goes on without it.
      if (!(error instanceof TrimtabError)) throw error;
      terminal.error(error);
      if (error.code === "E_CONTEXT") terminal.note("/reset forgets the conversation so far");
    } finally {
      this.#answering = undefined;
    }
  }

  /** Runs a slash command; true to leave. */
  #command(line: string): boolean {
    const { terminal } = this.#cli;
    const [, name = "", rest = ""] = /^\/(\S*)\s*(.*)$/s.exec(line) ?? [];
    const commands: Readonly<Record<string, () => void>> = {
      steer: () => this.#steer(rest),
      system: () => this.#system(rest),
      reset: () => {
        this.#conversation.reset();
        terminal.note("forgotten");
      },
      help: () => terminal.note(HELP),
      quit: () => {},
    };
    const run = Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (run) run();
    else {
      const near = nearest(name, Object.keys(commands));
      const hint = near ? `did you mean /${near}?` : "/help lists the commands";
      terminal.error(new InputError("E_OPTION", `there is no command /${name}`, hint));
    }
    return name === "quit";
  }

  #steer(text: string): void {
    const { terminal } = this.#cli;
    const strength = text.trim() === "" ? this.#conversation.strength : toNumber(text);
    if (strength === undefined) {
      terminal.error(new InputError("E_OPTION", `/steer ${text}`, "give a number, such as /steer 1.5"));
    } else if (this.#vectors.length === 0) {
      terminal.error(new InputError("E_OPTION", "there is no vector to steer with", "start with --vector FILE:SCALE"));
    } else {
      const recomputed = strength !== this.#conversation.strength && this.#conversation.messages.length > 0;
      this.#conversation.strength = strength;
      terminal.note(`${this.#steering()}${recomputed ? " · the conversation so far is computed anew" : ""}`);
    }
  }

  #system(text: string): void {
    this.#conversation.system = text === "" ? undefined : text;
    this.#cli.terminal.note(text === "" ? "the template's own system message" : "system message set");
  }

  #steering(): string {
    if (this.#vectors.length === 0) return "unsteered";
    const { strength } = this.#conversation;
    return this.#vectors
      .map(({ vector, scale }) => `layer ${vector.layer} × ${+(scale * strength).toPrecision(6)}`)
      .join(", ");
  }

  #prompt(): void {
    if (this.#interactive) this.#lines.prompt();
  }

  /** The first stops the answer, or warns; the second leaves. */
  #onCtrlC(): void {
    if (this.#armed) {
      process.stderr.write("\n");
      process.exit(EXIT.interrupted);
    }
    this.#armed = true;
    if (this.#answering) this.#answering.abort();
    else {
      this.#cli.terminal.note("\n(Ctrl-C again, or /quit, leaves)");
      this.#prompt();
    }
  }
}
