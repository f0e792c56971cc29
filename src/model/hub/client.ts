/**
 * What the hub offers: files by repository and revision into the cache, and the list of a repository's files. Knows the
 * hub's addresses; bytes go through transfer.ts, requests through connection.ts.
 */
import { InputError, TrimtabError } from "../../tensor/errors.ts";
import { exists, isPlainPath, RepoCache } from "./cacheDir.ts";
import { type Answer, Connection, count, type HubOptions, Unreachable } from "./connection.ts";
import { transfer } from "./transfer.ts";

export interface FileRequest {
  /** org/name */
  readonly repo: string;
  /** With `/` between folders. */
  readonly file: string;
  /** Branch, tag or commit; default "main". */
  readonly revision?: string;
  /** Checked beside the hub's own hash. */
  readonly expectedSha256?: string;
}

const COMMIT = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;

const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

function nameOf(repo: string, revision: string, file?: string): string {
  return `${repo}${file === undefined ? "" : `/${file}`}@${revision}`;
}

function checkNames(repo: string, revision: string, file = "file"): void {
  const wrong = [
    /^[\w.-]+(\/[\w.-]+)?$/.test(repo) && isPlainPath(repo) ? "" : `repository ${JSON.stringify(repo)}`,
    isPlainPath(revision) ? "" : `revision ${JSON.stringify(revision)}`,
    isPlainPath(file) ? "" : `file ${JSON.stringify(file)}`,
  ].filter(Boolean);
  if (wrong.length > 0)
    throw new InputError("E_OPTION", `no hub has the ${wrong.join(", the ")}`, "give org/name, a branch, a plain path");
}

function refuseOffline(hub: Connection, what: string, cache: RepoCache): void {
  if (!hub.offline) return;
  throw new TrimtabError(
    "E_HUB_OFFLINE",
    `${what} is not in the cache at ${cache.folder}, and offline mode is on`,
    "run `trimtab model pull` while online",
  );
}

/**
 * Local path of a file of a repository; from the cache, without any request, where it is there.
 * @throws InputError E_OPTION, E_DATA; TrimtabError E_HUB, E_HUB_AUTH, E_HUB_NOT_FOUND, E_HUB_OFFLINE; the signal's reason.
 */
export async function downloadFile(request: FileRequest, o: HubOptions = {}): Promise<string> {
  const { repo, file, revision = "main" } = request;
  checkNames(repo, revision, file);
  const hub = new Connection(o);
  const cache = new RepoCache(repo, hub.env);
  const cached = await cache.find(file, revision);
  if (cached) return cached;
  const what = nameOf(repo, revision, file);
  refuseOffline(hub, what, cache);
  const facts = await fileFacts(hub, `/${repo}/resolve/${encodePath(revision)}/${encodePath(file)}`, what);
  const blob = cache.blob(facts.etag);
  if (!(await exists(blob))) await fetchBlob(hub, blob, request, facts, o);
  const path = await cache.place(blob, file, facts.commit);
  await cache.point(revision, facts.commit);
  return path;
}

interface FileFacts {
  readonly etag: string;
  readonly commit: string;
  readonly sizeBytes: number | undefined;
}

async function fileFacts(hub: Connection, path: string, what: string): Promise<FileFacts> {
  const { response, etag, commit, linkedBytes } = await hub.ask({ method: "HEAD", path, what });
  if (!etag || !/^\w[\w.-]*$/.test(etag) || !commit || !COMMIT.test(commit)) {
    throw new TrimtabError(
      "E_HUB",
      `${what}: the answer has no usable ETag and commit`,
      "HF_ENDPOINT must be a Hugging Face hub",
    );
  }
  const plain = response.status === 200 ? count(response.headers.get("content-length")) : undefined;
  return { etag, commit, sizeBytes: linkedBytes ?? plain };
}

/** Fetches by commit, not by branch: a push during the download changes nothing then. */
async function fetchBlob(
  hub: Connection,
  blob: string,
  { repo, file, expectedSha256 }: FileRequest,
  { etag, commit, sizeBytes }: FileFacts,
  o: HubOptions,
): Promise<void> {
  const what = nameOf(repo, commit.slice(0, 7), file);
  const path = `/${repo}/resolve/${commit}/${encodePath(file)}`;
  const own = SHA256.test(etag) ? etag : undefined;
  if (own !== undefined && expectedSha256 !== undefined && own !== expectedSha256)
    throw new TrimtabError(
      "E_HUB",
      `${what} has the SHA-256 ${own} on the hub, expected ${expectedSha256}`,
      "the repository changed; name another revision",
    );
  const openRange = async (offset: number): Promise<Response> => {
    const range = offset > 0 ? `bytes=${offset}-` : undefined;
    const answer = await hub.ask({ method: "GET", path, what, range }).catch(lost);
    if (answer.etag === undefined || answer.etag === etag) return answer.response;
    await answer.response.body?.cancel();
    throw new TrimtabError("E_HUB", `${what} changed on the hub during the download`, "run it again");
  };
  await transfer(blob, openRange, {
    file: what,
    sizeBytes,
    sha256: own ?? expectedSha256,
    patience: hub.patience,
    silenceMs: hub.silenceMs,
    onProgress: (loadedBytes, totalBytes) => o.onProgress?.({ type: "download", file, loadedBytes, totalBytes }),
  });
}

/** The hub answered a moment ago: a failure of the line, which the transfer may try again. */
function lost(error: unknown): Answer {
  throw error instanceof Unreachable ? new Error(error.message) : error;
}

export interface RepoInfo {
  /** The commit that the revision stands for now. */
  readonly commit: string;
  readonly files: readonly string[];
}

/** @throws TrimtabError E_HUB, E_HUB_AUTH, E_HUB_NOT_FOUND, E_HUB_OFFLINE */
export async function repoInfo(repo: string, revision: string, o: HubOptions = {}): Promise<RepoInfo> {
  checkNames(repo, revision);
  const hub = new Connection(o);
  const what = nameOf(repo, revision);
  refuseOffline(hub, what, new RepoCache(repo, hub.env));
  const json = await hub.askJson(`/api/models/${repo}/revision/${encodePath(revision)}`, what);
  const { sha, siblings } = (json ?? {}) as { sha?: unknown; siblings?: unknown };
  if (typeof sha === "string" && COMMIT.test(sha) && Array.isArray(siblings)) {
    const names = siblings.map((s: { rfilename?: unknown } | null) => s?.rfilename);
    return { commit: sha, files: names.filter(isPlainPath) };
  }
  throw new TrimtabError(
    "E_HUB",
    `${what}: the hub's list of files has no commit or no files`,
    "HF_ENDPOINT must be a Hugging Face hub",
  );
}

/** Fetches files of one commit, then lets the revision stand for it. Returns the snapshot's folder. */
export async function downloadFiles(
  repo: string,
  revision: string,
  commit: string,
  files: readonly string[],
  o: HubOptions = {},
): Promise<string> {
  for (const file of files) await downloadFile({ repo, file, revision: commit }, o);
  const cache = new RepoCache(repo, o.env ?? process.env);
  await cache.point(revision, commit);
  return cache.snapshot(commit);
}
