/**
 * Stands in for the mesh module: all daemons of a test share one board, on which stands which links
 * each of them really has, and `mesh.watch` tells everybody at once. A board can be frozen, so
 * that pictures are wrong for a while.
 */

import * as v from "valibot";
import { type Module, type ModuleHost, verb } from "../../../core/mod.ts";
import { type MeshView, type NodeView, shortestWays } from "../../../modules/shared/mesh_view.ts";

type Claim = Omit<NodeView, "state" | "since">;

/** Where a node is, for those who dial it. */
export type Places = (
  name: string,
) => Pick<NodeView, "segment"> & Partial<Pick<NodeView, "endpoints">>;

export class Board {
  readonly #places: Places | undefined;
  readonly #hosts = new Map<string, ModuleHost>();
  readonly #left = new Set<string>();
  readonly #since = new Map<string, { state: NodeView["state"]; since: number }>();
  readonly #watchers = new Set<() => void>();
  /** Names of who claims a link and with whom, though there is none. */
  readonly #lies: (readonly [from: string, to: string])[] = [];
  #claims = new Map<string, Claim>();
  #frozen = false;
  /** Until it resolves nobody says that all nodes are there. */
  settling: Promise<void> = Promise.resolve();

  /** @default all in one segment, where they listen */
  constructor(places?: Places) {
    this.#places = places;
  }

  /** From now on everybody believes what was true last. */
  freeze(): void {
    this.#frozen = true;
  }

  thaw(): void {
    this.#frozen = false;
    this.#refresh();
  }

  /** What a node believes, by its name. */
  view(name: string): MeshView {
    const host = [...this.#hosts.values()].find(({ self }) => self.name === name) as ModuleHost;
    return this.#viewOf(host);
  }

  module(): Module {
    let host: ModuleHost | undefined;
    let links: Disposable | undefined;
    return {
      name: "mesh",
      verbs: {
        nodes: verb({
          action: "read",
          args: v.optional(v.strictObject({})),
          reply: v.unknown(),
          handle: () => this.#viewOf(host as ModuleHost),
        }),
        settled: verb({
          action: "read",
          args: v.optional(v.strictObject({})),
          reply: v.unknown(),
          handle: async () => {
            await this.settling;
            return {};
          },
        }),
        unheard: verb({
          action: "read",
          args: v.strictObject({ names: v.array(v.string()) }),
          reply: v.unknown(),
          handle: ({ names }) => {
            const heard = new Set([...this.#hosts.values()].map(({ self }) => self.name));
            return { names: names.filter((name) => !heard.has(name)), since: 0 };
          },
        }),
        watch: verb({
          action: "internal",
          args: v.optional(v.strictObject({})),
          reply: v.unknown(),
          handle: (_args, { signal }) => this.#watch(host as ModuleHost, signal),
        }),
      },
      start: (given) => {
        host = given;
        this.#hosts.set(given.self.keyId, given);
        links = given.links.watch(() => this.#refresh());
        this.#refresh();
        return Promise.resolve();
      },
      stop: () => {
        links?.[Symbol.dispose]();
        return Promise.resolve();
      },
    };
  }

  /** From now on one node claims a link with the other, which it does not have. */
  lie(from: string, to: string): void {
    this.#lies.push([from, to]);
    this.#refresh();
  }

  /** It said goodbye. */
  leave(name: string): void {
    for (const { self } of this.#hosts.values()) if (self.name === name) this.#left.add(self.keyId);
    this.#refresh();
  }

  #refresh(): void {
    if (this.#frozen) return;
    this.#claims = new Map(
      [...this.#hosts].map(([keyId, { self, instance, links, endpoints }]) => [keyId, {
        name: self.name,
        keyId,
        groups: [...self.groups],
        segment: "main",
        endpoints: endpoints().filter((endpoint) => endpoint.startsWith("tcp:")),
        ...this.#places?.(self.name),
        version: "test",
        instance,
        incarnation: 1,
        links: [
          ...links.list().map(({ peer }) => peer.identity.keyId),
          ...this.#claimedBy(self.name),
        ],
      }]),
    );
    for (const wake of this.#watchers) wake();
  }

  #claimedBy(name: string): string[] {
    const hosts = [...this.#hosts.values()];
    return this.#lies.filter(([from]) => from === name).flatMap(([, to]) =>
      hosts.filter(({ self }) => self.name === to).map(({ self }) => self.keyId)
    );
  }

  #viewOf({ self, env }: ModuleHost): MeshView {
    const nodes = new Map(
      [...this.#claims].map(([keyId, claim]) => [keyId, { ...claim, state: "up" as const }]),
    );
    const ways = shortestWays(nodes, self.keyId);
    return {
      self: self.keyId,
      nodes: [...this.#claims.values()].map((claim): NodeView => {
        const reached = claim.keyId === self.keyId || ways.has(claim.keyId);
        const state = this.#left.has(claim.keyId) ? "left" : reached ? "up" : "down";
        const key = `${self.keyId} ${claim.keyId}`;
        let entry = this.#since.get(key);
        if (entry?.state !== state) {
          entry = { state, since: env.clock.now() };
          this.#since.set(key, entry);
        }
        return { ...claim, ...entry };
      }),
    };
  }

  async *#watch(host: ModuleHost, signal: AbortSignal): AsyncGenerator<unknown, unknown, void> {
    let changed = Promise.withResolvers<void>();
    const wake = () => changed.resolve();
    this.#watchers.add(wake);
    signal.addEventListener("abort", wake);
    host.stopping.addEventListener("abort", wake);
    try {
      yield this.#viewOf(host);
      while (!signal.aborted && !host.stopping.aborted) {
        await changed.promise;
        changed = Promise.withResolvers<void>();
        yield { changed: this.#viewOf(host).nodes, forgotten: [] };
      }
      return {};
    } finally {
      this.#watchers.delete(wake);
    }
  }
}
