/** Barrel of src/model/hub (Node only); files inside import each other directly. */
export { type CachedFile, listCached } from "./cacheDir.ts";
export { downloadFile } from "./client.ts";
export type { HubOptions } from "./connection.ts";
export { cacheFolder } from "./hubEnv.ts";
export { resolveModel } from "./resolve.ts";
