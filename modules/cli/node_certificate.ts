/**
 * Which certificate of a node counts: the one in its folder of keys, or one that it got since, from a
 * registrar. One that has expired while the machine was away is renewed before the daemon starts,
 * by the mesh's PSK and its own key: nobody lets it in otherwise. Any node carries its request to a
 * registrar which it cannot reach itself. A registrar's own issuer renews it
 * then, so that a mesh comes up again all of whose registrars were away.
 */

import * as v from "valibot";
import {
  AuthenticationError,
  ByteReader,
  ByteWriter,
  CLOCK_SKEW_MS_MAX,
  dialRegistrar,
  type Environment,
  errorText,
  formatEndpoint,
  type Identity,
  MinimeError,
  type Primitives,
  type Revocations,
  secretsAt,
  signForModule,
  type Trust,
  verifyChain,
} from "../../core/mod.ts";
import { issueAgain } from "../keys/mod.ts";
import { type Authority, KEY_BYTES, needsNow } from "../shared/authority.ts";
import { lessByChance, shuffled } from "../shared/chance.ts";
import { dialEndpoints } from "../shared/host_endpoints.ts";
import type { MeshHost } from "../shared/mesh_file.ts";
import { RENEWAL_DOMAIN, renewalBytes, RenewedSchema } from "../shared/renewal_verbs.ts";
import { certificateGroups, REGISTRAR_GROUP } from "../shared/roles.ts";
import type { NodeKeys } from "../shared/node_keys.ts";
import { mayDial, type OwnFile } from "./configured_file.ts";
import type { NodeState } from "./node_state.ts";

/** How long a registrar, or who asks one for us, may take at each of its endpoints. */
const REVIVE_MS_MAX = 20_000;
/**
 * Between two rounds over all registrars: half to the whole of this, doubled each time, for as long as
 * it takes. A minute after a registrar is back is soon enough for who was away for weeks.
 */
const REVIVE_PAUSE_MS_MIN = 5_000;
const REVIVE_PAUSE_MS_MAX = 60_000;
/** Other hosts of the file that are asked in one round, by chance: one that lives is enough. */
const COURIERS_ASKED_MAX = 3;

/** Two certificates with their lengths before them. */
export function encodeChain(chain: readonly Uint8Array[]): Uint8Array {
  const writer = new ByteWriter("chain", 8_192);
  for (const certificate of chain) writer.lp(certificate, "certificate");
  return writer.finish();
}

/** The keys with the chain that ends last, of the folder's and the one that was kept. */
export async function withNewestChain(
  env: Pick<Environment, "clock">,
  primitives: Primitives,
  parts: {
    readonly keys: NodeKeys;
    readonly state: NodeState;
    readonly revocations: Revocations;
    readonly warn: (text: string) => void;
  },
): Promise<NodeKeys> {
  const { keys, state, revocations, warn } = parts;
  const kept = await state.document("node.chain");
  if (kept === undefined) return keys;
  try {
    const chain = decodeChain(kept);
    const judge = { keys, revocations, now: env.clock.now() };
    const given = judged(primitives, keys.chain, judge);
    const renewed = judged(primitives, chain, judge);
    if (renewed === undefined) throw new MinimeError("it is not valid");
    if (given !== undefined && given.keyId !== renewed.keyId) throw new MinimeError("other keys");
    const isLater = given === undefined || renewed.notAfter > given.notAfter;
    return isLater ? { ...keys, chain } : keys;
  } catch (error) {
    // Of an earlier key of this name, or cut: the folder of keys is what counts.
    if (!(error instanceof MinimeError)) throw error;
    warn(`"node.chain" in the state folder is not used: ${errorText(error)}`);
    return keys;
  }
}

/** What asking a registrar takes of somebody whom nobody lets in. */
export interface ReviveParts {
  readonly keys: NodeKeys;
  /** The mesh file as it counts now. */
  readonly file: () => OwnFile;
  readonly trust: Trust;
  readonly signal: AbortSignal;
  /** What this node signs with, as of now. @default it is no registrar */
  readonly own?: () => Authority;
  /** Where others may be of whom the file says nothing; asked where it says that nodes look around. */
  readonly find: (signal: AbortSignal) => Promise<readonly Found[]>;
}

/** Where somebody may be who may be a registrar. */
export interface Found {
  readonly keyId: string;
  readonly host: string;
  readonly port: number;
}

/**
 * The keys with a chain that has not expired; resolves when a registrar, or our issuer, has given one,
 * however long that takes: `waits` is told for what. Undefined when we are told to stop before.
 */
