/** What `minime forward` is told: where to listen here, and where to connect from which node. Pure. */

import { hostInUrl, isName, UsageError } from "../../core/mod.ts";
import { FORWARDS_MAX, HOST_CHARACTERS_MAX, PORT_MAX } from "./limits.ts";

export interface ForwardSpec {
  readonly listen: { readonly host: string; readonly port: number };
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

const HINT = "Write [BIND:]LOCALPORT NODE:HOST:PORT, as in: 8080 n2:localhost:80";
/** By default only programs of this machine connect. */
const BIND_DEFAULT = "127.0.0.1";
const BIND_ALL = "0.0.0.0";

/** Pairs of words. @throws UsageError */
export function parseForwards(words: readonly string[]): ForwardSpec[] {
  if (words.length % 2 !== 0) {
    throw new UsageError(`"${words.at(-1)}" has no destination`, { hint: HINT });
  }
  if (words.length > 2 * FORWARDS_MAX) {
    throw new UsageError(`${words.length / 2} forwards at once, ${FORWARDS_MAX} is the most`);
  }
  return Array.from({ length: words.length / 2 }, (_, index) => ({
    listen: parseListen(words[2 * index] as string),
    ...parseTarget(words[2 * index + 1] as string),
  }));
}

/** True for a name or an IP address that a target may be called by. */
export function isHost(text: string): boolean {
  if (text.length === 0 || text.length > HOST_CHARACTERS_MAX) return false;
  return /^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/.test(text) ||
    /^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/.test(text);
}

/** "n2:localhost:80", as it is typed. */
export function targetText({ node, host, port }: Omit<ForwardSpec, "listen">): string {
  return `${node}:${hostInUrl(host)}:${port}`;
}

function parseListen(text: string): ForwardSpec["listen"] {
  const { before, port } = splitPort(text, `"${text}" is no port to listen on`, 0);
  if (before === undefined) return { host: BIND_DEFAULT, port };
  const host = before === "*" ? BIND_ALL : unbracketed(before);
  if (!isHost(host)) throw new UsageError(`"${text}" is no address to listen on`, { hint: HINT });
  return { host, port };
}

function parseTarget(text: string): Omit<ForwardSpec, "listen"> {
  const wrong = `"${text}" is no destination`;
  const { before = "", port } = splitPort(text, wrong, 1);
  const colon = before.indexOf(":");
  const node = before.slice(0, Math.max(0, colon));
  const host = unbracketed(before.slice(colon + 1));
  if (!isName(node) || !isHost(host)) throw new UsageError(wrong, { hint: HINT });
  return { node, host, port };
}

/** At the last colon; without one all is the port. */
function splitPort(
  text: string,
  wrong: string,
  minimum: number,
): { before: string | undefined; port: number } {
  const colon = text.lastIndexOf(":");
  const digits = text.slice(colon + 1);
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : NaN;
  if (port >= minimum && port <= PORT_MAX) {
    return { before: colon < 0 ? undefined : text.slice(0, colon), port };
  }
  throw new UsageError(wrong, { hint: HINT });
}

/** IPv6 stands in brackets, since it has colons of its own. */
function unbracketed(text: string): string {
  const inside = /^\[([^[\]]*:[^[\]]*)\]$/.exec(text)?.[1];
  if (inside !== undefined) return inside;
  return text.includes(":") ? "" : text;
}
