/**
 * Of several endpoints of one node those first that lie in a network of ours: a gateway has an
 * address in each of its networks, and the one that leads nowhere from here costs a time limit. As
 * in RFC 6724, rule 9: the longest prefix in common counts. What is no address keeps its place.
 */

import { type Network, parseEndpoint } from "../../core/mod.ts";

/** Bits in common below which nothing says that two addresses are in one network. */
const NEAR_BITS_MIN = { 4: 16, 16: 48 } as const;

/** Best first; in their order where nothing tells them apart. */
export function nearestFirst(
  endpoints: readonly string[],
  network: Pick<Network, "addresses">,
): readonly string[] {
  if (endpoints.length < 2) return endpoints;
  const own = network.addresses().flatMap((address) => bytesOf(address) ?? []);
  const ranked = endpoints.map((endpoint) => ({ endpoint, bits: nearness(endpoint, own) }));
  return ranked.sort((a, b) => b.bits - a.bits).map(({ endpoint }) => endpoint);
}

/** Bits in common with the nearest of our addresses; 0 when that says nothing. */
function nearness(endpoint: string, own: readonly Uint8Array[]): number {
  // Whatever else it is, whoever dials it says so.
  if (!endpoint.startsWith("tcp:")) return 0;
  const address = parseEndpoint(endpoint);
  const bytes = address.transport === "tcp" ? bytesOf(address.host) : undefined;
  if (bytes === undefined) return 0;
  const bits = own.map((each) => each.length === bytes.length ? commonBits(each, bytes) : 0);
  const most = Math.max(0, ...bits);
  return most < NEAR_BITS_MIN[bytes.length as 4 | 16] ? 0 : most;
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  let bits = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] ?? 0) ^ (b[i] ?? 0);
    if (difference === 0) bits += 8;
    else return bits + Math.clz32(difference) - 24;
  }
  return bits;
}

/** 4 or 16 bytes of an address in the usual notation; undefined for a name. */
function bytesOf(host: string): Uint8Array | undefined {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(host)) return new Uint8Array(host.split(".").map(Number));
  const [plain = ""] = host.split("%", 1);
  if (!/^[0-9a-f:]{2,39}$/i.test(plain) || !plain.includes(":")) return undefined;
  const [head = "", tail] = plain.split("::", 2);
  const groups = (text: string) =>
    text === "" ? [] : text.split(":").map((hex) => parseInt(hex, 16));
  const before = groups(head);
  const after = groups(tail ?? "");
  const gap = 8 - before.length - after.length;
  if (tail === undefined ? gap !== 0 : gap < 0) return undefined;
  const words = [...before, ...Array<number>(gap).fill(0), ...after];
  return new Uint8Array(words.flatMap((word) => [word >> 8, word & 0xff]));
}
