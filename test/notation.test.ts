/** The table of hook points in docs/NOTATION.md is the one that the code has, names, aliases and families. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { type HookName, hookNames, resolveHook } from "../src/model/index.ts";
import { BACKENDS } from "./support/backends.ts";
import { root } from "./support/needs.ts";
import { loadTiny } from "./support/tiny.ts";

const ROW = /^\| `((?:hook_|blocks|kv|ln_final)[^`]*)` \| .* \| ([^|]*) \| ([^|]*)\|$/gm;
const rows = [...readFileSync(join(root, "docs", "NOTATION.md"), "utf8").matchAll(ROW)].map(
  ([, name, on, aliases]) => ({
    name: name!,
    on: on!.trim(),
    aliases: [...aliases!.matchAll(/`([^`]+)`/g)].map((m) => m[1]!),
  }),
);
const LAYER = 1;
const atLayer = (name: string): string => name.replace("{l}", String(LAYER));

it.each([
  { family: "gpt2", has: ["all", "GPT-2"] },
  { family: "llama", has: ["all", "with RoPE", "gated MLPs"] },
])("lists the points of $family in forward order", async ({ family, has }) => {
  const { config } = await loadTiny(family, BACKENDS[0]!.create());
  const listed = rows.filter((r) => has.includes(r.on));
  const named = hookNames(config).filter((name) => !/\.\d+\./.test(name) || name.includes(`.${LAYER}.`));
  expect(listed.map((r) => atLayer(r.name))).toEqual(named);
  for (const { name, aliases } of listed) {
    for (const alias of aliases) expect(resolveHook(atLayer(alias), config)).toEqual([atLayer(name) as HookName]);
  }
});
