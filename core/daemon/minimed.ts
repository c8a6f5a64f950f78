/**
 * The daemon: launches itself, listens on three fronts, connects on the same three, hands each
 * message to the verb that it names, and shuts itself down in order. It never forwards, and knows
 * no module by name: modules come as a list and are reached through `internal:NAME`.
 */

import type { Conduit, ConduitListener, Peer } from "../conduit/conduit.ts";
import type { HandshakeContext } from "../conduit/handshake.ts";
import { EndToEnd } from "../conduit/end_to_end.ts";
import { TcpFront } from "../conduit/tcp.ts";
import { UnixFront } from "../conduit/unix.ts";
import type { Environment, Timer } from "../environment/environment.ts";
import { AuthenticationError, CallError, errorText } from "../errors.ts";
import { CLOCK_SKEW_MS_MAX, ON_DEMAND_PEERS_MAX, VALIDITY_CHECK_MS } from "../limits.ts";
import { limitedLog } from "../limited_log.ts";
import type { Log } from "../log.ts";
import { AuditLog } from "../security/audit.ts";
import { type Identity, verifyChain } from "../security/chain.ts";
import { findSecret } from "../security/mesh_secrets.ts";
import { Journal, type KeptJournal } from "../security/journal.ts";
import type { Primitives } from "../crypto/primitives.ts";
import type { Self, Trust } from "../security/trust.ts";
import { Scratch, toHex } from "../wire/bytes.ts";
import type { Caller } from "./call.ts";
import { Clients } from "./clients.ts";
import { coreVerbs } from "./core_verbs.ts";
import { Dispatcher } from "./dispatch.ts";
import { type Documents, TrustedDocuments } from "./documents.ts";
import { Guard } from "./guard.ts";
import type { Incoming } from "./incoming.ts";
import { Internals } from "./internals.ts";
import { Lifecycle, type LifeState } from "./lifecycle.ts";
import { LinkTable } from "./link_table.ts";
import type { Module, ModuleHost, StopHow } from "./module.ts";
import { signForModule, verifyForModule } from "./module_signature.ts";
import { signNodeRequest } from "./node_request.ts";
import { OwnIdentity } from "./own_identity.ts";
import { shutDown } from "./shutdown.ts";
import { sizeOfReply, type StepResult } from "./step.ts";
import { whyNoLongerValid } from "./still_valid.ts";

export interface MinimedOptions {
  readonly env: Environment;
  readonly primitives: Primitives;
  readonly trust: Trust;
  readonly self: Self;
  /** In start order. */
  readonly modules: readonly Module[];
  /** Endpoints to listen on; the owner's unix socket lies in a folder of mode 0700. */
  readonly listen: readonly string[];
  /** The folder of audit logs. */
  readonly auditFolder: string;
  /** Where requests that ran are remembered across restarts. @default nowhere */
  readonly journal?: KeptJournal;
  /**
   * Unix ms: requests issued before are refused, for what a journal may have lost.
   * @default the begin of our certificate
   */
  readonly requestsSinceMs?: number;
  /** A logger for each component. */
  readonly log: (component: string) => Log;
  /** As of a HandshakeContext. */
  readonly revision?: number;
}

export class Minimed {
  /** Resolves when the daemon has stopped, with the reason. */
  readonly stopped: Promise<string>;
  readonly #options: MinimedOptions;
  readonly #life = new Lifecycle();
  readonly #log: Log;
  readonly #tcp: TcpFront;
  readonly #unix: UnixFront;
  readonly #endToEnd: EndToEnd;
  readonly #dispatcher: Dispatcher;
  readonly #journal: Journal<StepResult[]>;
  readonly #links: LinkTable;
  readonly #onDemand: LinkTable;
  readonly #documents: Documents;
  readonly #listeners: ConduitListener[] = [];
  readonly #started: Module[] = [];
  readonly #clients: Clients;
  readonly #internals: Internals;
  readonly #stopping = new AbortController();
  readonly #startedAt: number;
  #trust: Trust;
  readonly #own: OwnIdentity;
  /** Who may join, by the id of what they show. */
  readonly #joining: NonNullable<HandshakeContext["joining"]>[] = [];
  #audit: AuditLog | undefined;
  #validityTimer: Timer | undefined;
  #stop: Promise<void> | undefined;
  #resolveStopped: (reason: string) => void = () => {};

