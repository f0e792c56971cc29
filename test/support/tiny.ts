/** The tiny golden models, loaded once a backend. */
import { join } from "node:path";
import { loadModel, type SteerableModel } from "../../src/steering/index.ts";
import type { Backend } from "../../src/tensor/backend.ts";
import { readGoldens } from "./goldens.ts";
import { fixtures } from "./needs.ts";

export const TINY_MODELS = ["gpt2", "llama", "llama3-rope", "qwen2", "qwen3", "mistral"] as const;

export function loadTiny(name: string, backend: Backend): Promise<SteerableModel> {
  return loadModel(join(fixtures, "tiny", name), { backend });
}

/** 23 token ids that the goldens use. */
export async function tinyIds(name: string): Promise<number[]> {
  return (await readGoldens(join(fixtures, "tiny", name, "golden.safetensors"))).get("ids")!.ints;
}