export async function revived(
  env: Environment,
  primitives: Primitives,
  parts: ReviveParts & {
    readonly state: NodeState;
    readonly warn: (text: string) => void;
    readonly waits: (text: string) => Promise<void>;
    /** Until the next round: so long at most, shorter where there is news. Never rejects. */
    readonly pause: (ms: number) => Promise<void>;
  },
): Promise<NodeKeys | undefined> {
  const { keys, file, trust: { revocations }, state, warn, waits, pause, signal, own } = parts;
  const { clock, random } = env;
  const identity = judged(primitives, keys.chain, { keys, revocations, now: clock.now() });
  // What else is wrong with it is told by whoever verifies it.
  if (identity === undefined || clock.now() <= identity.notAfter) return keys;
  if (own === undefined && whomToAsk(file()) === "") return keys;
  const how = own === undefined ? "asking a registrar for another one" : "its own issuer renews it";
  warn(`Certificate of "${file().host.name}" has expired: ${how}`);
  let problem: string | undefined;
  const say = async () => {
    const waiting = `Waiting for a new certificate from ${whomToAsk(file())}`;
    await waits(problem === undefined ? waiting : `${waiting}: ${problem}`);
  };
  for (let rounds = 0;; rounds++) {
    const isAlone = whomToAsk(file()) === "";
    // One round may take longer than a service manager has patience.
    if (!isAlone && rounds === 0) await say();
    let chain: readonly Uint8Array[] | undefined;
    try {
      chain = await reviveOnce(env, primitives, parts);
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof MinimeError)) throw error;
      const text = errorText(error);
      if (text !== problem) warn(text);
      problem = text;
    }
    if (chain !== undefined) {
      await state.keep("node.chain", encodeChain(chain));
      return { ...keys, chain };
    }
    // Whoever verifies it says what to do; so of one whose issuer has ended while we waited.
    const now = judged(primitives, keys.chain, { keys, revocations, now: clock.now() });
    if (isAlone || now === undefined) return keys;
    await say();
    const most = Math.min(
      REVIVE_PAUSE_MS_MAX,
      REVIVE_PAUSE_MS_MIN * 2 ** rounds,
    );
    await pause(lessByChance(most, random));
    if (signal.aborted) return undefined;
  }
}

/**
 * A chain by our own issuer, or from the first that gives one: the registrars in the file, others in
 * it, who ask a registrar for us, and whom else there is on our networks. Rejects with why none did.
 */
export async function reviveOnce(
  env: Environment,
  primitives: Primitives,
  parts: ReviveParts,
): Promise<readonly Uint8Array[]> {
  const { keys, trust, signal, own } = parts;
  const file = parts.file();
  const { revocations } = trust;
  const now = env.clock.now();
  const identity = judged(primitives, keys.chain, { keys, revocations, now });
  if (identity === undefined) throw new MinimeError("The certificate is not valid");
  const why: string[] = [];
  try {
    if (own !== undefined) return issueAgain(own(), needsNow(env, primitives), identity);
  } catch (cause) {
    if (!(cause instanceof MinimeError)) throw cause;
    why.push(`Our own issuer cannot renew it: ${errorText(cause)}`);
  }
  const registrars = registrarsOf(file);
  const listed = placesOf(registrars);
  if (registrars.length === 0) why.push('The mesh file names no other host in group "registrar"');
  else if (listed.length === 0) why.push("The mesh file does not say where a registrar listens");
  const asking = { keys, identity, trust, signal };
  const chain = await firstChain(env, primitives, { ...asking, whom: listed, why }) ??
    await carriedChain(env, primitives, { ...asking, file, why });
  if (chain !== undefined) return chain;
  if (file.mesh.discover) {
    const whom = await found(parts.find, { signal, why });
    const chain = await firstChain(env, primitives, { ...asking, whom, why });
    if (chain !== undefined) return chain;
  }
  throw new MinimeError(why.join("; "));
}

/** Through some of the other hosts: that one of them may reach a registrar which we cannot. */
async function carriedChain(
  env: Environment,
  primitives: Primitives,
  { file, why, ...asking }: Asking & { readonly file: OwnFile; readonly why: string[] },
): Promise<readonly Uint8Array[] | undefined> {
  const registrars = new Set(registrarsOf(file));
  const others = file.mesh.hosts.filter((host) =>
    !registrars.has(host) && mayDial(file.host, host) && placesOf([host]).length > 0
  );
  if (others.length === 0) return undefined;
  const whom = placesOf(shuffled(others, env.random).slice(0, COURIERS_ASKED_MAX));
  const chain = await firstChain(env, primitives, { ...asking, whom, why: [] });
  // Why each of them did not would be another text each time, and is of less use than the above.
  if (chain === undefined) why.push("nor through another host of the mesh file");
  return chain;
}

function placesOf(hosts: readonly MeshHost[]): Asked[] {
  return hosts.flatMap((host) =>
    dialEndpoints(host).map((endpoint) => ({ endpoint, expect: { name: host.name } }))
  );
}

/** Somebody who may be a registrar, or reach one. */
interface Asked {
  readonly endpoint: string;
  readonly expect: { readonly name: string } | { readonly keyId: string };
}

