/**
 * The environment variables of the hub, read as Python's huggingface_hub reads them (its constants.py), with one
 * difference: a variable that is set to nothing counts as not set. Knows no network and no cache layout.
 */
import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { InputError, TrimtabError } from "../../tensor/errors.ts";

export type Env = Readonly<Record<string, string | undefined>>;

const isOn = (value: string | undefined): boolean => /^(1|true|yes|on)$/i.test(value ?? "");

/** `~` and `$NAME`, which shells leave alone in files such as .env. */
function expand(path: string, env: Env): string {
  return path
    .replace(/^~(?=$|[/\\])/, () => homedir())
    .replace(/\$(?:(\w+)|\{(\w+)\})/g, (whole, bare?: string, braced?: string) => env[bare ?? braced!] ?? whole);
}

function hfHome(env: Env): string {
  return expand(env.HF_HOME || join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "huggingface"), env);
}

/** Folder that holds `models--org--name`. */
export function cacheFolder(env: Env = process.env): string {
  return expand(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(hfHome(env), "hub"), env);
}

/** Address of the hub, without a slash at its end. @throws InputError E_OPTION */
export function endpoint(env: Env): string {
  const given = (env.HF_ENDPOINT || "https://huggingface.co").replace(/\/+$/, "");
  const url = URL.canParse(given) ? new URL(given) : undefined;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password) return given;
  throw new InputError(
    "E_OPTION",
    "HF_ENDPOINT is not the address of a hub",
    "give http(s)://host, and a token in HF_TOKEN",
  );
}

export function isOffline(env: Env): boolean {
  return isOn(env.HF_HUB_OFFLINE || env.TRANSFORMERS_OFFLINE);
}

/** A time in seconds as Python's variables give it, in ms. */
export function timeoutMs(env: Env, name: "HF_HUB_ETAG_TIMEOUT" | "HF_HUB_DOWNLOAD_TIMEOUT", fallback: number): number {
  const seconds = Number(env[name] || Number.NaN);
  return seconds > 0 ? seconds * 1000 : fallback;
}

/**
 * The access token, from HF_TOKEN or the file that `hf auth login` writes.
 * @throws TrimtabError E_HUB_AUTH for one that no header can carry; the message does not show it.
 */
export async function accessToken(env: Env): Promise<string | undefined> {
  const path = expand(env.HF_TOKEN_PATH || join(hfHome(env), "token"), env);
  const given = env.HF_TOKEN || env.HUGGING_FACE_HUB_TOKEN;
  const token = (given ?? (await readFile(path, "utf8").catch(() => ""))).trim();
  if (/^[\x21-\x7e]*$/.test(token)) return token || undefined;
  throw new TrimtabError(
    "E_HUB_AUTH",
    `the token in ${given ? "HF_TOKEN" : path} has characters that no token has`,
    "paste it again, on one line",
  );
}
