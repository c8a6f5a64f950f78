/**
 * The running mesh module: its parts and what they tell each other.
 *
 *   links up, down, silent ---> Linker, Exchange, Flooding, OwnAdvert
 *   adverts that come in -----> Intake ---> NodeTable ---> Flooding (to others)
 *                                              |
 *                                              +--> NodeStates ---> Watchers
 *                                                       |
 *                                                       +--> topology ---> Linker, Prober, Trimmer
 */

import {
  AuthenticationError,
  CallError,
  errorText,
  type Link,
  type LinkChange,
  MinimeError,
  type ModuleHost,
  type Timer,
} from "../../core/mod.ts";
import { isGateway, type MeshChange, type MeshView, type Unheard } from "../shared/mesh_view.ts";
import type { ReceivedAdvert } from "./advert.ts";
import { Calm } from "./calm.ts";
import { chance } from "../shared/chance.ts";
import { type MeshCounts, newCounts } from "./counts.ts";
import { reachableEndpoints } from "./endpoints.ts";
import { Exchange } from "./exchange.ts";
import { Flooding } from "./flooding.ts";
import { Heartbeat } from "./heartbeat.ts";
import { Intake } from "./intake.ts";
import {
  ADVERT_INTERVAL_MS,
  ADVERT_INTERVAL_MS_PER_NODE,
  SILENCE_MS_MAX,
  STATES_DELAY_MS,
  STATES_DELAY_MS_PER_NODE,
  SYNC_MS,
  UNHURRIED_ADVERT_MS,
  UNHURRIED_ADVERT_MS_PER_NODE,
} from "./limits.ts";
import { Linker } from "./linker.ts";
import type { MeshOptions } from "./mesh_options.ts";
import { type NodeEntry, NodeTable } from "./node_table.ts";
import { NeighbourLimits } from "./neighbour_limits.ts";
import { NodeStates } from "./node_states.ts";
import { OwnAdvert } from "./own_advert.ts";
import { Prober } from "./prober.ts";
import { type Topology, topologyOf, type TopologyOptions } from "./topology.ts";
import { Trimmer } from "./trimmer.ts";
import { Watchers } from "./watchers.ts";

export class Mesh {
  readonly counts: MeshCounts = newCounts();
  readonly #host: ModuleHost;
  #shape: TopologyOptions;
  readonly #table = new NodeTable();
  readonly #states: NodeStates;
  readonly #watchers = new Watchers();
  readonly #intake: Intake;
  readonly #flooding: Flooding;
  readonly #exchange: Exchange;
  readonly #linker: Linker;
  readonly #prober: Prober;
  readonly #trimmer: Trimmer;
  readonly #heartbeat: Heartbeat;
  readonly #own: OwnAdvert;
  /** Links that we gave up; they may take a while to close. */
  readonly #givenUp = new WeakSet<Link>();
  readonly #limits: NeighbourLimits;
  readonly #subscription: Disposable;
  #kept: Topology["kept"] = new Set();
  #statesTimer: Timer | undefined;
  readonly #calm: Calm;
  #statesAt = Infinity;
  #syncTimer: Timer | undefined;
  #twin: string | undefined;

