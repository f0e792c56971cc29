/** Barrel of src/formats for outsiders; files inside import each other directly. */
export { dequantize } from "./dequantize.ts";
export { type GgufFile, openGguf } from "./gguf.ts";
export type { GgufNumbers, GgufValue } from "./ggufMetadata.ts";
export { type HttpSourceOptions, httpSource } from "./httpSource.ts";
export { openSafetensors, type TensorToWrite, writeSafetensors } from "./safetensors.ts";
export { openSafetensorsShards } from "./safetensorsShards.ts";
export { type ByteSource, blobSource, bufferSource, fileSource } from "./source.ts";
export type { StoredDType, TensorFile, TensorInfo } from "./tensorFile.ts";
