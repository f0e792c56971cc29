/** A conversation gives what fresh runs of the whole conversation give, while it reuses what they would compute alike. */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { Conversation } from "../../src/cli/conversation.ts";
import { type LoadedVector, type Positions, toInterventions } from "../../src/cli/vectorFlags.ts";
import {
  type ChatMessage,
  type ChatTemplate,
  LanguageModel,
  loadModel,
  type Tokenizer,
} from "../../src/model/index.ts";
import { SteeringVector } from "../../src/steering/index.ts";
import { fixtures } from "../support/needs.ts";

/** Token ids are character codes; 211 of them. */
const TOKENIZER = {
  encode: (text: string) => [...text].map((c) => c.charCodeAt(0) % 211),
  isSpecial: () => false,
  bytesOf: (id: number) => new TextEncoder().encode(String.fromCharCode(id)),
  stripLeadingSpace: false,
} as unknown as Tokenizer;

const TEMPLATE = {
  render: (messages: readonly ChatMessage[]) => `${messages.map((m) => `<${m.role}>${m.content}`).join("")}<assistant>`,
} as unknown as ChatTemplate;

const tiny = await loadModel(join(fixtures, "tiny", "llama"));
const { name, config, backend, weights, context, eosTokenIds, sha256, loadMs } = tiny;
const parts = { name, config, backend, weights, context, eosTokenIds, sha256, loadMs };
const model = new LanguageModel({ ...parts, tokenizer: TOKENIZER, chatTemplate: TEMPLATE });

const META = { model: "m", modelSha256: "", method: "meanDiff", read: "auto", pairs: 1, createdBy: "test" };
const direction = Float32Array.from({ length: config.D }, (_, d) => 3 * Math.sin(1 + 7 * d));
const VECTOR: LoadedVector = {
  file: "v",
  vector: new SteeringVector("blocks.1.hook_resid_post", direction, META),
  scale: 1,
};
const LENGTH = { maxTokens: 9, ignoreEos: true };

interface Turn {
  readonly tokens: readonly number[];
  /** Prompt tokens that had to be computed. */
  readonly computed: number;
  readonly text: string;
}

async function say(conversation: Conversation, text: string): Promise<Turn> {
  const answer = conversation.say(text, new AbortController().signal);
  for (;;) {
    const next = await answer.next();
    if (next.done)
      return { tokens: next.value.tokens, computed: next.value.promptTokens.length, text: next.value.text };
  }
}

async function fresh(
  messages: readonly ChatMessage[],
  vectors: readonly LoadedVector[],
  positions: Positions,
  strength = 1,
) {
  const steer = toInterventions(vectors, positions, strength);
  return (await model.generate(messages, { ...LENGTH, steer }).result()).tokens;
}

describe("conversation", () => {
  it.each<[Positions, number]>([
    ["all", 1],
    ["answer", 1],
    ["last", 1],
    ["all", 0],
  ])("positions %s, %i vectors: equals fresh runs", async (positions, count) => {
    const vectors = count ? [VECTOR] : [];
    const conversation = new Conversation(model, { vectors, positions, generate: LENGTH });
    const one = await say(conversation, "Hello");
    expect(one.tokens).toEqual(await fresh([{ role: "user", content: "Hello" }], vectors, positions));
    const two = await say(conversation, "Why?");
    const messages = [...conversation.messages.slice(0, 3)];
    expect(messages.map((m) => m.content)).toEqual(["Hello", one.text, "Why?"]);
    expect(two.tokens).toEqual(await fresh(messages, vectors, positions));
    const whole = model.tokenize(messages).length;
    const prompt = model.tokenize(messages.slice(0, 1)).length;
    const kept = { all: prompt + one.tokens.length - 1, answer: prompt, last: prompt - 1 }[positions];
    expect(two.computed).toBe(whole - kept);
  });

  it("computes everything anew under another strength", async () => {
    const conversation = new Conversation(model, { vectors: [VECTOR], positions: "all", generate: LENGTH });
    await say(conversation, "Hello");
    conversation.strength = -2;
    const two = await say(conversation, "Why?");
    const messages = conversation.messages.slice(0, 3);
    expect(two.tokens).toEqual(await fresh(messages, [VECTOR], "all", -2));
    expect(two.tokens).not.toEqual(await fresh(messages, [VECTOR], "all", 1));
    expect(two.computed).toBe(model.tokenize(messages).length - 1);
  });

  it("puts the system message first, and forgets on reset", async () => {
    const conversation = new Conversation(model, { vectors: [], positions: "all", generate: LENGTH });
    const one = await say(conversation, "Hello");
    conversation.reset();
    conversation.system = "Be brief.";
    const two = await say(conversation, "Hello");
    expect(two.tokens).toEqual(
      await fresh(
        [
          { role: "system", content: "Be brief." },
          { role: "user", content: "Hello" },
        ],
        [],
        "all",
      ),
    );
    expect(two.tokens).not.toEqual(one.tokens);
    expect(conversation.messages).toHaveLength(2);
  });

  it("is as before after a message that does not fit", async () => {
    const conversation = new Conversation(model, { vectors: [], positions: "all", generate: LENGTH });
    await say(conversation, "Hello");
    await expect(say(conversation, "x".repeat(200))).rejects.toThrow("the context is 128");
    expect(conversation.messages).toHaveLength(2);
    expect((await say(conversation, "Why?")).tokens).toHaveLength(9);
  });

  it("keeps an aborted answer as far as it came", async () => {
    const conversation = new Conversation(model, { vectors: [], positions: "all", generate: LENGTH });
    const stop = new AbortController();
    const answer = conversation.say("Hello", stop.signal);
    await answer.next();
    stop.abort();
    let last = await answer.next();
    while (!last.done) last = await answer.next();
    expect(last.value.stopReason).toBe("abort");
    expect(conversation.messages[1]!.content).toBe(last.value.text);
    const two = await say(conversation, "Why?");
    expect(two.tokens).toEqual(await fresh(conversation.messages.slice(0, 3), [], "all"));
  });
});
