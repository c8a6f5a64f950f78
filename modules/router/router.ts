/**
 * The running router: its parts, and what they tell each other.
 *
 *   router.forward --> Transit --> NextHop (one for each) --> links, OnDemandPool
 *                        |   ^
 *                        v   '-- Carriers (streams of ours), Echoes
 *                 data, refusals, replies
 */

import {
  CallError,
  type Conduit,
  type ConduitListener,
  type Context,
  type LinkChange,
  type ModuleHost,
} from "../../core/mod.ts";
import type { RouteClass } from "../shared/carrier.ts";
import { MeshFollower } from "../shared/mesh_follower.ts";
import { type MeshPicture, MeshPicture as Picture, type NodeView } from "../shared/mesh_view.ts";
import type { Route, RouteHop, RouteWay, Trace } from "../shared/route_view.ts";
import { Carriers } from "./carriers.ts";
import { Echoes, type LostEcho } from "./echoes.ts";
import { GOODBYE_MS_MAX } from "./limits.ts";
import { hopKind, mayDial, pathHolds, type PathQuestion, planPath, whyNoPath } from "./paths.ts";
import { RoutedFront } from "./routed/front.ts";
import { readTaken } from "./next_hop.ts";
import { REFUSAL } from "./packet.ts";
import { OnDemandPool } from "./pool.ts";
import type { Avoided, RoutedCarrier } from "./routed_carrier.ts";
import { Transit } from "./transit.ts";
import { Troubles } from "./troubles.ts";

export class Router {
  readonly carriers: Carriers;
  /** Conduits to any node, which run end to end over carriers. */
  readonly front: RoutedFront;
  readonly #host: ModuleHost;
  readonly #follower: MeshFollower;
  readonly #troubles: Troubles;
  readonly #pool: OnDemandPool;
  readonly #transit: Transit;
  readonly #echoes: Echoes;
  readonly #subscription: Disposable;
  /** Routed conduits that others made with us. */
  readonly #conduits = new Set<Conduit>();
  #picture: MeshPicture | undefined;
  #listener: ConduitListener | undefined;

