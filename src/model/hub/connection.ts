/**
 * Requests to the hub: its address and token, redirects that do not leak the token, waiting while it is busy, time-outs,
 * and refusals in words. Knows HTTP and the hub's headers, not what is done with the bytes.
 */
import { TrimtabError } from "../../tensor/errors.ts";
import { sendRequest } from "./httpRequest.ts";
import { accessToken, type Env, endpoint, isOffline, timeoutMs } from "./hubEnv.ts";
import { type Delay, discard, type Patience, patience, pieces } from "./patience.ts";

export interface HubOptions {
  readonly env?: Env;
  /** Use the cache only; also HF_HUB_OFFLINE. */
  readonly offline?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (e: { type: "download"; file: string; loadedBytes: number; totalBytes: number }) => void;
  /** For tests. */
  readonly delay?: Delay;
}

/** What is asked for, in the words of messages: `org/name/file@revision`. */
export interface Question {
  readonly method: "GET" | "HEAD";
  /** Beginning with a slash. */
  readonly path: string;
  readonly what: string;
  readonly range?: string;
}

export interface Answer {
  /** The last response: after a HEAD, the hub's own; after a GET, the one with the bytes. */
  readonly response: Response;
  /** From the hub's own responses; a redirect elsewhere does not overwrite them. */
  readonly etag: string | undefined;
  readonly commit: string | undefined;
  readonly linkedBytes: number | undefined;
}

/** A hub that does not answer costs this long; HF_HUB_ETAG_TIMEOUT (s) sets another time. */
const FIRST_ANSWER_MS = 3000;
/** Silence that a hub which has answered before is allowed; HF_HUB_DOWNLOAD_TIMEOUT (s) sets another time. */
const SILENCE_MS = 10_000;
const MAX_REDIRECTS = 5;
const BUSY_ATTEMPTS = 4;
const FIRST_BUSY_WAIT_MS = 500;
const MAX_BUSY_WAIT_MS = 20_000;
const MAX_JSON_BYTES = 64 << 20;

/** No answer at all; E_HUB. */
export class Unreachable extends TrimtabError {
  /** The connection was closed: one that was kept from before may have been closed in the meantime. */
  readonly wasClosed: boolean;

  constructor(message: string, cause: unknown) {
    const hint = "check the network or HF_ENDPOINT, or use a model that is in the cache (--offline)";
    super("E_HUB", message, hint, { cause });
    const { code } = cause as NodeJS.ErrnoException;
    this.wasClosed = code === "ECONNRESET" || code === "EPIPE";
  }
}

export class Connection {
  readonly env: Env;
  readonly offline: boolean;
  readonly patience: Patience;
  readonly silenceMs: number;
  #answered = false;

  constructor(o: HubOptions) {
    this.env = o.env ?? process.env;
    this.offline = o.offline === true || isOffline(this.env);
    this.patience = patience(o.signal, o.delay);
    this.silenceMs = timeoutMs(this.env, "HF_HUB_DOWNLOAD_TIMEOUT", SILENCE_MS);
  }

