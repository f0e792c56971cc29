/** Rendering of chat templates, and the bounds that keep a hostile one from hanging the process. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ChatTemplate } from "../../../src/model/tokenizer/index.ts";
import { TrimtabError } from "../../../src/tensor/errors.ts";
import { fixtures } from "../../support/needs.ts";

const user = [{ role: "user", content: "Hi" }];

/** Llama 2's rules in short: alternating roles, BOS and EOS, trimmed content. */
const STRICT = `{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% else %}{% set rest = messages %}{% endif %}
{%- for message in rest %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}
    {%- endif %}
    {%- if message['role'] == 'user' %}
        {{- bos_token + '[INST] ' + message['content'] | trim + ' [/INST]' }}
    {%- else %}
        {{- ' ' + message['content'] | trim + ' ' + eos_token }}
    {%- endif %}
{%- endfor %}`;

function failure(source: string): TrimtabError {
  try {
    ChatTemplate.compile(source).render(user);
  } catch (error) {
    expect(error).toBeInstanceOf(TrimtabError);
    return error as TrimtabError;
  }
  throw new Error("the template was rendered");
}

interface Case {
  readonly name: string;
  readonly messages: { role: string; content: string }[];
  readonly prompt: boolean;
  readonly text?: string;
  readonly error?: string;
}
const python = JSON.parse(readFileSync(join(fixtures, "tokenizer", "templates.json"), "utf8")) as {
  templates: Record<string, string>;
  cases: Case[];
};

describe.each(Object.entries(python.templates))("a template in the style of %s", (name, source) => {
  const template = ChatTemplate.compile(source, { bos_token: "<s>", eos_token: "</s>" });
  it.each(python.cases.filter((c) => c.name === name))(
    "renders as jinja2 does",
    ({ messages, prompt, text, error }) => {
      const render = () => template.render(messages, { addGenerationPrompt: prompt });
      if (error === undefined) expect(render()).toBe(text);
      else expect(render).toThrow(error);
    },
  );
});

describe("render", () => {
  it("gives variables and conversation to the template", () => {
    const template = ChatTemplate.compile(STRICT, { bos_token: "<s>", eos_token: "</s>" });
    const turns = [
      { role: "user", content: " a " },
      { role: "assistant", content: "b" },
      { role: "user", content: "c" },
    ];
    expect(template.render(turns)).toBe("<s>[INST] a [/INST] b </s><s>[INST] c [/INST]");
    expect(template.render(turns)).toBe(template.render(turns));
  });

  it("passes the template's own complaint on, with the roles", () => {
    const template = ChatTemplate.compile(STRICT, { bos_token: "<s>" });
    const twice = [...user, ...user];
    expect(() => template.render(twice)).toThrow(/roles must alternate.*\[user, user\]/s);
    expect(() => template.render(twice)).toThrow(expect.objectContaining({ code: "E_TOKENIZER" }));
  });

  it("adds the generation prompt only when asked", () => {
    const template = ChatTemplate.compile("{{ messages[0].content }}{% if add_generation_prompt %}>{% endif %}");
    expect(template.render(user)).toBe("Hi");
    expect(template.render(user, { addGenerationPrompt: true })).toBe("Hi>");
    expect(() => template.render(user, { generate: true } as object)).toThrow(/unknown option "generate"/);
  });

  it("knows the date and numbers as transformers does", () => {
    expect(
      ChatTemplate.compile(
        "{{ strftime_now('%Y') | length }}|{% for i in range(3, 0, -1) %}{{ i }}{% endfor %}",
      ).render(user),
    ).toBe("4|321");
    expect(ChatTemplate.compile("{{ tools is none }}{{ bos_token is defined }}{{ True }}").render(user)).toBe(
      "truefalsetrue",
    );
  });

  it("trims blocks as transformers does", () => {
    expect(ChatTemplate.compile("a\n  {% if true %}\nb\n  {% endif %}\nc\n").render(user)).toBe("a\nb\nc");
  });

  it("is parsed at its first use, so that a broken one spoils chat only", () => {
    const template = ChatTemplate.compile("{% if %}");
    expect(() => template.render(user)).toThrow(TrimtabError);
  });
});

describe("hostile templates", () => {
  it.each([
    ["endless recursion", "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", /nested/],
    [
      "branching recursion",
      "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
      /too long/,
    ],
    ["nested loops", `${"{% for a in range(1000) %}".repeat(4)}x${"{% endfor %}".repeat(4)}`, /too long/],
    ["empty loops", "{% for a in range(9000) %}{% for b in range(9000) %}{% endfor %}{% endfor %}", /too long/],
    ["a huge range", "{% for a in range(999999999999) %}x{% endfor %}", /range of/],
    ["a range without end", "{% for a in range(1, 5, 0) %}x{% endfor %}", /range of/],
    [
      "doubling text",
      `{% set ns = namespace(x='ab') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}`,
      /value of/,
    ],
    [
      "doubling lists",
      `{% set ns = namespace(x=[1,2]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}`,
      /value of/,
    ],
    [
      "slow work on long text",
      `{% set ns = namespace(x='ab') %}{% for i in range(17) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{% for i in range(90000) %}{% if ns.x | upper == 'A' %}{% endif %}{% endfor %}`,
      /too long/,
    ],
    ["a value inside itself", "{% set ns = namespace() %}{% set ns.self = ns %}{{ [ns] | tojson }}", /./],
    ["deep brackets", `{{ ${"(".repeat(50_000)}1${")".repeat(50_000)} }}`, /nested/],
    [
      "macros in a loop",
      `{% for i in range(90000) %}{% macro f() %}${"{{ 1 }}".repeat(20_000)}{% endmacro %}{% endfor %}`,
      /too long/,
    ],
    ["an unknown filter", "{{ 'a' | fetch }}", /fetch/],
    ["a way out", "{{ messages.constructor.constructor('return process')() }}", /not a function/],
  ])("%s ends in an error", (_, source, message) => {
    const started = performance.now();
    const error = failure(source);
    expect(error.code).toBe("E_TOKENIZER");
    expect(error.message).toMatch(message);
    expect(performance.now() - started).toBeLessThan(8_000);
  });

  it("a source beyond bounds is refused unread", () => {
    expect(() => ChatTemplate.compile("x".repeat(300_000))).toThrow(/300000 characters/);
    expect(() => ChatTemplate.compile(" ".repeat(5000))).toThrow(/spaces in a row/);
  });

  it("a long conversation is not taken for one", () => {
    const long = Array.from({ length: 2000 }, (_, i) => ({
      role: i % 2 ? "assistant" : "user",
      content: "word ".repeat(100),
    }));
    const text = ChatTemplate.compile(STRICT, { bos_token: "<s>", eos_token: "</s>" }).render(long);
    expect(text.length).toBeGreaterThan(1_000_000);
  });
});
