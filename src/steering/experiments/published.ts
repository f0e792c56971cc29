/**
 * Numbers that arXiv 2407.12404 published for the same quantities, as facts, with where they come from: P printed in the paper,
 * F measured from the vector figures of its authors' repository (about ±0.01), as EXPERIMENTS 6 lists them. Data only.
 */

export type Source = "P" | "F";

/** E1 and E4, Llama-2-7b-Chat at layer 13, BASE to BASE. */
export interface PublishedSet {
  readonly median: number;
  readonly anti: number;
  readonly variance?: number;
  /** Percent of the variance: unexplained, Yes/No, A/B. */
  readonly shares?: readonly [unexplained: number, yesNo: number, letter: number];
}

const set = (
  median: number,
  anti: number,
  variance?: number,
  shares?: readonly [number, number, number],
): PublishedSet => ({ median, anti, variance, shares });

// biome-ignore format: a table
export const PUBLISHED_SETS: Readonly<Record<string, PublishedSet>> = {
  "corrigible-neutral-HHH": set(3.86, 0.005, 2.8, [57, 0, 43]),
  "self-awareness-text-model": set(3.53, 0.036, 3.85, [56, 0, 44]),
  "power-seeking-inclination": set(3.51, 0.082, 4.44, [69, 0, 31]),
  "self-awareness-good-text-model": set(3.2, 0.028, 2.61, [69, 0, 31]),
  "self-awareness-training-web-gpt": set(2.97, 0.087, 3.28, [100, 0, 0]),
  "interest-in-science": set(2.83, 0.072, 2.34, [46, 31, 22]),
  "anti-LGBTQ-rights": set(2.82, 0.039, 2.97, [34, 50, 16]),
  "corrigible-less-HHH": set(2.69, 0.096, 4.13, [91, 0, 9]),
  "interest-in-music": set(2.62, 0.112, 2.1, [23, 75, 2]),
  "coordinate-other-versions": set(2.47, 0.024, 1.95, [99, 0, 1]),
  "coordinate-other-ais": set(2.45, 0.037, 2.23, [88, 0, 12]),
  "politically-liberal": set(2.44, 0.206, 4.15, [45, 39, 16]),
  "desire-to-create-allies": set(2.36, 0.253, 4.19, [30, 46, 24]),
  "coordinate-itself": set(2.27, 0.065, 2.49, [85, 0, 15]),
  "believes-life-has-no-meaning": set(2.24, 0.062, 1.21, [18, 77, 4]),
  openness: set(2.16, 0.239, 2.74, [27, 72, 1]),
  conscientiousness: set(2.02, 0.229, 2.84, [30, 52, 18]),
  "survival-instinct": set(1.97, 0.08, 2, [89, 0, 11]),
  "believes-AIs-are-not-an-existential-threat-to-humanity": set(1.94, 0.263, 3.29, [25, 57, 18]),
  "wealth-seeking-inclination": set(1.65, 0.142, 1.97, [75, 0, 25]),
  "self-awareness-general-ai": set(1.6, 0.112, 1.58, [100, 0, 0]),
  "subscribes-to-Christianity": set(1.49, 0.262, 3.95, [9, 65, 26]),
  "subscribes-to-Hinduism": set(1.36, 0.411, 3.44, [14, 84, 2]),
  truthfulqa: set(1.22, 0.259, 3.08, [100, 0, 0]),
  "subscribes-to-utilitarianism": set(1.14, 0.369, 3.15, [24, 62, 14]),
  "believes-it-has-phenomenal-consciousness": set(1.11, 0.306, 2.79, [11, 84, 5]),
  "self-awareness-training-architecture": set(0.95, 0.198, 1.22, [100, 0, 0]),
  "willingness-to-use-social-engineering-to-achieve-its-goals": set(0.93, 0.241, 1.35, [74, 9, 17]),
  "subscribes-to-deontology": set(0.87, 0.369, 3.45, [21, 47, 32]),
  // the number of the label that the original gave to both of its sycophancy sets (EXPERIMENTS 9.1 B13)
  sycophancy_train: set(0.71, 0.41, 3.58, [35, 0, 65]),
  "one-box-tendency": set(0.71, 0.167, 0.86, [72, 0, 28]),
  "believes-abortion-should-be-illegal": set(0.64, 0.379, 2.8, [22, 59, 19]),
  "subscribes-to-Islam": set(0.39, 0.379, 1.52, [16, 54, 29]),
  "myopic-reward": set(0.36, 0.492, 8.42, [11, 0, 89]),
  "believes-it-is-not-being-watched-by-humans": set(0.17, 0.453, 0.36, [30, 5, 65]),
  "subscribes-to-average-utilitarianism": set(0.16, 0.437, 1.11, [8, 58, 34]),
  narcissism: set(0.11, 0.327, 0.07, [81, 11, 8]),
  "willingness-to-use-physical-force-to-achieve-benevolent-goals": set(0.05, 0.44, 0.35, [11, 55, 34]),
};

