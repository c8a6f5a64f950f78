/**
 * What nodes say to each other by multicast DNS: one packet, the same for all. It is a query (RFC
 * 6762), whose additional records say who speaks: where answers must come from port 5353, which
 * belongs to all programs of a machine, questions may come from any.
 *
 *   question    _TAG._sub._minime._tcp.local PTR       who else is of this mesh? left out in answers
 *   additional  _TAG._sub._minime._tcp.local PTR KEY._minime._tcp.local
 *               KEY._minime._tcp.local       SRV 0 0 PORT KEY.local
 *               KEY._minime._tcp.local       TXT id=KEYID
 *
 * One that cannot be linked with asks for who gets it a certificate by the question alone: a call.
 *
 * KEY is the beginning of KEYID. The address is the one that the packet came from. Nothing of it is
 * proven. This file brings in the DNS library and is loaded only where somebody looks around.
 */

import * as library from "dns-packet";
import { LABEL_CHARACTERS } from "./limits.ts";

type Text = string | Uint8Array;

/** Its ttl in seconds. */
type DnsRecord =
  & { readonly name: string; readonly ttl: number }
  & (
    | { readonly type: "PTR"; readonly data: string }
    | { readonly type: "SRV"; readonly data: { readonly port: number; readonly target: string } }
    | { readonly type: "TXT"; readonly data: Text | readonly Text[] }
  );

interface Packet {
  readonly type: "query" | "response";
  readonly id: number;
  readonly questions: readonly { readonly type: string; readonly name: string }[];
  readonly additionals: readonly DnsRecord[];
}

/** What we use of it. Its published types would bring all of Node's, which differ from the runtime's. */
const dns = library as unknown as {
  readonly encode: (packet: Packet) => Uint8Array;
  /** Throws for anything that is no packet. */
  readonly decode: (bytes: Buffer) => Packet;
};

/** Who speaks. */
export interface Word {
  /** 64 hex digits. */
  readonly keyId: string;
  /** Where it listens by TCP. */
  readonly port: number;
  /** It wants to know who else is there. */
  readonly asks: boolean;
}

const SERVICE = "_minime._tcp.local";
const HEADER_BYTES = 12;
/** A packet of ours says nothing of time: its records are not for caches. */
const TTL_S = 0;
const KEY_ID = /^id=([0-9a-f]{64})$/;

/** `tag` names the mesh. */
export function encodeWord(tag: string, { keyId, port, asks }: Word): Uint8Array {
  const label = keyId.slice(0, LABEL_CHARACTERS);
  const name = `${label}.${SERVICE}`;
  const mesh = meshName(tag);
  const target = `${label}.local`;
  const additionals: readonly DnsRecord[] = [
    { type: "PTR", name: mesh, ttl: TTL_S, data: name },
    { type: "SRV", name, ttl: TTL_S, data: { port, target } },
    { type: "TXT", name, ttl: TTL_S, data: [`id=${keyId}`] },
  ];
  const questions = asks ? [{ type: "PTR", name: mesh } as const] : [];
  return dns.encode({ type: "query", id: 0, questions, additionals });
}

/** Asks for who gets us a certificate, and says nothing of who asks: the same bytes each time. */
export function encodeCall(tag: string): Uint8Array {
  const questions = [{ type: "PTR", name: meshName(tag) }] as const;
  return dns.encode({ type: "query", id: 0, questions, additionals: [] });
}

/** Undefined for whatever is no word of this mesh, which most packets on a network are not. */
export function decodeWord(tag: string, bytes: Uint8Array): Word | undefined {
  if (!isLikeWord(bytes)) return undefined;
  let packet: Packet;
  try {
    packet = dns.decode(Buffer.from(bytes));
  } catch {
    return undefined; // Anybody can send anything: it means nothing to us.
  }
  const mesh = meshName(tag);
  const [question] = packet.questions;
  if (question !== undefined && (question.type !== "PTR" || question.name !== mesh)) {
    return undefined;
  }
  const [pointer, service, text] = packet.additionals;
  if (pointer?.type !== "PTR" || service?.type !== "SRV" || text?.type !== "TXT") return undefined;
  const keyId = KEY_ID.exec(textOf(text.data))?.[1];
  if (keyId === undefined) return undefined;
  const name = `${keyId.slice(0, LABEL_CHARACTERS)}.${SERVICE}`;
  const { port } = service.data;
  const isWhole = pointer.name === mesh && pointer.data === name && service.name === name &&
    text.name === name && port !== 0;
  return isWhole ? { keyId, port, asks: question !== undefined } : undefined;
}

/** By its header alone: a plain query of at most one question and three additional records. */
function isLikeWord(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_BYTES) return false;
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const [flags, questions, answers, authorities, additionals] = [2, 4, 6, 8, 10]
    .map((at) => header.getUint16(at));
  return flags === 0 && (questions as number) <= 1 && answers === 0 && authorities === 0 &&
    additionals === 3;
}

function meshName(tag: string): string {
  return `_${tag}._sub.${SERVICE}`;
}

/** Of a TXT record with one string; the library tells several as a list. */
function textOf(data: unknown): string {
  const [only, ...more] = Array.isArray(data) ? data : [data];
  if (more.length > 0) return "";
  return only instanceof Uint8Array ? new TextDecoder().decode(only) : String(only);
}
