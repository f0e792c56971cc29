/** Folders and GGUF metadata, whole, partial and damaged. */
import { describe, expect, it } from "vitest";
import { loadTokenizerFromFolder, loadTokenizerFromGguf } from "../../../src/model/tokenizer/index.ts";
import { TrimtabError } from "../../../src/tensor/errors.ts";
import { ggufMetadata, json } from "./fixtures.ts";

const turns = [{ role: "user", content: "Hi" }];
const folder = (files: Record<string, unknown>) =>
  loadTokenizerFromFolder(async (file) => {
    const content = files[file];
    return content === undefined || typeof content === "string" ? content : JSON.stringify(content);
  });

describe("a folder", () => {
  const tokenizer = { "tokenizer.json": json("gpt2") };
  const config = {
    bos_token: "<|endoftext|>",
    eos_token: { content: "<|endoftext|>" },
    chat_template: "key {{ bos_token }}",
  };

  it("without a tokenizer.json has no tokenizer", async () => {
    expect(await folder({ "tokenizer_config.json": config })).toBeUndefined();
  });

  it("needs no more than a tokenizer.json", async () => {
    const loaded = await folder(tokenizer);
    expect(loaded!.tokenizer.encode("a")).toHaveLength(1);
    expect([loaded!.chatTemplate, loaded!.tokenizer.bosTokenId, loaded!.tokenizer.eosTokenIds.size]).toEqual([
      undefined,
      undefined,
      0,
    ]);
  });

  it.each([
    ["the configuration", {}, "key <|endoftext|>"],
    ["a file of its own", { "chat_template.jinja": "file {{ eos_token }}" }, "file <|endoftext|>"],
    [
      "the one called default",
      {
        "tokenizer_config.json": {
          ...config,
          chat_template: [
            { name: "tool_use", template: "tool" },
            { name: "default", template: "named" },
          ],
        },
      },
      "named",
    ],
  ])("takes the chat template from %s", async (_, files, expected) => {
    const loaded = await folder({ ...tokenizer, "tokenizer_config.json": config, ...files });
    expect(loaded!.chatTemplate!.render(turns)).toBe(expected);
    expect([...loaded!.tokenizer.eosTokenIds]).toEqual([0]);
  });

  it("takes special tokens from special_tokens_map.json where the configuration has none", async () => {
    const loaded = await folder({ ...tokenizer, "special_tokens_map.json": { eos_token: "<|endoftext|>" } });
    expect([...loaded!.tokenizer.eosTokenIds]).toEqual([0]);
  });

  it.each([
    ["tokenizer.json", "{"],
    ["tokenizer.json", "[]"],
    ["tokenizer_config.json", "null"],
  ])("with a damaged %s is refused", async (file, text) => {
    await expect(folder({ ...tokenizer, [file]: text })).rejects.toThrow(new RegExp(`^${file}: `));
  });
});

describe("GGUF metadata", () => {
  const load = async (name: string, changes: Record<string, unknown>) => {
    const metadata = new Map([...ggufMetadata(name), ...Object.entries(changes)]);
    return loadTokenizerFromGguf(new Map([...metadata].filter(([, value]) => value !== undefined)));
  };

  it("say which tokens end a turn, and whether a BOS is added", async () => {
    const { tokenizer } = await load("gpt2", {
      "tokenizer.ggml.eot_token_id": 5,
      "tokenizer.ggml.add_bos_token": true,
    });
    expect([[...tokenizer.eosTokenIds], tokenizer.addBos, tokenizer.encode("a")[0]]).toEqual([[0, 5], true, 0]);
    const addBos = async (name: string, more = {}) => (await load(name, more)).tokenizer.addBos;
    expect([await addBos("gpt2"), await addBos("llama3"), await addBos("llama")]).toEqual([false, true, true]);
    expect(await addBos("llama", { "tokenizer.ggml.add_bos_token": false })).toBe(false);
    expect(await addBos("llama3", { "tokenizer.ggml.bos_token_id": undefined })).toBe(false);
  });

  it("without a splitting rule have GPT-2's", async () => {
    const { tokenizer } = await load("gpt2", { "tokenizer.ggml.pre": undefined });
    expect(tokenizer.encode("The mill's 1999")).toEqual((await load("gpt2", {})).tokenizer.encode("The mill's 1999"));
  });

  it("may do without the space before a text", async () => {
    const { tokenizer } = await load("llama", {
      "tokenizer.ggml.add_space_prefix": false,
      "tokenizer.ggml.add_bos_token": false,
    });
    const ids = tokenizer.encode(" the mill");
    expect(tokenizer.idToToken(tokenizer.encode("the")[0]!)).not.toMatch(/^▁/);
    expect(tokenizer.decode(ids)).toBe(" the mill");
  });

  it("carry a chat template", async () => {
    const { chatTemplate } = await load("gpt2", {
      "tokenizer.chat_template": "{{ bos_token }}{{ messages[0].content }}",
    });
    expect(chatTemplate!.render(turns)).toBe("<|endoftext|>Hi");
  });

  it.each([
    ["an unknown tokenizer", "gpt2", { "tokenizer.ggml.model": "t5" }, /"gpt2".*"llama"/],
    ["no tokenizer", "gpt2", { "tokenizer.ggml.model": undefined }, /is missing/],
    ["an unknown splitting rule", "gpt2", { "tokenizer.ggml.pre": "kimi-k2" }, /"kimi-k2".*known:.*llama-bpe.*qwen2/],
    ["no vocabulary", "gpt2", { "tokenizer.ggml.tokens": undefined }, /tokens is missing/],
    ["an empty vocabulary", "gpt2", { "tokenizer.ggml.tokens": [] }, /tokens is missing/],
    ["tokens that are numbers", "gpt2", { "tokenizer.ggml.tokens": [1, 2] }, /array of strings/],
    ["no merges", "gpt2", { "tokenizer.ggml.merges": undefined }, /merges is missing/],
    ["no scores", "llama", { "tokenizer.ggml.scores": undefined }, /scores is missing/],
    ["too few scores", "llama", { "tokenizer.ggml.scores": new Float32Array(5) }, /1000 numbers/],
    ["too few types", "gpt2", { "tokenizer.ggml.token_type": new Int32Array(5) }, /numbers, one for each token/],
    ["types of 64 bits", "gpt2", { "tokenizer.ggml.token_type": new BigInt64Array(701) }, /BigInt64Array/],
    ["a BOS that is not there", "gpt2", { "tokenizer.ggml.bos_token_id": 4_000_000_000 }, /ids are 0 to/],
    ["a flag that is a number", "llama", { "tokenizer.ggml.add_bos_token": 1 }, /must be a boolean/],
  ])("with %s are refused", async (_, name, changes, message) => {
    const error = await load(name, changes).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TrimtabError);
    expect((error as TrimtabError).code).toBe("E_TOKENIZER");
    expect((error as TrimtabError).message).toMatch(message);
  });
});
