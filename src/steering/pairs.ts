/**
 * Contrast pairs: reading them from JSONL, and turning one into two token sequences with the place to read. Knows a model's
 * tokenizer and template, not its forward pass. Formats as EXPERIMENTS in docs; the paper's is [system, user] + " " + answer.
 */

import type { LanguageModel } from "../model/index.ts";
import { InputError } from "../tensor/errors.ts";

/** Two texts that differ in one concept. With a prompt, `positive` and `negative` are answers to it; without, whole texts. */
export interface ContrastPair {
  readonly prompt?: string;
  readonly positive: string;
  readonly negative: string;
}

/** Where to read: the first token at which the two texts differ, a token index (negative from the end), or the answer's mean. */
export type ReadPosition = "auto" | "mean" | number;

export interface PairOptions {
  /** Texts exactly as written, without the chat template. */
  readonly raw?: boolean;
  /** System message of the template. */
  readonly system?: string;
}

export const DEFAULT_SYSTEM = "You are a helpful, honest and concise assistant.";

/** JSONL text to pairs. @throws InputError E_DATA with file and line. */
export function parsePairs(text: string, fileName: string): ContrastPair[] {
  const pairs: ContrastPair[] = [];
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    pairs.push(parsePair(line, `${fileName}:${i + 1}`));
  }
  if (pairs.length === 0)
    throw new InputError(
      "E_DATA",
      `${fileName} has no pairs`,
      'give one JSON object a line: {"positive": "...", "negative": "..."}',
    );
  return pairs;
}

function parsePair(line: string, where: string): ContrastPair {
  let row: unknown;
  try {
    row = JSON.parse(line);
  } catch (cause) {
    throw new InputError("E_DATA", `${where}: not valid JSON: ${(cause as Error).message}`, "one JSON object a line", {
      cause,
    });
  }
  const { prompt, positive, negative } = (typeof row === "object" && row !== null ? row : {}) as Record<
    string,
    unknown
  >;
  for (const [key, value] of Object.entries({ positive, negative })) {
    if (typeof value !== "string" || value === "")
      throw new InputError("E_DATA", `${where}: "${key}" is ${JSON.stringify(value)}, expected text`);
  }
  if (prompt !== undefined && typeof prompt !== "string")
    throw new InputError("E_DATA", `${where}: "prompt" is ${JSON.stringify(prompt)}, expected text`);
  if (positive === negative) throw new InputError("E_DATA", `${where}: "positive" and "negative" are the same text`);
  return prompt === undefined
    ? { positive: positive as string, negative: negative as string }
    : { prompt, positive: positive as string, negative: negative as string };
}

/** One side of a pair as tokens. */
export interface PairTokens {
  readonly tokens: readonly number[];
  /** First token of the answer. */
  readonly answerStart: number;
}

/**
 * Both sides as tokens. With a prompt and a chat template: [system, user: prompt] with its generation prompt, one blank, the
 * trimmed answer. Otherwise prompt + answer as written.
 */
export function tokenizePair(
  model: LanguageModel,
  pair: ContrastPair,
  o: PairOptions,
): { positive: PairTokens; negative: PairTokens; differ: number } {
  const tokenizer = model.requireTokenizer("extracting from text pairs");
  const templated = pair.prompt !== undefined && !o.raw && model.chatTemplate !== undefined;
  const base = templated ? model.render(pair.prompt!, { system: o.system ?? DEFAULT_SYSTEM }) : (pair.prompt ?? "");
  const encode = (text: string): number[] => tokenizer.encode(text, { bos: templated ? "never" : "auto" });
  const [baseTokens, positive, negative] = [
    pair.prompt === undefined ? undefined : encode(base),
    encode(templated ? `${base} ${pair.positive.trim()}` : base + pair.positive),
    encode(templated ? `${base} ${pair.negative.trim()}` : base + pair.negative),
  ];
  const differ = firstDifference(positive, negative);
  const side = (tokens: readonly number[]): PairTokens => ({
    tokens,
    answerStart: baseTokens ? firstDifference(baseTokens, tokens) : differ,
  });
  return { positive: side(positive), negative: side(negative), differ };
}

/** First index at which two sequences differ; the length of the shorter where it is a prefix of the other. */
export function firstDifference(a: readonly number[], b: readonly number[]): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) if (a[i] !== b[i]) return i;
  return n;
}

/** Positions [from, to) at which one side is read. @throws InputError E_DATA naming the pair. */
export function readRange(
  side: PairTokens,
  differ: number,
  read: ReadPosition,
  where: string,
): { from: number; to: number } {
  const n = side.tokens.length;
  if (read === "mean") {
    if (side.answerStart < n) return { from: side.answerStart, to: n };
    throw new InputError("E_DATA", `${where}: the answer has no tokens of its own to read`);
  }
  const at = read === "auto" ? differ : read < 0 ? n + read : read;
  if (at >= 0 && at < n) return { from: at, to: at + 1 };
  const why =
    read === "auto" ? "one text is the beginning of the other" : `the text has ${n} tokens, read position is ${read}`;
  throw new InputError("E_DATA", `${where}: ${why}`, "choose another read position, such as -1");
}
