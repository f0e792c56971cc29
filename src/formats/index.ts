/** Barrel of src/formats for outsiders; files inside import each other directly. */
export { dequantize } from "./dequantize.ts";
export { type GgufFile, type GgufValue, openGguf } from "./gguf.ts";
export { openSafetensors, openSafetensorsShards, type TensorToWrite, writeSafetensors } from "./safetensors.ts";
export { type ByteSource, blobSource, bufferSource, fileSource, type HttpSourceOptions, httpSource } from "./source.ts";
export type { StoredDType, TensorFile, TensorInfo } from "./tensorFile.ts";
