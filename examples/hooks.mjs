/**
 * Which layers does an answer need? Removes each layer's MLP in turn with a JavaScript hook and shows how likely the right
 * next token stays: node examples/hooks.mjs (after npm run build).
 */
import { loadModel } from "trimtab";

const PROMPT = "The capital of France is";
const model = await loadModel("smollm2-135m");
const [target] = model.tokenize(" Paris", { raw: true });

/** log p of the target after the prompt. */
async function logProbability(hooks) {
  const { logits } = await model.run(PROMPT, { raw: true, logits: "last", hooks, cache: false });
  const most = Math.max(...logits.data);
  const sum = logits.data.reduce((total, x) => total + Math.exp(x - most), 0);
  return logits.data[target] - most - Math.log(sum);
}

const whole = await logProbability({});
console.log(`whole model: ${whole.toFixed(2)}`);
for (let layer = 0; layer < model.config.L; layer++) {
  const without = await logProbability({
    [`blocks.${layer}.hook_mlp_out`]: (value) => new Float32Array(value.data.length),
  });
  const change = without - whole;
  console.log(
    `${String(layer).padStart(2)}  ${change.toFixed(2).padStart(6)}  ${"#".repeat(Math.min(60, Math.round(4 * Math.abs(change))))}`,
  );
}
