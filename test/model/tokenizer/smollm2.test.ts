/** The default model's own vocabulary and template, read from its GGUF file, against transformers (golden/smollm2). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, it } from "vitest";
import { fileSource, openGguf } from "../../../src/formats/index.ts";
import { type LoadedTokenizer, loadTokenizerFromGguf } from "../../../src/model/tokenizer/index.ts";
import { defaultModelPath, describeNeeding, fixtures, needModel } from "../../support/needs.ts";

interface Info {
  readonly tokens: { text: string; ids: number[] }[];
  readonly chats: { messages: { role: string; content: string }[]; rendered: string }[];
  readonly greedyText: string;
}
const info = JSON.parse(readFileSync(join(fixtures, "smollm2", "info.json"), "utf8")) as Info;

describeNeeding(needModel, "SmolLM2-135M", () => {
  let loaded: LoadedTokenizer;
  beforeAll(async () => {
    const file = await openGguf(await fileSource(defaultModelPath()!));
    loaded = await loadTokenizerFromGguf(file.metadata);
    await file.close();
  });

  it("encodes all golden texts", () => {
    expect(info.tokens).toHaveLength(25);
    expect(info.tokens.map(({ text }) => ({ text, ids: loaded.tokenizer.encode(text) }))).toEqual(info.tokens);
  });

  it("renders all golden chats", () => {
    const render = (messages: Info["chats"][number]["messages"]) =>
      loaded.chatTemplate!.render(messages, { addGenerationPrompt: true });
    expect(info.chats.map((c) => render(c.messages))).toEqual(info.chats.map((c) => c.rendered));
  });

  it("knows its special tokens", () => {
    const { tokenizer } = loaded;
    expect([tokenizer.vocabSize, tokenizer.bosTokenId, [...tokenizer.eosTokenIds], tokenizer.addBos]).toEqual([
      49152,
      1,
      [2],
      false,
    ]);
    expect(tokenizer.specialTokens.size).toBe(17);
    const end = tokenizer.encode(info.greedyText);
    expect(end.at(-1)).toBe(2);
    expect(tokenizer.decode(end, { skipSpecialTokens: true })).toBe("The capital of France is Paris.");
  });

  it("drops the bytes that its vocabulary lacks before it merges, as Python does", () => {
    const { tokenizer } = loaded;
    expect(tokenizer.encode(" \u0014's").map((id) => tokenizer.idToToken(id))).toEqual(["Ġ'", "s"]);
    expect(tokenizer.encodeWithOffsets("a \u0014's").offsets).toEqual([
      [0, 1],
      [1, 4],
      [4, 5],
    ]);
  });
});
