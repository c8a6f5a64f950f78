/**
 * The advert: what a node says about itself and the links it has, signed with its key. Bytes:
 *
 *   "minime-advert-v1\0" | mesh_id 16 | key id 32 | u64 incarnation | u64 sequence | instance 16
 *   | u8 flags (1: leaving) | lp version | lp segment | list lp endpoints
 *   | u16 count, key ids 32 in rising order | signature 64 over all before it
 *
 * Name, groups and the role of a gateway are not in it: they come from the certificate alone. The
 * signature covers the received bytes; nothing is encoded again to be verified or passed on.
 */

import {
  ByteReader,
  ByteWriter,
  fromHex,
  isName,
  parseEndpoint,
  toHex,
  UsageError,
} from "../../core/mod.ts";
import {
  ADVERT_BYTES_MAX,
  ADVERT_ENDPOINTS_MAX,
  ADVERT_LINKS_MAX,
  ENDPOINT_CHARACTERS_MAX,
  INCARNATION_MAX,
  SEQUENCE_MAX,
  VERSION_CHARACTERS_MAX,
} from "./limits.ts";

/** The daemon signs and verifies in this domain; a NUL and the rest of the advert follow. */
export const ADVERT_DOMAIN = "minime-advert-v1";

/** Which of two adverts of one key is newer. */
export interface AdvertVersion {
  /** Times the key was started, as far as the node can know. */
  readonly incarnation: number;
  /** Counts from 1 within an incarnation. */
  readonly sequence: number;
  /**
   * Random per process start, 32 hex digits. Two copies of one machine may say the same numbers: one
   * of both must be newer for all, or neither would ever hear of the other.
   */
  readonly instance: string;
}

export interface Advert extends AdvertVersion {
  /** 32 hex digits. */
  readonly meshId: string;
  readonly keyId: string;
  /** A goodbye. */
  readonly leaving: boolean;
  readonly version: string;
  readonly segment: string;
  /** Where others may dial it, best first. */
  readonly endpoints: readonly string[];
  /** Key ids of the nodes that it has links to, in rising order. */
  readonly links: readonly string[];
}

