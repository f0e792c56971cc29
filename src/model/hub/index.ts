/** Barrel of src/model/hub (Node only); files inside import each other directly. */
export { type CachedFile, cacheFolder, listCached } from "./cacheDir.ts";
export { downloadFile, type HubOptions } from "./client.ts";
export { resolveModel } from "./resolve.ts";
