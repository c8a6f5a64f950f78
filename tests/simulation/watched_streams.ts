/**
 * Programs that talk to distant nodes by routed conduits while a simulated mesh is being broken, and
 * what must be true of each stream: what arrives is what was sent, in order and once; one that ends
 * whole lacks nothing; and none breaks while both ends live, since no fault lasts as long as a routed
 * conduit waits for a way.
 */

import {
  Calls,
  ConnectionError,
  EndToEnd,
  equalBytes,
  errorText,
  MinimeError,
} from "../../core/mod.ts";
import { openSession } from "../../modules/router/routed/session.ts";
import { ROUTE_CLASSES, type RouteClass } from "../../modules/shared/carrier.ts";
import { numbered } from "../core/conduit/messages.ts";
import type { Faults } from "./faults.ts";
import type { MeshSimulation } from "./mesh_simulation.ts";
import type { SeededRandom } from "./random.ts";
import type { Life, SimulatedNode } from "./simulated_node.ts";
import type { Stream } from "./traffic_probe.ts";

interface WatchedStream extends Stream {
  readonly text: string;
  readonly kind: "give" | "take";
  readonly class: RouteClass;
  readonly from: Life;
  /** The life that was meant, and from when the conduit was there the one that answered. */
  to: Life;
  /** The conduit was there: from now on nothing may be lost. */
  open: boolean;
  /** Items that arrived, each where it belongs. */
  arrived: number;
  /** What arrived that should not have. */
  wrong: string | undefined;
  state: "open" | "whole" | "broken";
  error: unknown;
}

export class WatchedStreams {
  readonly #mesh: MeshSimulation;
  readonly #random: SeededRandom;
  readonly #streams: WatchedStream[] = [];

  constructor(mesh: MeshSimulation, random: SeededRandom) {
    this.#mesh = mesh;
    this.#random = random;
  }

  /** Nothing more is to come of any. */
  get over(): boolean {
    return this.#streams.every(({ state, from }) => state !== "open" || from.over);
  }

  get count(): number {
    return this.#streams.length;
  }

  /** Schedules one stream by chance, between two moments of virtual time from now. */
  plan(fromMs: number, toMs: number): void {
    const at = fromMs + this.#random.fraction() * (toMs - fromMs);
    const draw = this.#random.fork(`stream ${at}`);
    this.#mesh.simulation.after(at, () => this.begin(draw));
  }

  /** One stream now, between two nodes by chance that know each other. */
  begin(draw: SeededRandom): void {
    const { nodes, simulation } = this.#mesh;
    const ready = nodes.filter(({ name, running }) =>
      running?.picture !== undefined && !running.over && !simulation.frozen(name)
    );
    const [from, to] = [0, 1].map(() => ready[draw.below(ready.length)]);
    if (from?.running === undefined || to?.running === undefined || from === to) return;
    if (from.running.picture?.byKey(to.keyId)?.state !== "up") return;
    const kind = draw.below(2) === 0 ? "give" : "take";
    const routeClass = ROUTE_CLASSES[draw.below(ROUTE_CLASSES.length)] as RouteClass;
    const at = simulation.now.toFixed(0);
    const stream: WatchedStream = {
      text: `${kind} by ${routeClass} from ${from.name} with ${to.name} at ${at} ms`,
      id: `${from.name} ${this.#streams.length}`,
      kind,
      class: routeClass,
      items: 10 + draw.below(40),
      bytes: 1 + draw.below(6_000),
      everyMs: draw.below(3) === 0 ? 0 : draw.below(150),
      from: from.running,
      to: to.running,
      open: false,
      arrived: 0,
      wrong: undefined,
      state: "open",
      error: undefined,
    };
    this.#streams.push(stream);
    this.#run(stream, from, to).then(
      () => stream.state = "whole",
      (error: unknown) => {
        stream.state = "broken";
        stream.error = error;
      },
    );
  }

  /** What is wrong with the streams, now that every one of them should be over. */
  problems({ frozenMs }: Pick<Faults, "frozenMs">): string[] {
    return this.#streams.flatMap((stream) => {
      const { text, from, to, wrong, state, error, arrived, items, open } = stream;
      if (wrong !== undefined) return [`${text}: ${wrong}`];
      if (state === "whole") {
        return arrived === items ? [] : [`${text}: ended well with ${arrived} of ${items} items`];
      }
      // The program died with its node.
      if (from.over) return [];
      if (state === "open") return [`${text}: never ended, ${arrived} of ${items} items`];
      if (!(error instanceof MinimeError)) return [`${text}: broke: ${errorText(error)}`];
      const slept = [from, to].some(({ self }) => frozenMs.has(self.identity.name));
      if (!open || to.over || slept) return [];
      return [`${text}: lost after ${arrived} of ${items} items: ${errorText(error)}`];
    });
  }

  async #run(stream: WatchedStream, from: SimulatedNode, to: SimulatedNode): Promise<void> {
    const { simulation, keys, user } = this.#mesh;
    const { clock, random } = simulation.host(from.name);
    const context = { clock, random, primitives: keys.primitives, trust: keys.trust(), self: user };
    const { daemon, router: caller } = stream.from;
    const close = () => Promise.resolve();
    const entry = { name: from.name, caller, gone: daemon.stopped, close };
    const { conduit, done } = await openSession(entry, { keyId: to.keyId, name: to.name }, {
      enter: () => Promise.reject(new ConnectionError("refused", "The program knows one daemon")),
      endToEnd: new EndToEnd({ context: () => context }),
      clock,
      class: stream.class,
    });
    const { peer } = conduit;
    const met = to.lives.find(({ instance }) => peer.kind === "node" && peer.instance === instance);
    if (met === undefined) throw new Error(`${stream.text}: nobody knows who has answered`);
    stream.to = met;
    stream.open = true;
    const calls = new Calls({ conduit, clock, dialled: true });
    try {
      await this.#talk(stream, calls, clock);
    } finally {
      await calls.close("done");
      await done;
    }
  }

  async #talk(stream: WatchedStream, calls: Calls, clock: Sleeper): Promise<void> {
    const { kind, id, items, bytes, everyMs } = stream;
    const call = calls.stream(`traffic.${kind}`, { id, items, bytes, everyMs }, { deadlineMs: 0 });
    if (kind === "give") {
      for await (const item of call) check(stream, item as Uint8Array);
    } else {
      stream.to.onTaken.set(id, (item) => check(stream, item));
      for (let i = 0; i < items; i++) {
        await clock.sleep(everyMs);
        await call.send(numbered(bytes, i));
      }
      await call.end();
    }
    const reply = await call.reply;
    if (reply !== items) stream.wrong = `the other end counts ${String(reply)} items of ${items}`;
  }
}

interface Sleeper {
  sleep(ms: number): Promise<void>;
}

function check(stream: WatchedStream, item: Uint8Array): void {
  const index = stream.arrived++;
  if (equalBytes(item, numbered(stream.bytes, index))) return;
  stream.wrong ??= `item ${index} is not what was sent`;
}
