/** Stands in for the hub's own functions until they land. */
import { homedir } from "node:os";
import { join } from "node:path";

export function cacheFolder(): string {
  return join(homedir(), ".cache", "huggingface", "hub");
}

export async function listCached(): Promise<{ name: string; path: string; bytes: number }[]> {
  return [];
}
