/**
 * The hub's HTTP interface: which file has which hash and commit, errors in words, redirects without leaking the token.
 * Downloads go through transfer.ts into the cache of cacheDir.ts. Knows nothing of models.
 */
import { join } from "node:path";
import { TrimtabError } from "../../tensor/errors.ts";
import { accessToken, type Env, endpoint, exists, isOffline, RepoCache } from "./cacheDir.ts";
import { transfer } from "./transfer.ts";

export interface HubOptions {
  readonly env?: Env;
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (e: { type: "download"; file: string; loadedBytes: number; totalBytes: number }) => void;
  /** For tests. */
  readonly fetch?: typeof fetch;
  readonly delay?: (ms: number) => Promise<void>;
}

export interface FileRequest {
  /** org/name */
  readonly repo: string;
  readonly file: string;
  /** Branch, tag or commit; default "main". */
  readonly revision?: string;
  readonly expectedSha256?: string;
}

/** An unreachable hub costs at most this long. */
const FIRST_BYTE_MS = 3000;
const MAX_REDIRECTS = 5;
const BUSY_ATTEMPTS = 4;
const MAX_WAIT_MS = 20_000;

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const encodePath = (path: string): string => path.split("/").map(encodeURIComponent).join("/");

class Connection {
  readonly env: Env;
  readonly delay: (ms: number) => Promise<void>;

  constructor(readonly o: HubOptions) {
    this.env = o.env ?? process.env;
    this.delay = o.delay ?? sleep;
  }

  get offline(): boolean {
    return this.o.offline === true || isOffline(this.env);
  }

  /** Follows redirects by hand: the token goes to the hub only. `first` is the hub's own answer, with its x- headers. */
  async get(
    url: string,
    what: string,
    headers: Record<string, string> = {},
  ): Promise<{ first: Response; last: Response }> {
    const token = await accessToken(this.env);
    const home = new URL(url).host;
    let first: Response | undefined;
    let at = url;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const own = new URL(at).host === home;
      const response = await this.#patiently(
        at,
        what,
        own && token ? { ...headers, Authorization: `Bearer ${token}` } : headers,
      );
      first ??= response;
      const next = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
      if (!next) return { first, last: response };
      await response.body?.cancel();
      at = new URL(next, at).href;
    }
    throw new TrimtabError("E_HUB", `${what}: more than ${MAX_REDIRECTS} redirects`);
  }

  /** Tries again while the server is busy (429, 5xx). */
  async #patiently(url: string, what: string, headers: Record<string, string>): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const response = await this.#once(url, what, headers);
      const busy = response.status === 429 || response.status >= 500;
      if (!busy) return this.#checked(response, what);
      await response.body?.cancel();
      if (attempt === BUSY_ATTEMPTS) {
        throw new TrimtabError(
          "E_HUB",
          `${what}: the hub answered ${response.status} ${BUSY_ATTEMPTS} times`,
          "try again later",
        );
      }
      const asked = Number(response.headers.get("retry-after")) * 1000;
      await this.delay(Math.min(asked > 0 ? asked : 500 * 2 ** attempt, MAX_WAIT_MS));
    }
  }

  async #once(url: string, what: string, headers: Record<string, string>): Promise<Response> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), FIRST_BYTE_MS);
    const abort = (): void => patience.abort();
    this.o.signal?.addEventListener("abort", abort, { once: true });
    try {
      return await (this.o.fetch ?? fetch)(url, { headers, redirect: "manual", signal: patience.signal });
    } catch (cause) {
      this.o.signal?.throwIfAborted();
      const why = patience.signal.aborted
        ? `no answer within ${FIRST_BYTE_MS / 1000} s`
        : String(((cause as Error).cause as Error)?.message ?? (cause as Error).message);
      throw new TrimtabError(
        "E_HUB",
        `${what}: the hub at ${new URL(url).host} cannot be reached (${why})`,
        "check the network or HF_ENDPOINT, or use a model that is in the cache (--offline)",
        { cause },
      );
    } finally {
      clearTimeout(timer);
      // The body is still to come: later aborts are seen between its pieces.
      this.o.signal?.removeEventListener("abort", abort);
    }
  }

  async #checked(response: Response, what: string): Promise<Response> {
    const { status } = response;
    if (status < 400) return response;
    await response.body?.cancel();
    if (status === 401 || status === 403) {
      throw new TrimtabError(
        "E_HUB_AUTH",
        `${what}: access refused (${status})`,
        "accept the model's terms on the hub and set HF_TOKEN; a missing repository answers so too",
      );
    }
    if (status === 404)
      throw new TrimtabError(
        "E_HUB_NOT_FOUND",
        `${what}: not found on the hub`,
        "check the spelling of repository, file and revision",
      );
    throw new TrimtabError("E_HUB", `${what}: the hub answered ${status} ${response.statusText}`);
  }
}

