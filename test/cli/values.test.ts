/** Values of command line options: what is accepted, and that what is not says what was expected. */
import { describe, expect, it } from "vitest";
import {
  decimalNumber,
  layerList,
  readPosition,
  seedList,
  splitRanges,
  tokenIds,
  wholeNumber,
} from "../../src/cli/values.ts";

describe("whole numbers", () => {
  it("are whole and within range", () => {
    expect(wholeNumber()("-7")).toBe(-7);
    expect(wholeNumber(1)(" 12 ")).toBe(12);
    for (const bad of ["", "1.5", "1e3", "0x10", "seven", "9007199254740993"]) {
      expect(() => wholeNumber()(bad), bad).toThrow("Expected a whole number.");
    }
    expect(() => wholeNumber(1)("0")).toThrow("Expected a whole number of 1 or more.");
  });
});

describe("decimal numbers", () => {
  it("are finite", () => {
    expect(["0.7", ".5", "2.", "-1e-3", "+4"].map(decimalNumber)).toEqual([0.7, 0.5, 2, -0.001, 4]);
    for (const bad of ["", ".", "1,5", "NaN", "Infinity", "1e999", "0x1"]) {
      expect(() => decimalNumber(bad), bad).toThrow("Expected a number");
    }
  });
});

describe("token ids", () => {
  it("may be separated by commas or blanks, in brackets or not", () => {
    expect(tokenIds("1,2,3")).toEqual([1, 2, 3]);
    expect(tokenIds(" [4, 5 6] ")).toEqual([4, 5, 6]);
    for (const bad of ["", "1,,2", "1,-2", "1,x", "1.5"]) expect(() => tokenIds(bad), bad).toThrow("is not a token id");
  });
});

describe("seeds and splits", () => {
  it("are ascending whole numbers, and ranges or a name", () => {
    expect(seedList("5,0, 3")).toEqual([0, 3, 5]);
    for (const bad of ["", "1,1", "-1", "1.5", "a"]) expect(() => seedList(bad), bad).toThrow("each once");
    expect(splitRanges("0:40%,50%:100%")).toEqual({ train: "0:40%", test: "50%:100%" });
    expect(splitRanges("paper")).toBe("paper");
  });
});

describe("layer lists", () => {
  it("are all, single layers, ranges, or a mixture", () => {
    expect(layerList("all")).toBe("all");
    expect(layerList("7,14")).toEqual([7, 14]);
    expect(layerList("3-9")).toEqual([3, 4, 5, 6, 7, 8, 9]);
    expect(layerList("9, 2-3, 3")).toEqual([2, 3, 9]);
  });

  it("refuse what is neither", () => {
    for (const bad of ["", "ALL", "9-3", "1-", "-1", "1;2", "0-99999999999"]) {
      expect(() => layerList(bad), bad).toThrow('Expected "all" or layers');
    }
  });
});

describe("read positions", () => {
  it("are auto, mean, or an index", () => {
    expect(["auto", "mean", "-2", "0"].map(readPosition)).toEqual(["auto", "mean", -2, 0]);
    expect(() => readPosition("last")).toThrow('Expected "auto", "mean" or a token index');
  });
});
