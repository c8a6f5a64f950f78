/**
 * A connection to one daemon as this user: calls as they are, and requests signed by the user's key.
 * The keys are loaded only when something needs them.
 */

import * as v from "valibot";
import {
  type Calls,
  choosePrimitives,
  chooseSigning,
  ConnectionError,
  encodeCanonical,
  EndToEnd,
  errorText,
  fromHex,
  MinimeError,
  type Primitives,
  Scratch,
  type Self,
  type SignedBytes,
  signForModule,
  type SigningPrimitives,
  signRequest,
  TcpFront,
  type Trust,
  verifyMeshSecrets,
} from "../../core/mod.ts";
import { type HomeUser, selfOf } from "../shared/credentials.ts";
import { DocumentSchema } from "../shared/document_verbs.ts";
import type { MeshClient, SignOptions } from "../shared/command.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import type { ConnectNeeds } from "./context.ts";
import { loadLivingUser } from "./living_user.ts";

/** How long from now a signed request may be started. */
const START_MS_DEFAULT = 5_000;

/** A daemon that let us in, and where. */
export interface Reached {
  readonly calls: Calls;
  readonly name: string;
  readonly endpoint: string;
  /** Of the conduit, when its other end is the node itself; undefined: a socket of this machine. */
  readonly session: string | undefined;
  /** In the certificate of that node; undefined: a socket of this machine. */
  readonly groups: readonly string[] | undefined;
  /** Of the document that changed the PSK last, as that daemon knows it; 0: unknown, or none. */
  readonly secretsVersion: number;
  /** As in {@link MeshClient.via}. */
  readonly revision: number;
  /** What is to be done when the calls are closed. */
  readonly afterwards?: () => Promise<void>;
}

/**
 * The user's keys, loaded when first needed: reading through the local daemon needs none. They go when
 * nothing uses them any more, since what still did would fail in the middle of anything.
 */
export class User {
  readonly #needs: ConnectNeeds;
  readonly #home: MeshHome;
  /** What uses the keys, or may. */
  readonly #uses = new Set<Promise<void>>();
  #signer: Promise<HomeUser & { primitives: SigningPrimitives }> | undefined;
  #everything: Promise<{ self: Self; trust: Trust; primitives: Primitives }> | undefined;
  readonly #primitives: Disposable[] = [];
  #isOver = false;

  constructor(needs: ConnectNeeds, home: MeshHome) {
    this.#needs = needs;
    this.#home = home;
  }