  constructor(host: ModuleHost) {
    const { clock, network, random } = host.env;
    const { keyId: self } = host.self;
    this.#host = host;
    this.#troubles = new Troubles(clock);
    this.#follower = new MeshFollower(host.module("mesh"), {
      onEnd: (why) => {
        // In an orderly shutdown the stream ends before we are stopped.
        if (host.stopping.aborted) return;
        host.log("error", `Cannot follow the mesh any more: ${why}`);
      },
      onChange: () => this.#onMesh(),
    });
    this.#follower.picture.then((picture) => {
      this.#picture = picture;
      this.#onMesh();
    }, () => {
      // Told to onEnd.
    });
    this.#pool = new OnDemandPool({
      clock,
      onDemand: host.onDemand,
      network,
      log: host.log,
      whereIs: (keyId) => this.#whereIs(keyId),
      instanceOf: (keyId) => {
        const node = this.#picture?.byKey(keyId);
        return node?.state === "up" ? node.instance : undefined;
      },
    });
    this.#transit = new Transit({
      clock,
      self,
      links: host.links,
      pool: this.#pool,
      onData: (packet, from) => this.carriers.receive(packet, from),
      onRefused: (refused) => {
        this.#echoes.onRefused(refused);
        this.carriers.refused(refused);
      },
      onEchoReply: (reply) => this.#echoes.onReply(reply),
    });
    this.#echoes = new Echoes({
      clock,
      random,
      transmit: (packet) => this.#transit.send(packet),
    });
    this.carriers = new Carriers({
      clock,
      random,
      plan: (question, avoided) => this.#plan(question, avoided),
      holds: (path, routeClass) =>
        this.#picture === undefined || pathHolds(this.#picture, path, routeClass),
      lifeOf: (keyId, name) => this.#lifeOf(keyId, name),
      transmit: (packet, onTaken) => this.#transit.send(packet, onTaken),
      onTrouble: (from, to) => this.#troubles.add(from, to),
    });
    this.front = new RoutedFront({
      clock,
      log: host.log,
      endToEnd: host.endToEnd,
      name: host.self.name,
      find: (name) => this.#picture?.byName(name)?.keyId,
      open: (keyId) => this.openCarrier(keyId, { class: "high" }),
    });
    this.carriers.acceptor = this.front;
    this.#subscription = host.links.watch((change) => this.#onLink(change));
  }

  /** From now on others reach us by routed conduits, which the core serves as it serves programs. */
  async start(): Promise<void> {
    const { self, adopt } = this.#host;
    this.#listener = await this.front.listen(`mesh:${self.name}`, (conduit) => {
      this.#keep(conduit);
      adopt(conduit);
    });
  }

  /** A packet that a neighbour brought. Throws ProtocolError, or CallError for what is no neighbour. */
  forward(bytes: Uint8Array, { peer }: Pick<Context, "peer">): void {
    if (peer.kind !== "node") throw new CallError("refused", "Only a neighbour may do this");
    this.#transit.receive(bytes, peer);
  }

  /** A neighbour says how much it has taken. Throws as {@link Router.forward}. */
  taken(report: Uint8Array, { peer }: Pick<Context, "peer">): void {
    if (peer.kind !== "node") throw new CallError("refused", "Only a neighbour may do this");
    this.#transit.taken(readTaken(report), peer.identity.keyId);
  }

  /** A carrier to a node, by its name or key id. Throws CallError. */
  openCarrier(node: string, options: { readonly class: RouteClass }): RoutedCarrier {
    const picture = this.#seen();
    const { keyId } = nodeOf(picture, node);
    if (keyId === picture.self) {
      throw new CallError("invalid", "Packets to this node itself need no router");
    }
    return this.carriers.open(keyId, options);
  }

  /** Both ways from a node (ourselves unless it is named) to another, by name or key id. */
  route(to: string, from?: string): Route {
    const seen = this.#seen();
    const source = from === undefined ? seen.self : nodeOf(seen, from).keyId;
    const target = nodeOf(seen, to);
    const picture = source === seen.self
      ? seen
      : new Picture({ self: source, nodes: [...seen.nodes] });
    const way = (routeClass: RouteClass): RouteWay => {
      const question = { to: target.keyId, class: routeClass };
      const path = source === seen.self ? this.#plan(question) : planPath(picture, question);
      if (path === undefined) return { hops: [], why: whyNoPath(picture, question) };
      return { hops: this.#hopsOf(picture, path) };
    };
    const { name } = nodeOf(seen, source);
    const { state, since, lostAt } = target;
    return {
      from: name,
      to: target.name,
      low: way("low"),
      high: way("high"),
      target: {
        state,
        forMs: Math.max(0, this.#host.env.clock.now() - since),
        ...(lostAt === undefined ? {} : { lostAt }),
      },
    };
  }

  /** An echo along the way that a packet of that class would take. */
  async trace(
    to: string,
    options: {
      readonly class: RouteClass;
      readonly timeoutMs: number;
      readonly signal: AbortSignal;
    },
  ): Promise<Trace> {
    const picture = this.#seen();
    const { keyId, name } = nodeOf(picture, to);
    const question = { to: keyId, class: options.class };
    const about = { from: this.#host.self.name, to: name, class: options.class };
    if (keyId === picture.self) return { ...about, ms: 0, hops: [] };
    const path = this.#plan(question);
    if (path === undefined) {
      return { ...about, ms: null, hops: [], why: whyNoPath(picture, question) };
    }
    const kinds = this.#hopsOf(picture, path);
    const { ms, hops, lost } = await this.#echoes.ask({ path, ...options });
    // What others say of theirs may be a lie, and what is merely full is there.
    if (lost?.why === REFUSAL.unreachable && lost.by === picture.self) {
      this.#troubles.add(lost.by, lost.hop);
    }
    let why: string | undefined;
    if (lost !== undefined) {
      why = `Lost behind "${nameOf(picture, lost.by)}", on the way to ` +
        `"${nameOf(picture, lost.hop)}": ${lost.text}${this.#otherWay(question, path, lost)}`;
    } else if (ms === undefined) {
      why = `No answer within ${options.timeoutMs} ms, but then another echo came back`;
    }
    return {
      ...about,
      ms: ms ?? null,
      hops: kinds.map((hop, index) => ({ ...hop, ms: hops[index] ?? null })),
      ...(why === undefined ? {} : { why }),
    };
  }

  stats(): Record<string, number> {
    const { packets, bytes } = this.#transit.waiting;
    return {
      ...this.#transit.counts,
      ...this.#pool.counts,
      onDemand: this.#host.onDemand.list().length,
      carriers: this.carriers.size,
      strays: this.carriers.strays,
      waitingPackets: packets,
      waitingBytes: bytes,
    };
  }

  /**
   * Routed conduits say goodbye while there are links to carry it. Whoever does not answer is waited for
   * a little, and nothing of any conduit is left afterwards: what they are sealed with goes soon.
   */
  async stop(): Promise<void> {
    this.#subscription[Symbol.dispose]();
    await this.#listener?.close();
    await this.#sayGoodbye();
    this.carriers.close("daemon stops");
    await this.front.settled();
    await this.#follower.stop();
    await this.#pool.stop();
  }

  async #sayGoodbye(): Promise<void> {
    const { clock } = this.#host.env;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = clock.after(GOODBYE_MS_MAX, resolve);
    const said = Promise.all([...this.#conduits].map((conduit) => conduit.close("daemon stops")))
      .then(() => this.front.settled());
    await Promise.race([said, late]);
    timer.cancel();
  }

  #keep(conduit: Conduit): void {
    this.#conduits.add(conduit);
    void conduit.closed.then(() => this.#conduits.delete(conduit));
  }

  #plan(
    question: { readonly to: string; readonly class: RouteClass },
    avoided?: Avoided,
  ): string[] | undefined {
    if (this.#picture === undefined) return undefined;
    return planPath(this.#picture, {
      ...question,
      detour: {
        avoidNodes: avoided?.nodes ?? [],
        avoidEdges: [...this.#troubles.list(), ...avoided?.edges ?? []],
      },
    });
  }

  /**
   * An echo shows the way that the mesh knows; a stream to which nothing answers leaves it. That helps
   * if a relay is lost; whether also if the target seems to be, nobody knows. What is busy is not left.
   */
  #otherWay(question: PathQuestion, path: readonly string[], { hop, why }: LostEcho): string {
    const relays = path.slice(1, -1);
    if (hop === question.to || why === REFUSAL.busy) return "";
    const other = this.#plan(question, { nodes: new Set(relays), edges: [] });
    const first = other?.[1];
    if (first === undefined) return "";
    return first === question.to
      ? "; streams can go straight to it"
      : `; streams can go around, by "${nameOf(this.#seen(), first)}"`;
  }

  #hopsOf(picture: MeshPicture, path: readonly string[]): RouteHop[] {
    return path.slice(1).map((keyId, index) => {
      const from = path[index] as string;
      const { name = "?", segment = "?" } = picture.byKey(keyId) ?? {};
      const stands = from === this.#host.self.keyId && this.#pool.get(keyId) !== undefined;
      const planned = hopKind(picture, from, keyId) ?? "dial";
      const kind = planned === "dial" && stands ? "on-demand" : planned;
      return { name, keyId, segment, kind };
    });
  }

  #whereIs(keyId: string): { name: string; endpoints: readonly string[] } | undefined {
    const picture = this.#picture;
    const node = picture?.byKey(keyId);
    if (picture === undefined || node === undefined || node.state === "left") return undefined;
    return mayDial(picture, picture.self, keyId) ? node : undefined;
  }

  /** A node that was made anew has another key by the same name. */
  #lifeOf(keyId: string, knownAs?: string): NodeView | undefined {
    const node = this.#picture?.byKey(keyId);
    if (node?.state === "up") return node;
    const name = node?.name ?? knownAs;
    const heir = name === undefined ? undefined : this.#picture?.byName(name);
    return heir?.state === "up" ? heir : undefined;
  }

  #onMesh(): void {
    this.#pool.meshChanged();
    this.carriers.meshChanged();
  }

  #onLink({ kind, link }: LinkChange): void {
    const { keyId } = link.peer.identity;
    if (kind === "up") this.#troubles.clear(this.#host.self.keyId, keyId);
  }

  #seen(): MeshPicture {
    if (this.#picture === undefined) {
      throw new CallError("busy", "The router has not seen the mesh yet");
    }
    return this.#picture;
  }
}

function nodeOf(picture: MeshPicture, node: string): NodeView {
  const found = picture.byKey(node) ?? picture.byName(node);
  if (found === undefined) throw new CallError("invalid", `No node "${node}" is known here`);
  return found;
}

function nameOf(picture: MeshPicture, keyId: string): string {
  return picture.byKey(keyId)?.name ?? keyId.slice(0, 16);
}
