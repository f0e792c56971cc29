/** Barrel of src/steering for outsiders; files inside import each other directly. */
export { DEMO_PAIRS } from "./data/demoPairs.ts";
export { type ExtractOptions, extract } from "./extract.ts";
export { type ContrastPair, parsePairs, type ReadPosition } from "./pairs.ts";
export { loadModel, SteerableModel } from "./steerable.ts";
export { SteeringVector, type VectorMeta, VectorSet } from "./vector.ts";
export { loadVectors, saveVectors, vectorsFromBytes, vectorsToBytes } from "./vectorFile.ts";
