/**
 * The configuration of a sweep as it is written in YAML or by flags: its shape, from which the shipped JSON Schema is generated
 * too. What the values mean together is config.ts.
 */
import * as v from "valibot";
import { SETTINGS } from "../datasets/settings.ts";

const TEST_SETTINGS = ["RAW", ...SETTINGS] as const;

const wholeNumber = v.pipe(v.number("a whole number"), v.integer("a whole number"));
const count = v.pipe(wholeNumber, v.minValue(0, "a whole number of 0 or more"));
const positive = v.pipe(wholeNumber, v.minValue(1, "a whole number of 1 or more"));
const text = v.pipe(v.string("text"), v.minLength(1, "text"));
const yesNo = v.boolean("true or false");
const setting = v.picklist(TEST_SETTINGS, `one of ${TEST_SETTINGS.join(", ")}`);
const measures = ["ab", "logit-sum", "logprob"] as const;
const measure = v.picklist(measures, `one of ${measures.join(", ")}`);

function list<T extends v.GenericSchema>(of: T, what: string) {
  return v.pipe(v.array(of, `a list of ${what}`), v.minLength(1, `a list of ${what}, not an empty one`));
}

const describe = v.description;

/** Keys that must be there: models and datasets. */
export const SweepSchema = v.pipe(
  v.strictObject(
    {
      models: v.pipe(
        list(text, "models"),
        describe("Aliases, hub ids (org/name[:quant]), folders, .gguf files or URLs"),
      ),
      datasets: v.pipe(
        list(text, "datasets"),
        describe("Bundled concepts (sentiment, sentiment:choice), pulled sets, or files"),
      ),
      settings: v.optional(
        v.pipe(list(setting, "settings"), describe("Test settings. Default: BASE for choices, RAW for completions")),
      ),
      trainSettings: v.optional(
        v.pipe(
          list(setting, "settings"),
          describe("Settings that vectors are trained under. Default: the test setting's own"),
        ),
      ),
      layers: v.optional(
        v.pipe(
          v.union([list(count, "layers"), v.string()], '"all", a list of layers, or ranges such as "3,5-9"'),
          describe('"all" (default), a list, or ranges such as "3,5-9"'),
        ),
      ),
      multipliers: v.optional(
        v.pipe(
          v.union([list(v.number("a number"), "numbers"), v.string()], 'a list of numbers, or "from:to:step"'),
          describe('A list, or "from:to:step" such as "-2:2:0.5". Default: -1.5 to 1.5 in steps of 0.5'),
        ),
      ),
      seeds: v.optional(v.pipe(list(wholeNumber, "seeds"), describe("Of the split and the controls. Default: [0]"))),
      split: v.optional(
        v.pipe(
          v.union(
            [
              v.strictObject({ train: text, validation: v.optional(text), test: text }, "ranges train and test"),
              v.picklist(["paper", "published"]),
            ],
            '"paper", "published", or ranges {train, validation, test}',
          ),
          describe('"paper" (40/10/50, default), "published", or ranges such as {train: "0:40%", test: "50%:100%"}'),
        ),
      ),
      measures: v.optional(
        v.pipe(list(measure, "measures"), describe("Default: logit-sum for choices, logprob for completions")),
      ),
      operator: v.optional(v.picklist(["add", "ablateThenAdd"], "add or ablateThenAdd")),
      skip: v.optional(
        v.pipe(
          v.picklist([0, 1], "0 or 1"),
          describe("Tokens between the last prompt token and the first steered one. Default: told by the answers"),
        ),
      ),
      controls: v.optional(
        v.strictObject(
          {
            random: v.optional(v.pipe(count, describe("Random directions of equal norm"))),
            shuffled: v.optional(v.pipe(count, describe("Vectors from labels exchanged at random"))),
            debiased: v.optional(v.pipe(yesNo, describe("The mean of the differences within each letter"))),
            sizes: v.optional(
              v.pipe(list(positive, "sizes"), describe("Vectors of the first n training items for each n")),
            ),
            under: v.optional(
              v.pipe(
                v.array(setting, "a list of settings"),
                describe("Training settings that get controls. Default: all"),
              ),
            ),
            swapped: v.optional(v.pipe(yesNo, describe("Every test item with its options exchanged too"))),
          },
          "an object of random, shuffled, debiased, sizes, under, swapped",
        ),
      ),
      published: v.optional(v.pipe(yesNo, describe("The original's formatting quirks and its split. Default: false"))),
      normMatching: v.optional(v.pipe(yesNo, describe("Rescale vectors to the norm of BASE's. Default: true"))),
      limits: v.optional(
        v.strictObject(
          { train: v.optional(positive), test: v.optional(positive) },
          "an object of train and test, the most items of each part",
        ),
      ),
    },
    "a configuration with models and datasets",
  ),
  v.title("trimtab sweep"),
);

export type SweepInput = v.InferOutput<typeof SweepSchema>;

/** Keys of every object in the configuration by its path, for suggestions. */
export const KNOWN_KEYS: Readonly<Record<string, readonly string[]>> = {
  "": Object.keys(SweepSchema.entries),
  split: ["train", "validation", "test"],
  controls: ["random", "shuffled", "debiased", "sizes", "under", "swapped"],
  limits: ["train", "test"],
};