/** An advert as it came, with what is needed to check its signature and to pass it on. */
export interface ReceivedAdvert {
  readonly advert: Advert;
  /** The whole advert, signature included. Nobody may change it. */
  readonly bytes: Uint8Array;
  /** What the signature covers, without the domain. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Negative, zero or positive like a - b. */
export function compareVersions(a: AdvertVersion, b: AdvertVersion): number {
  const difference = a.incarnation - b.incarnation || a.sequence - b.sequence;
  if (difference !== 0 || a.instance === b.instance) return difference;
  return a.instance < b.instance ? -1 : 1;
}

/**
 * The advert as bytes; `sign` signs in {@link ADVERT_DOMAIN}. Links may come in any order. Values
 * that no reader would accept are a ProtocolError here.
 */
export function encodeAdvert(
  advert: Advert,
  sign: (bytes: Uint8Array) => Uint8Array,
): ReceivedAdvert {
  const links = [...advert.links].sort();
  const body = new ByteWriter("advert", 256 + KEY_BYTES * links.length)
    .fixed(fromHex(advert.meshId), ID_BYTES, "mesh id")
    .fixed(fromHex(advert.keyId), KEY_BYTES, "key id")
    .u64(advert.incarnation, "incarnation")
    .u64(advert.sequence, "sequence")
    .fixed(fromHex(advert.instance), ID_BYTES, "instance")
    .u8(advert.leaving ? FLAG_LEAVING : 0, "flags")
    .lp(advert.version, "version")
    .lp(advert.segment, "segment")
    .list(advert.endpoints, "endpoints", (out, endpoint) => out.lp(endpoint, "endpoint"))
    .list16(links, "links", (out, link) => out.fixed(fromHex(link), KEY_BYTES, "link"))
    .finish();
  const bytes = new ByteWriter("advert", MAGIC.length + body.length + SIGNATURE_BYTES)
    .bytes(MAGIC).bytes(body).fixed(sign(body), SIGNATURE_BYTES, "signature").finish();
  return decodeAdvert(bytes);
}

/** Strict: ProtocolError for anything that is not exactly one advert. Keeps views of the bytes. */
export function decodeAdvert(bytes: Uint8Array): ReceivedAdvert {
  const reader = new ByteReader(bytes, "Advert");
  if (bytes.length > ADVERT_BYTES_MAX) {
    throw reader.error("length", `${bytes.length} bytes, ${ADVERT_BYTES_MAX} is the most`);
  }
  reader.expect(MAGIC, "magic");
  const meshId = toHex(reader.bytes(ID_BYTES, "mesh id"));
  const keyId = toHex(reader.bytes(KEY_BYTES, "key id"));
  const incarnation = readCount(reader, "incarnation", INCARNATION_MAX);
  const sequence = readCount(reader, "sequence", SEQUENCE_MAX);
  const instance = toHex(reader.bytes(ID_BYTES, "instance"));
  const flags = reader.u8("flags");
  if (flags > FLAG_LEAVING) throw reader.error("flags", `unknown flags ${flags}`);
  const version = reader.lpText("version");
  if (!VERSION.test(version)) throw reader.error("version", "is none");
  const segment = reader.lpText("segment");
  if (!isName(segment)) throw reader.error("segment", "is no name");
  const endpoints = readEndpoints(reader);
  const links = readLinks(reader, keyId);
  const signed = reader.between(MAGIC.length, reader.offset);
  const signature = reader.bytes(SIGNATURE_BYTES, "signature");
  reader.end();
  const leaving = flags === FLAG_LEAVING;
  // deno-fmt-ignore
  const advert = {
    meshId, keyId, incarnation, sequence, instance, leaving, version, segment, endpoints, links,
  };
  return { advert, bytes, signed, signature };
}

/** Whose advert these bytes seem to be; undefined when they are too few for any. */
export function keyIdIn(bytes: Uint8Array): string | undefined {
  const begin = MAGIC.length + ID_BYTES;
  if (bytes.length < begin + KEY_BYTES) return undefined;
  return toHex(bytes.subarray(begin, begin + KEY_BYTES));
}

/** Key id, incarnation, sequence and instance of an advert, 64 bytes as they stand in it. */
export function versionBytesOf({ bytes }: Pick<ReceivedAdvert, "bytes">): Uint8Array {
  const begin = MAGIC.length + ID_BYTES;
  return bytes.subarray(begin, begin + KEY_BYTES + 8 + 8 + ID_BYTES);
}

const MAGIC = new TextEncoder().encode(`${ADVERT_DOMAIN}\0`);
const KEY_BYTES = 32;
const ID_BYTES = 16;
const SIGNATURE_BYTES = 64;
const FLAG_LEAVING = 1;
const VERSION = new RegExp(`^[0-9A-Za-z.+-]{1,${VERSION_CHARACTERS_MAX}}$`);

function readCount(reader: ByteReader, field: string, max: number): number {
  const count = reader.u64Number(field);
  if (count < 1 || count > max) throw reader.error(field, `${count} is not from 1 to ${max}`);
  return count;
}

function readEndpoints(reader: ByteReader): string[] {
  const endpoints = reader.list("endpoints", () => {
    const endpoint = reader.lpText("endpoint");
    if (endpoint.length > ENDPOINT_CHARACTERS_MAX) throw reader.error("endpoint", "is too long");
    if (!isTcpEndpoint(endpoint)) throw reader.error("endpoint", "is no tcp endpoint");
    return endpoint;
  });
  if (endpoints.length > ADVERT_ENDPOINTS_MAX) {
    throw reader.error("endpoints", `more than ${ADVERT_ENDPOINTS_MAX}`);
  }
  return endpoints;
}

function isTcpEndpoint(endpoint: string): boolean {
  // What others send is printed to terminals: printable ASCII only.
  if (!/^tcp:[!-~]+$/.test(endpoint)) return false;
  try {
    parseEndpoint(endpoint);
    return true;
  } catch (error) {
    if (error instanceof UsageError) return false;
    throw error;
  }
}

/** Rising order is checked so that equal sets are equal bytes, and none comes twice. */
function readLinks(reader: ByteReader, self: string): string[] {
  let previous = "";
  const links = reader.list16("links", () => {
    const link = toHex(reader.bytes(KEY_BYTES, "link"));
    if (link <= previous) throw reader.error("links", "are not in rising order");
    if (link === self) throw reader.error("links", "name the node itself");
    previous = link;
    return link;
  });
  if (links.length > ADVERT_LINKS_MAX) throw reader.error("links", `more than ${ADVERT_LINKS_MAX}`);
  return links;
}