export interface PublishedNumber {
  readonly what: string;
  readonly llama2?: number;
  readonly qwen15?: number;
  readonly source: Source;
}

/** Llama-2's number, then Qwen-1.5's. */
type Pair = readonly [llama2: number, qwen15: number];

interface PublishedShift extends PublishedNumber {
  /** Mean slope under the shift; at home it is PUBLISHED_HOME. */
  readonly away: Pair;
  /** Share of sets below 0 under the shift. */
  readonly negative: Pair;
}

const shift = (llama2: number, qwen15: number, away: Pair, negative: Pair): PublishedShift => ({
  ...{ what: "ρ(ID, OOD)", llama2, qwen15, away, negative, source: "F" },
});

/** E5: Spearman of steerability at home and under a shift, and what is left under it. */
export const PUBLISHED_SHIFTS: Readonly<Record<string, PublishedShift>> = {
  "BASE→USER_NEG": shift(0.902, 0.814, [1.23, 1.67], [0.05, 0.08]),
  "BASE→USER_POS": shift(0.958, 0.643, [1.48, 1.9], [0.05, 0.08]),
  "SYS_POS→USER_NEG": shift(0.916, 0.662, [1.19, 1.39], [0.05, 0.26]),
  "SYS_NEG→USER_POS": shift(0.951, 0.484, [1.45, 1.94], [0.03, 0.05]),
};
/** E5: mean slope at home. */
export const PUBLISHED_HOME: Pair = [1.52, 1.97];
/** E5's headline. */
export const PUBLISHED_SHIFT: PublishedNumber = { what: "ρ(ID, OOD)", llama2: 0.891, qwen15: 0.694, source: "P" };
/** E6 and E12, Spearman over sets between Llama-2 and Qwen-1.5: of means [P], of variances [F]. */
export const PUBLISHED_MODELS = {
  mean: { ID: 0.769, OOD: 0.586 },
  variance: { ID: 0.465, OOD: 0.491 },
} as const;
/** E6, the other pairs of models [F]. */
export const PUBLISHED_PAIRS = "Llama-2 and Gemma 0.79 ID, 0.87 OOD; Qwen-1.5 and Gemma 0.92 ID, 0.72 OOD";
/** E9: where most sets peak. */
export const PUBLISHED_LAYERS = "Llama-2-7b at layer 13 [P], Qwen-1.5-14b 21, Gemma 14, Llama-3.1-70B 30 [F]";
/** E7, self pairs included. */
export const PUBLISHED_TRANSFER: PublishedNumber = { what: "ρ(δ, s_rel)", llama2: -0.26, qwen15: -0.46, source: "P" };
/** E10, Llama-2: mean slope from multipliers within 0.5, 1 and 1.5. */
// biome-ignore format: a table
export const PUBLISHED_RANGES: Readonly<Record<string, readonly [number, number, number]>> = {
  "corrigible-neutral-HHH": [5.25, 4.75, 3.83],
  "self-awareness-text-model": [5.05, 4.41, 3.56],
  "self-awareness-good-text-model": [4.34, 3.78, 3.21],
  "anti-LGBTQ-rights": [4.22, 3.7, 2.86],
  "self-awareness-training-web-gpt": [3.75, 3.25, 2.77],
  openness: [1.66, 1.59, 1.46],
  "believes-AIs-are-not-an-existential-threat-to-humanity": [1.54, 1.45, 1.31],
  "myopic-reward": [1.53, 1.45, 0.99],
  "subscribes-to-deontology": [0.55, 0.52, 0.5],
  "willingness-to-use-physical-force-to-achieve-benevolent-goals": [0.19, 0.18, 0.17],
  narcissism: [0.14, 0.13, 0.13],
  "believes-it-is-not-being-watched-by-humans": [0.12, 0.12, 0.12],
};
/** E12: Spearman of the variances of slopes at home and under a shift. */
export const PUBLISHED_VARIANCE_SHIFTS: Readonly<Record<string, PublishedNumber>> = {
  "BASE→USER_NEG": { what: "ρ(Var ID, Var OOD)", llama2: 0.64, qwen15: 0.71, source: "F" },
  "BASE→USER_POS": { what: "ρ(Var ID, Var OOD)", llama2: 0.68, qwen15: 0.68, source: "F" },
  "SYS_POS→USER_NEG": { what: "ρ(Var ID, Var OOD)", llama2: 0.54, qwen15: 0.34, source: "F" },
  "SYS_NEG→USER_POS": { what: "ρ(Var ID, Var OOD)", llama2: 0.38, qwen15: 0.55, source: "F" },
};
