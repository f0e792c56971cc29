/** Which error means which exit code, and how errors, bytes and times are worded. */
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { CommanderError } from "commander";
import { describe, expect, it } from "vitest";
import { exitCodeOf } from "../../src/cli/exitCodes.ts";
import { describeError, showBytes, showMs } from "../../src/cli/terminal.ts";
import { DeviceError, type ErrorCode, FormatError, InputError, TrimtabError } from "../../src/tensor/errors.ts";

const missing: unknown = await readFile("no/such/file").catch((e: unknown) => e);
const folder: unknown = await readFile(tmpdir()).catch((e: unknown) => e);

describe("exit codes", () => {
  it.each<[ErrorCode, number]>([
    ["E_OPTION", 2],
    ["E_LAYER", 2],
    ["E_CONTEXT", 2],
    ["E_DATA", 2],
    ["E_FORMAT", 1],
    ["E_ARCH", 1],
    ["E_HUB_NOT_FOUND", 3],
    ["E_HUB_AUTH", 3],
    ["E_HUB_OFFLINE", 3],
    ["E_DEVICE", 4],
    ["E_OOM", 4],
  ])("%s is %i", (code, exit) => {
    expect(exitCodeOf(new TrimtabError(code, "what"))).toBe(exit);
  });

  it("follow the file system, the engine and the command line", () => {
    expect(exitCodeOf(missing)).toBe(3);
    expect(exitCodeOf(folder)).toBe(1);
    expect(exitCodeOf(new RangeError("Array buffer allocation failed"))).toBe(4);
    expect(exitCodeOf(new RangeError("Invalid array length"))).toBe(1);
    expect(exitCodeOf(new CommanderError(1, "commander.unknownOption", "error"))).toBe(2);
    expect(exitCodeOf(new CommanderError(0, "commander.helpDisplayed", "help"))).toBe(0);
    expect(exitCodeOf("thrown text")).toBe(1);
  });
});

describe("errors", () => {
  it("are what and hint, a line each", () => {
    expect(describeError(new InputError("E_OPTION", "layer 99", "layers are 0 to 29"))).toEqual({
      what: "layer 99",
      hint: "layers are 0 to 29",
    });
    expect(describeError(new FormatError("bad\n  file — really"))).toEqual({
      what: "bad file — really",
      hint: undefined,
    });
    expect(describeError(new DeviceError("no GPU", "use\nthe CPU")).hint).toBe("use the CPU");
  });

  it("name the file that is missing, and the folder that is no file", () => {
    expect(describeError(missing).what).toBe("no such file: no/such/file");
    expect(describeError(folder).what).toMatch(/is a folder, expected a file$/);
  });

  it("that nobody expected are called bugs", () => {
    expect(describeError(new TypeError("x is undefined"))).toEqual({
      what: "TypeError: x is undefined",
      hint: expect.stringContaining("bug"),
    });
  });
});

describe("numbers for people", () => {
  it.each([
    [0, "0 B"],
    [999, "999 B"],
    [1000, "1.0 kB"],
    [92_000_000, "92.0 MB"],
    [999_600, "1.0 MB"],
    [123_456_789_000, "123 GB"],
  ])("%i bytes", (bytes, text) => {
    expect(showBytes(bytes)).toBe(text);
  });

  it("milliseconds and seconds", () => {
    expect([0.4, 340.2, 999.6, 2440].map(showMs)).toEqual(["0 ms", "340 ms", "1000 ms", "2.4 s"]);
  });
});
