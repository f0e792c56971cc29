/** Makes a vector from the pairs in pirate.jsonl and sweeps its strength: node examples/steer.mjs (after npm run build). */
import { readFile } from "node:fs/promises";
import { loadModel, parsePairs } from "trimtab";

const LAYER = 18;
const file = new URL("pirate.jsonl", import.meta.url);
const model = await loadModel("smollm2-135m");
const pairs = parsePairs(await readFile(file, "utf8"), "pirate.jsonl");
const vectors = await model.extract(pairs, { layers: [LAYER], read: "mean" });

for (const strength of [-1, -0.5, 0, 0.5, 1]) {
  const steer = vectors.at(LAYER).times(strength);
  const { text } = await model.generate("Describe your house.", { steer, maxTokens: 32 }).result();
  console.log(`${String(strength).padStart(4)}  ${text.replaceAll("\n", " ")}`);
}