/** Local path of a file of a repository; from the cache where it is there. @throws TrimtabError E_HUB, E_HUB_NOT_FOUND, ... */
export async function downloadFile(request: FileRequest, o: HubOptions = {}): Promise<string> {
  const { repo, file, revision = "main", expectedSha256 } = request;
  const hub = new Connection(o);
  const cache = new RepoCache(repo, hub.env);
  const cached = await cache.find(file, revision);
  if (cached) return cached;
  const what = `${repo}/${file}${revision === "main" ? "" : `@${revision}`}`;
  if (hub.offline)
    throw new TrimtabError(
      "E_HUB_OFFLINE",
      `${what} is not in the cache at ${cache.folder}, and offline mode is on`,
      "run `trimtab model pull` while online",
    );
  const url = `${endpoint(hub.env)}/${repo}/resolve/${encodePath(revision)}/${encodePath(file)}`;
  const facts = await fileFacts(hub, url, what);
  const blob = cache.blob(facts.etag);
  if (!(await exists(blob))) {
    const sha256 = expectedSha256 ?? (/^[0-9a-f]{64}$/.test(facts.etag) ? facts.etag : undefined);
    const openRange = async (offset: number): Promise<Response> => {
      const { first, last } = await hub.get(url, what, offset > 0 ? { Range: `bytes=${offset}-` } : {});
      const now = etagOf(first) ?? facts.etag;
      if (now === facts.etag) return last;
      await last.body?.cancel();
      throw new TrimtabError("E_HUB", `${what} changed on the hub during the download`, "run it again");
    };
    await transfer(blob, openRange, {
      file: what,
      sizeBytes: facts.sizeBytes,
      sha256,
      signal: o.signal,
      delay: hub.delay,
      onProgress: (loadedBytes, totalBytes) => o.onProgress?.({ type: "download", file, loadedBytes, totalBytes }),
    });
  }
  return cache.publish(blob, file, revision, facts.commit);
}

interface FileFacts {
  readonly etag: string;
  readonly commit: string;
  readonly sizeBytes: number | undefined;
}

function etagOf(response: Response): string | undefined {
  const etag = response.headers.get("x-linked-etag") ?? response.headers.get("etag");
  return etag?.replace(/^W\//, "").replaceAll('"', "");
}

/** Asked with a one-byte range, which every server that can resume understands. */
async function fileFacts(hub: Connection, url: string, what: string): Promise<FileFacts> {
  const { first, last } = await hub.get(url, what, { Range: "bytes=0-0" });
  await last.body?.cancel();
  const etag = etagOf(first) ?? etagOf(last);
  const commit = first.headers.get("x-repo-commit");
  if (!etag || !/^[\w.-]+$/.test(etag) || !commit || !/^[0-9a-f]{7,64}$/.test(commit)) {
    throw new TrimtabError(
      "E_HUB",
      `${what}: the answer has no usable ETag and commit`,
      "HF_ENDPOINT must be a Hugging Face hub",
    );
  }
  const linked = first.headers.get("x-linked-size");
  const ranged = /\/(\d+)$/.exec(last.headers.get("content-range") ?? "")?.[1];
  const plain = last.status === 200 ? last.headers.get("content-length") : null;
  const size = linked ?? ranged ?? plain;
  return { etag, commit, sizeBytes: size === null || size === undefined ? undefined : Number(size) };
}

/** File names of a repository. */
export async function listRepoFiles(repo: string, revision = "main", o: HubOptions = {}): Promise<string[]> {
  const hub = new Connection(o);
  const what = `${repo}@${revision}`;
  if (hub.offline)
    throw new TrimtabError(
      "E_HUB_OFFLINE",
      `${what} is not in the cache, and offline mode is on`,
      "run `trimtab model pull` while online",
    );
  const { last } = await hub.get(`${endpoint(hub.env)}/api/models/${repo}/revision/${encodePath(revision)}`, what);
  try {
    const { siblings } = (await last.json()) as { siblings: { rfilename: string }[] };
    return siblings.map((s) => s.rfilename).filter(isPlainPath);
  } catch (cause) {
    throw new TrimtabError("E_HUB", `${what}: the hub's list of files is not readable`, undefined, { cause });
  }
}

/** A relative path that stays in its folder. */
function isPlainPath(file: string): boolean {
  return typeof file === "string" && !/^[/\\]|\\|(^|\/)\.\.(\/|$)|^[A-Za-z]:/.test(file);
}

/** Fetches the chosen files of a repository; returns the snapshot's folder. */
export async function downloadSnapshot(
  repo: string,
  revision: string,
  files: readonly string[],
  o: HubOptions = {},
): Promise<string> {
  for (const file of files) await downloadFile({ repo, file, revision }, o);
  const cache = new RepoCache(repo, o.env ?? process.env);
  const commit = await cache.commitOf(revision);
  if (!commit) throw new TrimtabError("E_HUB", `${repo}@${revision}: nothing was fetched`);
  return join(cache.snapshot(commit));
}