/** What is needed to ask for another certificate. */
interface Asking extends Pick<ReviveParts, "keys" | "trust" | "signal"> {
  /** As it has expired. */
  readonly identity: Identity;
}

/** Whom our networks answer with; `why` is told where that is nobody. */
async function found(
  find: ReviveParts["find"],
  { signal, why }: { readonly signal: AbortSignal; readonly why: string[] },
): Promise<Asked[]> {
  try {
    const places = await find(signal);
    signal.throwIfAborted();
    if (places.length === 0) why.push("multicast DNS finds none");
    return places.map(({ keyId, host, port }) => ({
      endpoint: formatEndpoint({ transport: "tcp", host, port }),
      expect: { keyId },
    }));
  } catch (cause) {
    signal.throwIfAborted();
    if (!(cause instanceof MinimeError)) throw cause;
    why.push(`multicast DNS: ${errorText(cause)}`);
    return [];
  }
}

/** Undefined: none of them gave one that counts, and `why` says why. */
async function firstChain(
  env: Environment,
  primitives: Primitives,
  { whom, why, ...asking }: Asking & { readonly whom: readonly Asked[]; readonly why: string[] },
): Promise<readonly Uint8Array[] | undefined> {
  const { keys, identity, trust: { revocations }, signal } = asking;
  for (const asked of whom) {
    const who = "name" in asked.expect ? `"${asked.expect.name}"` : "who is";
    try {
      const chain = await ask(env, primitives, { ...asking, asked });
      const now = env.clock.now();
      const later = judged(primitives, chain, { keys, revocations, now });
      if (later?.keyId === identity.keyId && later.notAfter > now) return chain;
      why.push(`${who} at ${asked.endpoint} gave a certificate that is not for our key`);
    } catch (cause) {
      signal.throwIfAborted();
      if (!(cause instanceof MinimeError)) throw cause;
      why.push(`No certificate from ${who} at ${asked.endpoint}: ${errorText(cause)}`);
    }
  }
  return undefined;
}

/** In words; empty where the file names nobody. */
function whomToAsk(file: OwnFile): string {
  return [
    ...registrarsOf(file).map((registrar) => `"${registrar.name}"`),
    ...file.mesh.discover ? ["whoever multicast DNS finds"] : [],
  ].join(" or ");
}

function registrarsOf({ mesh, host: self }: OwnFile): readonly MeshHost[] {
  return mesh.hosts.filter((host) =>
    host.name !== self.name && certificateGroups(host).includes(REGISTRAR_GROUP)
  );
}

/** The certificate that it gives, of which nothing is verified yet. */
async function ask(
  env: Environment,
  primitives: Primitives,
  { keys, identity, trust, asked, signal }: Asking & { readonly asked: Asked },
): Promise<Uint8Array[]> {
  const seed = keys.key.slice(0, KEY_BYTES);
  const unixMs = Math.floor(env.clock.now());
  const [secret] = secretsAt(trust, unixMs);
  if (secret === undefined) throw new MinimeError("There is no PSK to dial with");
  const calls = await dialRegistrar(env, primitives, {
    rootPublicKey: keys.rootPublicKey,
    name: identity.name,
    secret,
    keys: { signSeed: seed, dhSecret: keys.key.slice(KEY_BYTES) },
    ...asked,
    signal,
  });
  try {
    const bytes = renewalBytes(unixMs, identity.certificate.bytes);
    const signature = signForModule(primitives, { domain: RENEWAL_DOMAIN, bytes, seed });
    const reply = await calls.request("keys.revive", { chain: keys.chain, unixMs, signature }, {
      deadlineMs: REVIVE_MS_MAX,
      signal,
    });
    const parsed = v.safeParse(RenewedSchema, reply);
    if (!parsed.success) throw new MinimeError("Its answer is malformed");
    return parsed.output.chain;
  } finally {
    await calls.close("client is done");
  }
}

/** Who it says, expired or not; undefined when it says nobody. */
function judged(
  primitives: Primitives,
  chain: readonly Uint8Array[],
  { keys, revocations, now }: {
    readonly keys: NodeKeys;
    readonly revocations: Revocations;
    readonly now: number;
  },
): Identity | undefined {
  const { meshId, rootPublicKey } = keys;
  try {
    return verifyChain(primitives, {
      chain,
      meshId,
      rootPublicKey,
      revocations,
      now,
      skewMs: CLOCK_SKEW_MS_MAX,
      types: ["node"],
      allowExpired: true,
    });
  } catch (error) {
    if (error instanceof AuthenticationError) return undefined;
    throw error;
  }
}

function decodeChain(bytes: Uint8Array): Uint8Array[] {
  const reader = new ByteReader(bytes, "Chain");
  const chain: Uint8Array[] = [];
  while (reader.remaining > 0) chain.push(reader.lp("certificate").slice());
  return chain;
}