  /** What it takes to sign. Rejects with ConnectionError "closed" once the keys are to go. */
  signer(): Promise<HomeUser & { primitives: SigningPrimitives }> {
    if (this.#isOver) return Promise.reject(closed());
    this.#signer ??= this.using(this.#loadSigner());
    return this.#signer;
  }

  /** And what it takes to talk over a network. Rejects as signer does. */
  load(): Promise<{ self: Self; trust: Trust; primitives: Primitives }> {
    if (this.#isOver) return Promise.reject(closed());
    this.#everything ??= this.using(this.#load());
    return this.#everything;
  }

  /** The keys stay until that has settled. */
  using<T>(use: Promise<T>): Promise<T> {
    const ended = () => void this.#uses.delete(over);
    const over = use.then(ended, ended);
    this.#uses.add(over);
    return use;
  }

  /** The keys stay until all that it has dialled is closed. */
  async front(): Promise<Pick<TcpFront, "dial">> {
    const { env, out } = this.#needs;
    const { self, trust: believed, primitives } = await this.load();
    // Nodes that have not heard of the new one yet are few, and there are others to ask.
    const { secretsDocument, ...rest } = believed;
    const trust = secretsDocument === undefined
      ? believed
      : { ...rest, secrets: [secretsDocument.secret] };
    const context = { clock: env.clock, random: env.random, primitives, trust, self };
    const front = new TcpFront({
      network: env.network,
      context: () => context,
      log: (_level, text) => out.detail(text),
    });
    return {
      dial: async (endpoint, options) => {
        const conduit = await this.using(front.dial(endpoint, options));
        void this.using(conduit.closed);
        return conduit;
      },
    };
  }

  /** The mesh's PSK was changed: the home needs the new one before the old one counts no more. */
  async learnSecrets({ calls, secretsVersion }: Reached): Promise<void> {
    const { trust, primitives } = await this.signer();
    if (secretsVersion <= (trust.secretsDocument?.version ?? 0)) return;
    try {
      const reply = v.parse(
        DocumentSchema,
        await calls.request("documents.get", { kind: "secrets" }),
      );
      const { meshId, rootPublicKey } = trust;
      const { bytes } = verifyMeshSecrets(primitives, { ...reply, meshId, rootPublicKey });
      await this.#home.store("secrets.signed", bytes);
    } catch (error) {
      if (!(error instanceof MinimeError)) throw error;
      this.#needs.out.warn(
        `The mesh has a new PSK, which cannot be stored here: ${errorText(error)}`,
      );
    }
  }

  /** For sessions that run through nodes of the mesh; who makes some says how long they use it. */
  async endToEnd(): Promise<EndToEnd> {
    const { clock, random } = this.#needs.env;
    const { self, trust, primitives } = await this.load();
    const context = { clock, random, primitives, trust, self };
    return new EndToEnd({ context: () => context });
  }

  /** From now on nobody gets the keys; who has them has ended what uses them. Idempotent. */
  async dispose(): Promise<void> {
    this.#isOver = true;
    while (this.#uses.size > 0) await Promise.all(this.#uses);
    for (const primitives of this.#primitives.splice(0)) primitives[Symbol.dispose]();
  }

  async #loadSigner(): Promise<HomeUser & { primitives: SigningPrimitives }> {
    return await this.#livingUser(await chooseSigning());
  }

  async #load(): Promise<{ self: Self; trust: Trust; primitives: Primitives }> {
    const { random } = this.#needs.env;
    const primitives = await choosePrimitives();
    // What does everything can sign too.
    const living = this.using(this.#livingUser(primitives));
    this.#signer ??= living;
    const user = await living;
    return { self: selfOf(user, { primitives, random }), trust: user.trust, primitives };
  }

  async #livingUser<P extends SigningPrimitives>(
    primitives: P,
  ): Promise<HomeUser & { primitives: P }> {
    this.#primitives.push(primitives);
    return { ...await loadLivingUser(this.#needs, primitives, this.#home), primitives };
  }
}

function closed(): ConnectionError {
  return new ConnectionError("closed", "Keys of a connection that is closed");
}

/** What a command talks to. */
export class Client implements MeshClient {
  readonly meshName: string;
  readonly via: MeshClient["via"];
  readonly request: MeshClient["request"];
  readonly stream: MeshClient["stream"];
  readonly #calls: Calls;
  readonly #afterwards: (() => Promise<void>) | undefined;
  readonly #user: User;
  readonly #bind: Uint8Array | undefined;
  readonly #clock: { now(): number };
  readonly #random: { bytes(length: number): Uint8Array };
  readonly #scratch = new Scratch();
  #closed: Promise<void> | undefined;

  constructor(
    parts: {
      readonly home: MeshHome;
      readonly reached: Reached;
      readonly user: User;
      /** Sign for this connection alone. */
      readonly bound: boolean;
      readonly clock: { now(): number };
      readonly random: { bytes(length: number): Uint8Array };
    },
  ) {
    const { calls, session } = parts.reached;
    this.#calls = calls;
    this.#afterwards = parts.reached.afterwards;
    this.meshName = parts.home.name;
    const { name, endpoint, groups, revision } = parts.reached;
    this.via = { name, endpoint, groups, revision };
    this.#user = parts.user;
    this.#bind = parts.bound && session !== undefined ? fromHex(session) : undefined;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.request = (verb, args, options) => calls.request(verb, args, options);
    this.stream = (verb, args, options) => calls.stream(verb, args, options);
  }

  async sign(verb: string, args: unknown, options: SignOptions): Promise<Uint8Array> {
    const { identity, signSeed, trust, primitives } = await this.#user.signer();
    if (options.targets.length === 0) {
      throw new MinimeError(`Request for "${verb}" has no targets`);
    }
    const issuedMs = Math.floor(this.#clock.now());
    return signRequest(primitives, {
      meshId: trust.meshId,
      requestId: this.#random.bytes(16),
      issuedMs,
      expiresMs: issuedMs + (options.ttlMs ?? START_MS_DEFAULT),
      targets: { kind: "names", names: options.targets },
      ...(this.#bind === undefined ? {} : { bind: this.#bind }),
      verb,
      as: options.as === "$user" ? identity.unixUser ?? "" : options.as ?? "",
      arguments: args === undefined ? new Uint8Array(0) : encodeCanonical(args),
      seed: signSeed,
      chain: identity.chain,
    });
  }

  async signBytes(
    domain: string,
    signed: Pick<SignedBytes, "bytes" | "content">,
  ): Promise<Uint8Array> {
    const { signSeed: seed, primitives } = await this.#user.signer();
    return signForModule(primitives, { domain, ...signed, seed, scratch: this.#scratch });
  }

  close(): Promise<void> {
    this.#closed ??= this.#close().finally(() => this.#user.dispose());
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    try {
      await this.#calls.close("client is done");
    } finally {
      await this.#afterwards?.();
    }
  }
}
