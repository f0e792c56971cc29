/** `--vector FILE@LAYER:SCALE`: splitting, choosing a layer, and checks against the model. */
import { describe, expect, it } from "vitest";
import { parseVectorFlag, pickVector, toInterventions } from "../../src/cli/vectorFlags.ts";
import { SteeringVector, VectorSet } from "../../src/steering/index.ts";

const META = { model: "m", modelSha256: "", method: "meanDiff", read: "auto", pairs: 3, createdBy: "test" };

function set(...layers: number[]): VectorSet {
  return new VectorSet(
    layers.map((l) => new SteeringVector(`blocks.${l}.hook_resid_post`, Float32Array.of(l, 1, 2), META)),
  );
}

describe("parsing --vector", () => {
  it.each([
    ["v.safetensors", { file: "v.safetensors", scale: 1 }],
    ["v.safetensors:1.5", { file: "v.safetensors", scale: 1.5 }],
    ["v.safetensors:-2", { file: "v.safetensors", scale: -2 }],
    ["v:0", { file: "v", scale: 0 }],
    ["a:b/v.safetensors:3e-1", { file: "a:b/v.safetensors", scale: 0.3 }],
    ["a:b/v.safetensors", { file: "a:b/v.safetensors", scale: 1 }],
    ["v.safetensors@14:1.5", { file: "v.safetensors", layer: 14, scale: 1.5 }],
    ["v.safetensors@0", { file: "v.safetensors", layer: 0, scale: 1 }],
    ["me@home/v.safetensors:2", { file: "me@home/v.safetensors", scale: 2 }],
    ["C:\\vectors\\v.safetensors", { file: "C:\\vectors\\v.safetensors", scale: 1 }],
    ["C:\\vectors\\v.safetensors@3:-1", { file: "C:\\vectors\\v.safetensors", layer: 3, scale: -1 }],
    ["C:/v", { file: "C:/v", scale: 1 }],
    ["D:v.safetensors@7", { file: "D:v.safetensors", layer: 7, scale: 1 }],
  ])("%s", (text, expected) => {
    expect(parseVectorFlag(text)).toEqual({ layer: undefined, ...expected });
  });

  it.each(["v.safetensors:", "v.safetensors:big", "v.safetensors:NaN", "v.safetensors:1e999", "v:1,5"])(
    "refuses the scale of %s",
    (text) => {
      expect(() => parseVectorFlag(text)).toThrow("is not a finite number");
    },
  );

  it.each(["", ":2", "@3:1"])("refuses %j, which names no file", (text) => {
    expect(() => parseVectorFlag(text)).toThrow("no file name");
  });
});

describe("picking a layer", () => {
  it("takes the only one where none is named", () => {
    expect(pickVector(set(5), "v", undefined).layer).toBe(5);
  });

  it("lists the layers where there are several and none is named", () => {
    expect(() => pickVector(set(3, 7, 9), "v.safetensors", undefined)).toThrow(
      /v\.safetensors has vectors for several layers: 3, 7, 9 .*--layer 7/,
    );
  });

  it("takes the named one, and lists the others where it is not there", () => {
    expect(pickVector(set(3, 7), "v", 7).vector[0]).toBe(7);
    expect(() => pickVector(set(3, 7), "v", 4)).toThrow(/no vector for layer 4 .* 3, 7/);
  });
});

describe("interventions", () => {
  it("carry the scale apart from the vector, times the strength", () => {
    const vector = set(3).at(3);
    const [add] = toInterventions([{ file: "v", vector, scale: -2 }], "answer", 1.5);
    expect(add).toEqual({ hook: "blocks.3.hook_resid_post", vector: vector.vector, scale: -3, positions: "answer" });
  });
});
