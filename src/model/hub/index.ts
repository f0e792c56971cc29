/** Barrel of src/model/hub (Node only); files inside import each other directly. */
export { type CachedFile, cacheFolder, listCached } from "./cacheDir.ts";
export { downloadFile, type HubOptions, listRepoFiles } from "./client.ts";
export { ALIASES, type KnownModel } from "./registry.ts";
export { type ResolvedModel, type ResolveOptions, resolveModel } from "./resolve.ts";