  constructor(options: MinimedOptions) {
    this.#options = options;
    this.#trust = options.trust;
    this.#log = options.log("core");
    const { env: { clock, network }, primitives, self, journal: store } = options;
    this.#own = new OwnIdentity(self);
    this.#startedAt = clock.monotonic();
    this.stopped = new Promise((resolve) => this.#resolveStopped = resolve);
    const stored = store === undefined ? {} : { store, earlier: store.records };
    this.#journal = new Journal({ clock, sizeOf: sizeOfReply, ...stored });
    this.#dispatcher = new Dispatcher(
      new Guard({
        clock,
        primitives,
        self,
        trust: () => this.#trust,
        journal: this.#journal,
        sinceMs: options.requestsSinceMs ?? 0,
        audit: (record) => (this.#audit as AuditLog).append(record),
        auditOutcome: (record) => (this.#audit as AuditLog).appendOutcome(record),
        log: limitedLog(this.#log, clock),
      }),
    );
    // Strangers decide how often they are refused.
    const log = limitedLog(options.log("conduit"), clock);
    this.#unix = new UnixFront({ clock, network, log });
    this.#tcp = new TcpFront({
      network,
      log,
      context: () => this.#handshakeContext(),
      admit: (peer) => this.#admit(peer),
    });
    this.#endToEnd = new EndToEnd({
      context: () => this.#handshakeContext(),
      admit: (peer) => this.#admitEndToEnd(peer),
    });
    this.#documents = new TrustedDocuments({
      primitives,
      now: () => clock.now(),
      trust: () => this.#trust,
      believe: (trust) => this.trust = trust,
    });
    const serving = { clock, serve: this.#serve, onBug: this.#onBug };
    this.#clients = new Clients(serving);
    this.#internals = new Internals(serving);
    const table = {
      ...serving,
      log: options.log("links"),
      selfKeyId: self.identity.keyId,
      front: this.#tcp,
    };
    this.#links = new LinkTable({ ...table, onDemand: false });
    this.#onDemand = new LinkTable({ ...table, onDemand: true, peersMax: ON_DEMAND_PEERS_MAX });
  }

  get state(): LifeState {
    return this.#life.state;
  }

  /** What this daemon believes in; replaced as a whole. */
  get trust(): Trust {
    return this.#trust;
  }

  set trust(trust: Trust) {
    this.#trust = trust;
    this.#recheck();
  }

  /** Who this daemon is. */
  get self(): Identity {
    return this.#own.self.identity;
  }

  /** Endpoints on which it really listens. */
  endpoints(): readonly string[] {
    return this.#listeners.map(({ endpoint }) => endpoint);
  }

  /** The daemon's own verbs and its modules', for the program that embeds it. */
  caller(name: string): Caller {
    return this.#internals.callerOf(name, "embedder");
  }

  actions(): ReturnType<Dispatcher["actions"]> {
    return this.#dispatcher.actions();
  }

  /** Rejects when anything cannot start; what had started is stopped again. */
  async start(): Promise<void> {
    this.#life.move("starting");
    try {
      this.#audit = await AuditLog.open({
        files: this.#options.env.files,
        folder: this.#options.auditFolder,
      });
      this.#goOn();
      this.#watchValidity();
      await this.#declare(
        "core",
        coreVerbs({
          host: this.#hostFor("core"),
          dispatcher: this.#dispatcher,
          links: this.#links,
          onDemand: this.#onDemand,
          startedAt: this.#startedAt,
        }),
      );
      // All verbs are there before any module starts, so modules may call each other from the start.
      for (const module of this.#options.modules) await this.#declare(module.name, module.verbs);
      for (const endpoint of this.#options.listen) {
        this.#goOn();
        await this.#listen(endpoint);
      }
      for (const module of this.#options.modules) {
        this.#goOn();
        this.#started.push(module);
        await module.start(this.#hostFor(module.name));
      }
      this.#goOn();
      this.#life.move("running");
      this.#log("info", "Running", { endpoints: this.endpoints() });
    } catch (error) {
      await this.stop(`start failed: ${errorText(error)}`);
      throw error;
    }
  }

  /** The orderly shutdown; every call gets the same promise, and the first says how. Never rejects. */
  stop(reason: string, how: StopHow = {}): Promise<void> {
    this.#stop ??= this.#shutDown(reason, how);
    return this.#stop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop("disposed");
  }

  async #shutDown(reason: string, how: StopHow): Promise<void> {
    if (this.#life.state === "new") {
      this.#life.move("stopped");
      this.#resolveStopped(reason);
      return;
    }
    this.#life.move("stopping");
    this.#log("info", `Shutting down: ${reason}`);
    this.#validityTimer?.cancel();
    await shutDown({
      clock: this.#options.env.clock,
      log: this.#log,
      reason,
      how,
      stopping: this.#stopping,
      dispatcher: this.#dispatcher,
      links: this.#links,
      onDemand: this.#onDemand,
      clients: this.#clients,
      internals: this.#internals,
      modules: this.#started,
      listeners: this.#listeners,
    });
    this.#journal[Symbol.dispose]();
    this.#life.move("stopped");
    this.#log("info", "Stopped");
    this.#resolveStopped(reason);
  }

  async #declare(name: string, verbs: Module["verbs"]): Promise<void> {
    this.#dispatcher.add(name, verbs);
    await this.#internals.open(name);
  }

  async #listen(endpoint: string): Promise<void> {
    const front = endpoint.startsWith("unix:") ? this.#unix : this.#tcp;
    const listener = await front.listen(endpoint, (conduit) => this.#accept(conduit));
    // The shutdown may have closed its listeners before this one was there.
    if (this.#stop !== undefined) await listener.close();
    else this.#listeners.push(listener);
  }

  /** Throws when the daemon was stopped while it started. */
  #goOn(): void {
    if (this.#stop !== undefined) throw new CallError("cancelled", "Daemon was stopped meanwhile");
  }

  /** Also refuses who was revoked while the handshake went on. */
  #admit(peer: Extract<Peer, { kind: "node" | "user" | "joiner" }>): void {
    if (peer.kind === "joiner") return this.#clients.admitToken(peer.token);
    this.#admitEndToEnd(peer);
    if (peer.kind === "node") this.#tableOf(peer).admit(peer);
  }

  /** As far as it concerns conduits that are no links. */
  #admitEndToEnd(peer: Extract<Peer, { kind: "node" | "user" }>): void {
    const why = this.#whyNoLongerValid(peer.identity);
    if (why !== undefined) throw new AuthenticationError("revoked", why);
    if (peer.kind === "user") return this.#clients.admit(peer.identity);
    for (const table of [this.#links, this.#onDemand]) table.refuseTwin(peer);
  }

  #whyNoLongerValid(identity: Identity): string | undefined {
    const { revocations } = this.#trust;
    return whyNoLongerValid(identity, { ms: this.#options.env.clock.now(), revocations });
  }

  #watchValidity(): void {
    this.#validityTimer = this.#options.env.clock.after(VALIDITY_CHECK_MS, () => {
      this.#recheck();
      this.#watchValidity();
    });
  }

  /** Conduits outlive neither the certificate of their peer nor its revocation. */
  #recheck(): void {
    const why = (identity: Identity) => this.#whyNoLongerValid(identity);
    this.#links.recheck(why);
    this.#onDemand.recheck(why);
    this.#clients.recheck(why);
  }

  #accept(conduit: Conduit): void {
    if (conduit.peer.kind !== "node") return this.#clients.adopt(conduit);
    try {
      this.#tableOf(conduit.peer).adopt(conduit, { dialled: false, endpoint: "accepted" });
    } catch (error) {
      this.#log("debug", `Conduit not taken: ${errorText(error)}`);
    }
  }

  #tableOf(peer: Extract<Peer, { kind: "node" }>): LinkTable {
    return peer.onDemand ? this.#onDemand : this.#links;
  }

  #hostFor(name: string): ModuleHost {
    const { env, primitives, self } = this.#options;
    const own = this.#own;
    const scratch = new Scratch();
    return {
      env,
      get self() {
        return own.self.identity;
      },
      renewed: (chain) => this.#renewed(chain),
      instance: toHex(self.instance),
      log: this.#options.log(name),
      stopping: this.#stopping.signal,
      links: this.#links,
      onDemand: this.#onDemand,
      documents: this.#documents,
      joining: (find) => void this.#joining.push(find),
      reviving: () =>
        void this.#joining.push((id) => findSecret(this.#trust, { id, now: env.clock.now() })),
      adopt: (conduit) => this.#clients.adopt(conduit),
      endToEnd: this.#endToEnd,
      module: (other) => this.#internals.callerOf(other, name),
      endpoints: () => this.endpoints(),
      sign: (domain, bytes) => signForModule(primitives, { domain, bytes, seed: self.signSeed }),
      verify: (domain, signed) => verifyForModule(primitives, { domain, scratch, ...signed }),
      signRequest: (fields) => {
        const { meshId } = this.#trust;
        return signNodeRequest(fields, { env, primitives, meshId, self: own.self });
      },
      verifyChain: (chain, more) => this.#verifyChain(chain, more),
      shutdown: (reason, how) => void this.stop(reason, how),
    };
  }

  #renewed(chain: readonly Uint8Array[]): Identity {
    const identity = this.#verifyChain(chain);
    this.#own.renew(identity);
    for (const table of [this.#links, this.#onDemand]) table.tellRenewed(identity.chain);
    return identity;
  }

  #verifyChain(
    chain: readonly Uint8Array[],
    more: { readonly allowExpired?: boolean } = {},
  ): Identity {
    const { trust } = this;
    return verifyChain(this.#options.primitives, {
      chain,
      rootPublicKey: trust.rootPublicKey,
      meshId: trust.meshId,
      now: this.#options.env.clock.now(),
      skewMs: CLOCK_SKEW_MS_MAX,
      revocations: trust.revocations,
      cache: trust.verified,
      ...more,
    });
  }

  #handshakeContext(): HandshakeContext {
    const { env: { clock, random }, primitives, revision } = this.#options;
    const joining = (id: Uint8Array) => this.#joining.map((find) => find(id)).find(Boolean);
    const { self } = this.#own;
    return { clock, random, primitives, self, trust: this.#trust, joining, revision };
  }

  readonly #serve = (incoming: Incoming): unknown => this.#dispatcher.serve(incoming);

  readonly #onBug = (error: unknown, verb: string): void => {
    const stack = error instanceof Error ? error.stack : undefined;
    this.#log("error", `"${verb}" failed in a way it should not: ${errorText(error)}`, { stack });
  };
}