  constructor(host: ModuleHost, options: MeshOptions) {
    const { clock, random, network } = host.env;
    const { keyId: self } = host.self;
    const { log } = host;
    const links = () => this.links();
    const onKnown = (keyId: string, from: string) => this.#flooding.heard(keyId, from);
    const parts = { clock, random, self, log, links, table: this.#table, counts: this.counts };
    this.#host = host;
    this.#calm = new Calm(clock);
    this.#limits = new NeighbourLimits(clock);
    const { segment, peers: seeds = [] } = options;
    this.#shape = { self: { keyId: self, segment, gateway: isGateway(host.self) }, seeds };
    this.#states = new NodeStates(this.#table, self);
    this.#flooding = new Flooding(parts);
    this.#intake = new Intake({
      host,
      table: this.#table,
      counts: this.counts,
      ...(options.pool === undefined ? {} : { pool: options.pool }),
      onNews: (entry, from) => this.#onNews(entry, from),
      onKnown,
      onOwn: (received, how) => this.#own.meet(received, how),
    });
    this.#exchange = new Exchange({
      ...parts,
      intake: this.#intake,
      verifyChain: (chain) => host.verifyChain(chain),
      onKnown,
    });
    this.#linker = new Linker({ ...parts, network, links: host.links });
    this.#prober = new Prober({ ...parts, tryOnce: (wanted) => this.#linker.tryOnce(wanted) });
    this.#trimmer = new Trimmer({
      ...parts,
      isKept: (keyId) => this.#kept.has(keyId),
      isWhole: () => this.#linker.isWhole,
    });
    this.#own = new OwnAdvert({
      host,
      log,
      segment: () => this.#shape.self.segment,
      endpoints: () => options.endpoints?.() ?? reachableEndpoints(host.endpoints(), network),
      incarnation: options.incarnation ?? 1,
      links: () => links().map(({ peer }) => peer.identity.keyId),
      intervalMs: () => ADVERT_INTERVAL_MS + ADVERT_INTERVAL_MS_PER_NODE * this.#table.size,
      unhurriedMs: () => UNHURRIED_ADVERT_MS + UNHURRIED_ADVERT_MS_PER_NODE * this.#table.up,
      publish: (received) => this.#publish(received),
      onTwin: (text) => this.#stopForTwin(text, options),
    });
    // Throws when no reader would accept what the options say; nothing is under way before that.
    this.#own.start();
    this.#heartbeat = new Heartbeat({ ...parts, onSilent: (link) => this.#giveUp(link) });
    this.#updateStates();
    this.#subscription = host.links.watch((change) => this.#onLink(change));
    for (const link of host.links.list()) this.#onLink({ kind: "up", link });
    this.#syncLater();
  }

  get view(): MeshView {
    return this.#states.view;
  }

  /** This node is of another segment from now on; links that are wanted there as well stay. */
  move(segment: string): void {
    this.#shape = { ...this.#shape, self: { ...this.#shape.self, segment } };
    this.#own.changed();
  }

  watch(signal: AbortSignal): AsyncGenerator<MeshView | MeshChange, Record<never, never>, void> {
    return this.#watchers.watch(() => this.view, [signal, this.#host.stopping]);
  }

  /** Those that live, as far as we know. */
  links(): readonly Link[] {
    return this.#host.links.list().filter((link) => !this.#givenUp.has(link));
  }

  roundTripMs(link: Link): number | undefined {
    return this.#heartbeat.roundTripMs(link);
  }

  /**
   * A neighbour's news; how many of them are none. A neighbour that cannot be honest loses its link.
   */
  flood(link: Link, adverts: readonly Uint8Array[], forgotten: readonly Uint8Array[]): number {
    let known = 0;
    const from = link.peer.identity.keyId;
    const { adverts: limit } = this.#limits.of(from);
    const unknown: ReceivedAdvert["advert"][] = [];
    this.#judge(link, () => {
      for (const [list, isForgotten] of [[adverts, false], [forgotten, true]] as const) {
        for (const bytes of list) {
          if (!limit.take()) throw new CallError("busy", "More adverts per second than allowed");
          const { verdict, received } = this.#intake.accept(bytes, {
            from,
            forgotten: isForgotten,
          });
          if (verdict === "unknown") unknown.push(received.advert);
          if (verdict === "known" || verdict === "old") known++;
        }
      }
    });
    this.#exchange.want(link, unknown);
    return known;
  }

  beat(link: Link, unixMs: number): void {
    this.#heartbeat.heard(link, unixMs);
  }

  compare(link: Link, digests: Uint8Array): ReturnType<Exchange["compared"]> {
    this.#takeQuestion(link);
    return this.#judge(link, () => this.#exchange.compared(digests));
  }

  /** As {@link Mesh.flood}, of news that are only named. */
  offer(link: Link, summary: Uint8Array): number {
    this.#takeQuestion(link);
    return this.#judge(link, () => this.#exchange.offered(link, summary));
  }

  answer(link: Link, keys: Uint8Array): ReturnType<Exchange["answer"]> {
    this.#takeQuestion(link);
    return this.#judge(link, () => this.#exchange.answer(keys));
  }

  /** Whether we could do without the link over which a neighbour asks. */
  couldSpare(link: Link): boolean {
    this.#takeQuestion(link);
    return this.#trimmer.couldSpare(link);
  }

  /** Our certificate is another one. */
  renewed(): void {
    this.#own.changed();
  }

  /** By name or key id; the names of those that are forgotten now. Throws CallError. */
  forget(nodes: readonly string[]): string[] {
    const entries = nodes.flatMap((node) => this.#goneNodes(node));
    for (const entry of entries) {
      if (entry.forgotten) continue;
      this.#table.forget(entry);
      this.#flooding.push(entry);
    }
    this.#updateStates();
    return [...new Set(entries.map(({ identity }) => identity.name))];
  }

  /** Those of the names of which we never heard, since our start (in Unix ms), and those shown soon. */
  unheard(names: readonly string[]): Unheard {
    const { since } = this.#table.get(this.#host.self.keyId) as NodeEntry;
    const isComing = (name: string) =>
      this.#table.named(name).some(({ view, forgotten }) => view === undefined && !forgotten);
    return {
      names: names.filter((name) => this.#table.named(name).length === 0),
      coming: names.filter(isComing),
      since,
    };
  }

  /** Says goodbye, then ends everything. */
  async stop(): Promise<void> {
    this.#subscription[Symbol.dispose]();
    this.#syncTimer?.cancel();
    this.#heartbeat.stop();
    this.#prober.stop();
    this.#trimmer.stop();
    this.#own.stop();
    const stopped = [this.#linker.stop(), this.#exchange.stop(), this.#flooding.stop()];
    // The twin that stays needs no goodbye in its name.
    if (this.#twin === undefined) {
      this.#own.leave();
      await this.#flooding.pushLast(this.#table.get(this.#host.self.keyId) as NodeEntry);
    }
    this.#statesTimer?.cancel();
    this.#calm.stop();
    await Promise.all(stopped);
  }

  #onLink(change: LinkChange): void {
    const { link } = change;
    if (change.kind === "up") {
      this.#exchange.linkUp(link);
      this.#heartbeat.linkUp(link);
      this.#linker.linkUp(link);
    } else {
      this.#host.log(
        "debug",
        `Link to "${link.peer.identity.name}" is down: ${change.reason.text}`,
      );
      this.#exchange.linkDown(link);
      this.#flooding.linkDown(link);
      this.#linker.linkDown(link, change.reason);
    }
    const there = this.#table.get(link.peer.identity.keyId);
    const isThere = there?.state === "up" && there.advert.instance === link.peer.instance;
    // Few ways lead to another segment, and in a small mesh telling costs little.
    const isUrgent = change.kind === "down" || !isThere || this.#table.isSmall ||
      this.#shape.self.gateway;
    this.#own.changed({ urgent: isUrgent });
    this.#statesSoon();
  }

  #giveUp(link: Link): void {
    if (this.#givenUp.has(link)) return;
    this.#givenUp.add(link);
    this.counts.linksSilent++;
    const { name } = link.peer.identity;
    this.#host.log("warning", `Link to "${name}" given up: silent for ${SILENCE_MS_MAX} ms`);
    void link.close("silent for too long");
    this.#own.changed();
    this.#statesSoon();
  }

  #onNews(entry: NodeEntry, from: string): void {
    this.#flooding.push(entry, from);
    // Something was lost: links that we have not told of yet may be the last ones to a node.
    if (entry.urgent && entry.state === "up") this.#own.hurry();
    this.#statesSoon();
  }

  #publish(received: ReceivedAdvert): void {
    const { self, env } = this.#host;
    const now = env.clock.monotonic();
    this.counts.advertsOwn++;
    const put = { received, identity: self, trustedAt: now, forgotten: false, now };
    this.#flooding.push(this.#table.put(put));
    this.#statesSoon();
  }

  #stopForTwin(text: string, { onTwin }: MeshOptions): void {
    this.#twin = text;
    onTwin?.(new AuthenticationError("duplicate", text));
    this.#host.log("error", `${text}; this one stops`);
    this.#host.shutdown(text);
  }

  #statesSoon(ms = STATES_DELAY_MS + STATES_DELAY_MS_PER_NODE * this.#table.size): void {
    const { clock } = this.#host.env;
    const at = clock.monotonic() + ms;
    if (this.#statesAt <= at) return;
    this.#statesTimer?.cancel();
    this.#statesAt = at;
    this.#statesTimer = clock.after(ms, () => this.#updateStates());
  }

  #updateStates(): void {
    const { clock } = this.#host.env;
    this.#statesTimer?.cancel();
    this.#statesAt = Infinity;
    const { changed, forgotten, reshaped, againInMs } = this.#states.update({
      links: new Set(this.links().map(({ peer }) => peer.identity.keyId)),
      now: clock.now(),
      monotonic: clock.monotonic(),
    });
    if (changed.length + forgotten.length > 0) this.#watchers.publish({ changed, forgotten });
    if (reshaped) {
      this.#table.countUp();
      this.#calm.run(() => this.#reshape());
    } else this.#trimmer.update();
    if (againInMs !== undefined) this.#statesSoon(againInMs);
  }

  /** Others are there than before: other links are wanted. */
  #reshape(): void {
    const topology = topologyOf(this.view.nodes, this.#shape);
    this.#kept = topology.kept;
    this.#linker.update(topology.wanted);
    this.#prober.update(topology);
    this.#trimmer.update();
  }

  /** With one neighbour by chance; and whether this machine has other addresses meanwhile. */
  #syncLater(): void {
    const { clock, random } = this.#host.env;
    this.#syncTimer = clock.after(SYNC_MS * (0.5 + chance(random)), () => {
      const links = this.links();
      const link = links[Math.floor(chance(random) * links.length)];
      if (link !== undefined) this.#exchange.sync(link);
      this.#own.look();
      this.#syncLater();
    });
  }

  #goneNodes(node: string): NodeEntry[] {
    const byKey = this.#table.get(node);
    const named = byKey === undefined ? this.#table.named(node) : [byKey];
    if (named.length === 0) throw new CallError("invalid", `No node "${node}" is known here`);
    const gone = named.filter(({ state }) => state !== "up");
    if (gone.length > 0) return gone;
    throw new CallError(
      "invalid",
      `Node "${node}" is up; only one that is down or left is forgotten`,
    );
  }

  #takeQuestion(link: Link): void {
    if (this.#limits.of(link.peer.identity.keyId).questions.take()) return;
    throw new CallError("busy", "More questions per second than allowed");
  }

  #judge<T>(link: Link, run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof MinimeError) || error instanceof CallError) throw error;
      const { name } = link.peer.identity;
      this.#host.log("warning", `Link to "${name}" is closed: ${errorText(error)}`);
      void link.close(errorText(error));
      throw new CallError("refused", errorText(error), { cause: error });
    }
  }
}