  /**
   * Follows redirects by hand: the token goes to the hub's own origin only, and a HEAD stays there.
   * @throws TrimtabError E_HUB, E_HUB_AUTH, E_HUB_NOT_FOUND; Unreachable
   */
  async ask(q: Question): Promise<Answer> {
    const token = await accessToken(this.env);
    const home = endpoint(this.env);
    let at = new URL(home + q.path);
    const { origin } = at;
    let etag: string | undefined;
    let linkedEtag: string | undefined;
    let commit: string | undefined;
    let linkedBytes: number | undefined;
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const own = at.origin === origin;
      const response = await this.#patiently(at, q, own ? token : undefined);
      if (own) {
        linkedEtag ??= tag(response.headers.get("x-linked-etag"));
        commit ??= response.headers.get("x-repo-commit") ?? undefined;
        linkedBytes ??= count(response.headers.get("x-linked-size"));
        etag = tag(response.headers.get("etag")) ?? etag;
      }
      const next = redirection(response, at, q.what);
      if (!next || (q.method === "HEAD" && next.origin !== origin)) {
        return { response, etag: linkedEtag ?? etag, commit, linkedBytes };
      }
      await discard(response, this.silenceMs);
      at = next;
    }
    throw new TrimtabError("E_HUB", `${q.what}: more than ${MAX_REDIRECTS} redirects`);
  }

  /** @throws what `ask` throws, and TrimtabError E_HUB for what is not JSON. */
  async askJson(path: string, what: string): Promise<unknown> {
    const { response } = await this.ask({ method: "GET", path, what });
    const parts: Uint8Array[] = [];
    let bytes = 0;
    try {
      for await (const piece of pieces(response, this.silenceMs)) {
        if ((bytes += piece.length) > MAX_JSON_BYTES) throw new Error(`more than ${MAX_JSON_BYTES} bytes`);
        parts.push(piece);
      }
      return JSON.parse(Buffer.concat(parts).toString("utf8"));
    } catch (cause) {
      this.patience.signal?.throwIfAborted();
      throw new TrimtabError(
        "E_HUB",
        `${what}: the hub's answer cannot be read: ${(cause as Error).message}`,
        "HF_ENDPOINT must be a Hugging Face hub",
        { cause },
      );
    }
  }

  /** Tries again while the server is busy (429, 5xx) or closes the connection. */
  async #patiently(url: URL, q: Question, token: string | undefined): Promise<Response> {
    for (let attempt = 1; ; attempt++) {
      const waitMs = FIRST_BUSY_WAIT_MS * 2 ** (attempt - 1);
      let response: Response;
      try {
        response = await this.#once(url, q, token);
      } catch (error) {
        if (!(error instanceof Unreachable && error.wasClosed) || attempt === BUSY_ATTEMPTS) throw error;
        await this.patience.wait(waitMs);
        continue;
      }
      this.#answered = true;
      const busy = response.status === 429 || response.status >= 500;
      if (!busy && response.status < 400) return response;
      await discard(response, this.silenceMs);
      if (!busy) throw refusal(response, q, token !== undefined);
      if (attempt === BUSY_ATTEMPTS) {
        throw new TrimtabError(
          "E_HUB",
          `${q.what}: the hub answered ${response.status} ${BUSY_ATTEMPTS} times`,
          "try again later",
        );
      }
      await this.patience.wait(Math.min(retryAfterMs(response) ?? waitMs, MAX_BUSY_WAIT_MS));
    }
  }

  async #once(url: URL, q: Question, token: string | undefined): Promise<Response> {
    const { signal } = this.patience;
    const limitMs = this.#answered ? this.silenceMs : timeoutMs(this.env, "HF_HUB_ETAG_TIMEOUT", FIRST_ANSWER_MS);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), limitMs);
    // identity: a compressed body would not have the announced size
    const headers: Record<string, string> = { "Accept-Encoding": "identity" };
    if (token !== undefined) headers.Authorization = `Bearer ${token}`;
    if (q.range !== undefined) headers.Range = q.range;
    try {
      return await sendRequest(url, {
        method: q.method,
        headers,
        signal: signal ? AbortSignal.any([signal, late.signal]) : late.signal,
      });
    } catch (cause) {
      signal?.throwIfAborted();
      const why = late.signal.aborted ? `no answer within ${limitMs / 1000} s` : rootMessage(cause);
      throw new Unreachable(`${q.what}: the hub at ${url.host} cannot be reached (${why})`, cause);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** The hub quotes its ETags, and weakens those of compressed answers. */
function tag(header: string | null): string | undefined {
  return header?.replace(/^W\//, "").replaceAll('"', "") || undefined;
}

export function count(header: string | null): number | undefined {
  return header !== null && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

/** Several addresses that all failed make an error without a message, but with a code. */
function rootMessage(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return message || String(code);
}

function redirection(response: Response, from: URL, what: string): URL | undefined {
  const location = response.headers.get("location");
  if (response.status < 300 || response.status >= 400 || location === null) return undefined;
  const to = URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;
  if (to && /^https?:$/.test(to.protocol)) return to;
  throw new TrimtabError("E_HUB", `${what}: the hub redirects to what is no web address`);
}

/** Seconds or a date. */
function retryAfterMs(response: Response): number | undefined {
  const asked = response.headers.get("retry-after") ?? "";
  const ms = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.now();
  return ms > 0 ? ms : undefined;
}

function refusal(response: Response, { what }: Question, withToken: boolean): TrimtabError {
  const { status, statusText } = response;
  if (status === 401 || status === 403) {
    return new TrimtabError(
      "E_HUB_AUTH",
      `${what}: access refused (${status})${withToken ? " with the token that is set" : ""}`,
      withToken
        ? "check that HF_TOKEN is valid, its account accepted the model's terms, and the repository's name is right"
        : "set HF_TOKEN and accept the model's terms on the hub; a repository that does not exist answers so too",
    );
  }
  if (status === 404) {
    const hint = "check the spelling of repository, file and revision";
    return new TrimtabError("E_HUB_NOT_FOUND", `${what}: not found on the hub`, hint);
  }
  return new TrimtabError("E_HUB", `${what}: the hub answered ${status} ${statusText}`.trimEnd());
}
