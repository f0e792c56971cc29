/** The devices that every model test runs on. */
import { dequantize } from "../../src/formats/index.ts";
import { createCpuBackend } from "../../src/kernels/index.ts";
import { createReferenceBackend } from "../../src/kernels/reference/backend.ts";
import type { Backend } from "../../src/tensor/backend.ts";

export const BACKENDS: readonly { readonly name: string; readonly create: () => Backend }[] = [
  { name: "oracle", create: () => createReferenceBackend({ dequantize }) },
  { name: "cpu mul+add", create: () => createCpuBackend({ fma: false }) },
  { name: "cpu fma", create: () => createCpuBackend({ fma: "auto", setV8Flags: true }) },
];
