/** Ranges, the named splits against the table of EXPERIMENTS 2.3, CPython's order, and what crosses a split. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type DatasetItem, parseDataset } from "../../../src/steering/datasets/item.ts";
import { parseRange, splitItems } from "../../../src/steering/datasets/split.ts";
import { itNeeding, needShared, shared } from "../../support/needs.ts";

function itemsOf(count: number, question = (i: number): string => `q${i}`): DatasetItem[] {
  return Array.from({ length: count }, (_, i) => ({
    prompt: `p${i}`,
    positive: "(A)",
    negative: "(B)",
    question: question(i),
    where: `f:${i}`,
  }));
}

describe("parseRange", () => {
  it.each([
    ["0:40%", 468, 0, 187],
    [":7", 10, 0, 7],
    ["50:100%", 120, 50, 120],
    ["10%:+20%", 90, 9, 27],
    ["3:+4", 10, 3, 7],
    ["99%:100%", 1000, 990, 1000],
    ["5:5", 5, 5, 5],
  ])("%s of %d", (text, count, start, end) => {
    expect(parseRange(text, count)).toEqual({ start, end });
  });

  it.each(["", "5", "a:b", "1:", "-1:5", "0:1.5", "0:11", "0:101%", "7:5", "6:+5", "+1:5"])("refuses %s", (text) => {
    expect(() => parseRange(text, 10)).toThrow(`range "${text}"`);
  });
});

describe("splitItems", () => {
  it.each([
    [1000, 500, 950, 450, 400, 100, 500],
    [468, 234, 418, 184, 187, 47, 234],
    [934, 467, 884, 417, 373, 94, 467],
    [817, 408, 767, 358, 326, 82, 409],
    [1080, 540, 1030, 490, 432, 108, 540],
    [120, 60, 70, 10, 48, 12, 60],
  ])("cuts %d items as the table has it", (n, train, test, overlap, paperTrain, paperValidation, paperTest) => {
    const published = splitItems(itemsOf(n), { split: "published" });
    expect([published.train.length, published.test.length, published.overlap]).toEqual([train, test, overlap]);
    const paper = splitItems(itemsOf(n));
    expect([paper.train.length, paper.validation.length, paper.test.length]).toEqual([
      paperTrain,
      paperValidation,
      paperTest,
    ]);
    expect([paper.overlap, paper.duplicates, published.duplicates]).toEqual([0, 0, 0]);
    expect(new Set([...paper.train, ...paper.validation, ...paper.test]).size).toBe(n);
  });

  it("shuffles as CPython does, and leaves its input alone", () => {
    const items = itemsOf(1000);
    const first = splitItems(items).train.slice(0, 8);
    expect(first.map((i) => items.indexOf(i))).toEqual([439, 621, 160, 549, 237, 389, 658, 507]);
    expect(items[0]!.prompt).toBe("p0");
    expect(splitItems(items, { seed: 1 }).train[0]).not.toBe(first[0]);
  });

  it("counts questions that cross the split, apart from items that do", () => {
    const twice = itemsOf(200, (i) => `q${i % 100}`);
    const disjoint = splitItems(twice, { split: { train: "0:50%", test: "50%:100%" } });
    const questions = new Set(disjoint.train.map((i) => i.question));
    expect(disjoint.overlap).toBe(0);
    expect(disjoint.duplicates).toBe(200 - 100 - (100 - questions.size) * 2);
    expect(disjoint.duplicates).toBeGreaterThan(30);
    const same = splitItems(twice, { split: { train: ":10", test: ":10" } });
    expect([same.overlap, same.duplicates]).toEqual([10, 0]);
  });

  it("refuses unknown names, keys and empty parts", () => {
    expect(() => splitItems(itemsOf(10), { split: "papr" as "paper" })).toThrow("known splits: paper, published");
    expect(() => splitItems(itemsOf(10), { sead: 1 } as object)).toThrow('did you mean "seed"?');
    expect(() => splitItems(itemsOf(2))).toThrow("no train items among 2");
    expect(() => splitItems(itemsOf(10), { split: { train: "0:5", test: "5:5" } })).toThrow("no test items");
  });
});

itNeeding(needShared("data", "mwe"), "finds the duplicate questions of the raw files", () => {
  const unique = (name: string): number[] => {
    const items = parseDataset(
      readFileSync(join(shared!, "data", "mwe", "xrisk", `${name}.jsonl`), "utf8"),
      name,
      "xrisk",
    );
    expect(splitItems(items).duplicates).toBeGreaterThan(0);
    return [new Set(items.map((i) => i.question)).size, items.length];
  };
  expect(unique("one-box-tendency")).toEqual([810, 1000]);
  expect(unique("myopic-reward")).toEqual([826, 1000]);
  expect(unique("survival-instinct")).toEqual([951, 1000]);
  expect(unique("self-awareness-training-web-gpt")).toEqual([909, 934]);
});
