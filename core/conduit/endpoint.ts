/**
 * Endpoints as text: `tcp:HOST:PORT` (IPv6 in brackets), `unix:/path`, `internal:NAME`. Other
 * machines say where they can be reached, and that text goes to terminals, files and into the
 * dialogue of boot with yet other machines: a host has no character that could mean anything there.
 */

import type { Address } from "../environment/environment.ts";
import { UsageError } from "../errors.ts";
import { quote } from "../security/name.ts";
import type { Endpoint } from "./conduit.ts";

const PORT_MAX = 65_535;
const HOST_CHARACTERS_MAX = 253;

/** The address behind a tcp or unix endpoint. Throws UsageError with what is wrong. */
export function parseEndpoint(endpoint: Endpoint): Address {
  if (endpoint.startsWith("unix:/")) return { transport: "unix", path: endpoint.slice(5) };
  if (!endpoint.startsWith("tcp:")) {
    throw bad(endpoint, 'it starts with neither "tcp:" nor "unix:/"');
  }
  const rest = endpoint.slice(4);
  const colon = rest.lastIndexOf(":");
  if (colon < 1) throw bad(endpoint, "it has no port");
  const portText = rest.slice(colon + 1);
  const port = Number(portText);
  const plain = portText.length > 0 && [...portText].every((c) => c >= "0" && c <= "9");
  if (!plain || port > PORT_MAX) throw bad(endpoint, `${quote(portText)} is not a port`);
  let host = rest.slice(0, colon);
  if (host.startsWith("[") && host.endsWith("]")) host = host.slice(1, -1);
  else if (host.includes(":")) throw bad(endpoint, "an IPv6 address needs brackets");
  if (host === "") throw bad(endpoint, "it has no host");
  if (!isHost(host)) throw bad(endpoint, "its host is neither a name nor an address");
  return { transport: "tcp", host, port };
}

/** The text that {@link parseEndpoint} reads as the same address. */
export function formatEndpoint(address: Address): Endpoint {
  if (address.transport === "unix") return `unix:${address.path}`;
  return `tcp:${hostInUrl(address.host)}:${address.port}`;
}

/** Brackets around an IPv6 address, as wherever a port follows. */
export function hostInUrl(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** Letters, digits and `. _ - : %`, at most as many as DNS knows. */
function isHost(text: string): boolean {
  return text.length <= HOST_CHARACTERS_MAX && /^[A-Za-z0-9._:%-]*$/.test(text) &&
    !text.startsWith("-");
}

function bad(endpoint: string, why: string): UsageError {
  return new UsageError(`Endpoint ${quote(endpoint)} is not usable: ${why}`, {
    hint: "Write tcp:HOST:PORT, tcp:[IPV6]:PORT or unix:/PATH",
  });
}
