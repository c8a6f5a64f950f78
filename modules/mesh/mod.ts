/**
 * The mesh module: who is there, and who links to whom. It makes links, floods adverts, and tells
 * other modules what follows (`mesh.watch`). There is no leader: every node knows the whole graph.
 *
 * `mesh.beat`, `mesh.flood`, `mesh.sync`, `mesh.offer`, `mesh.fetch` and `mesh.spare` are what mesh
 * modules say to each other over links.
 */

import * as v from "valibot";
import { CallError, type Context, isName, type Link, type Module, verb } from "../../core/mod.ts";
import { MeshViewSchema, UnheardSchema } from "../shared/mesh_view.ts";
import {
  DifferenceSchema,
  DigestsSchema,
  KeysSchema,
  NodesSchema,
  SummarySchema,
} from "./exchange.ts";
import { FLOOD_ADVERTS_MAX, FORGET_NODES_MAX, NODES_MAX } from "./limits.ts";
import { Mesh } from "./mesh.ts";
import type { MeshOptions } from "./mesh_options.ts";
import { ToldSchema } from "./outbox.ts";
import { inParts } from "./view_parts.ts";
import { WholeView } from "./whole_view.ts";

export { AdvertPool } from "./advert_pool.ts";
export { reachableEndpoints } from "./endpoints.ts";
export type { MeshOptions } from "./mesh_options.ts";
export type { Seed } from "./topology.ts";

const KEY_ID_CHARACTERS = 64;
const NOTHING = v.optional(v.strictObject({}));
const DONE = v.strictObject({});
const Adverts = v.pipe(v.array(v.instance(Uint8Array)), v.maxLength(FLOOD_ADVERTS_MAX));

/** One link as its own end sees it; round-trip times are never flooded. */
const LinkViewSchema = v.object({
  name: v.string(),
  keyId: v.string(),
  endpoint: v.string(),
  dialled: v.boolean(),
  /** Unix ms. */
  since: v.number(),
  roundTripMs: v.optional(v.number()),
});

/** One for each daemon. */
export function createMesh(options: MeshOptions): Module {
  let running: Mesh | undefined;
  let whole: WholeView | undefined;
  let links: { get(keyId: string): Link | undefined } | undefined;

  function mesh(): Mesh {
    if (running === undefined) throw new CallError("unreachable", "Mesh module is not running");
    return running;
  }

  /** The link over which the request came. */
  function linkOf({ peer }: Context): Link {
    const link = peer.kind === "node" ? links?.get(peer.identity.keyId) : undefined;
    if (link === undefined) throw new CallError("refused", "Only a neighbour may do this");
    return link;
  }

  return {
    name: "mesh",
    verbs: {
      nodes: verb({
        action: "read",
        args: NOTHING,
        reply: MeshViewSchema,
        handle: () => inParts(mesh().view),
      }),
      /** Answers when the view of a daemon that has just started can be taken for the whole mesh. */
      settled: verb({
        action: "read",
        args: NOTHING,
        reply: DONE,
        handle: async (_args, { signal }) => {
          await whole?.wait(signal);
          return {};
        },
      }),
      /** Which of these names no node has, as far as a daemon knows that is no longer young. */
      unheard: verb({
        action: "read",
        args: v.strictObject({
          names: v.pipe(v.array(v.pipe(v.string(), v.check(isName))), v.maxLength(NODES_MAX)),
        }),
        reply: UnheardSchema,
        handle: async ({ names }, { signal }) => {
          await whole?.wait(signal);
          return mesh().unheard(names);
        },
      }),
      watch: verb({
        action: "internal",
        args: NOTHING,
        reply: DONE,
        handle: (_args, { signal }) => mesh().watch(signal),
      }),
      /** The mesh file gives this node another segment. */
      move: verb({
        action: "internal",
        args: v.strictObject({ segment: v.pipe(v.string(), v.check(isName)) }),
        reply: DONE,
        handle: ({ segment }) => {
          mesh().move(segment);
          return {};
        },
      }),
      links: verb({
        action: "read",
        args: NOTHING,
        reply: v.array(LinkViewSchema),
        handle: () => mesh().links().map((link) => viewOf(link, mesh().roundTripMs(link))),
      }),
      stats: verb({
        action: "read",
        args: NOTHING,
        reply: v.record(v.string(), v.number()),
        handle: () => ({ ...mesh().counts }),
      }),
      forget: verb({
        action: "guarded",
        args: v.strictObject({
          nodes: v.pipe(
            v.array(v.pipe(v.string(), v.maxLength(KEY_ID_CHARACTERS))),
            v.maxLength(FORGET_NODES_MAX),
          ),
        }),
        reply: v.strictObject({ forgotten: v.array(v.string()) }),
        handle: ({ nodes }) => ({ forgotten: mesh().forget(nodes) }),
      }),
      // Our certificate was renewed: a newer advert is what makes others ask for it.
      renewed: verb({
        action: "internal",
        args: NOTHING,
        reply: DONE,
        handle: () => {
          mesh().renewed();
          return {};
        },
      }),
      flood: verb({
        action: "link",
        args: v.strictObject({ adverts: Adverts, forgotten: Adverts }),
        reply: ToldSchema,
        handle: ({ adverts, forgotten }, context) => ({
          known: mesh().flood(linkOf(context), adverts, forgotten),
        }),
      }),
      beat: verb({
        action: "link",
        args: v.strictObject({ unixMs: v.pipe(v.number(), v.finite()) }),
        reply: DONE,
        handle: ({ unixMs }, context) => {
          mesh().beat(linkOf(context), unixMs);
          return {};
        },
      }),
      sync: verb({
        action: "link",
        args: DigestsSchema,
        reply: DifferenceSchema,
        handle: ({ digests }, context) => mesh().compare(linkOf(context), digests),
      }),
      offer: verb({
        action: "link",
        args: SummarySchema,
        reply: ToldSchema,
        handle: ({ summary }, context) => ({ known: mesh().offer(linkOf(context), summary) }),
      }),
      spare: verb({
        action: "link",
        args: v.strictObject({}),
        reply: v.strictObject({ spare: v.boolean() }),
        handle: (_args, context) => ({ spare: mesh().couldSpare(linkOf(context)) }),
      }),
      fetch: verb({
        action: "link",
        args: KeysSchema,
        reply: NodesSchema,
        handle: ({ keys }, context) => ({ nodes: mesh().answer(linkOf(context), keys) }),
      }),
    },
    start(host) {
      links = host.links;
      const started = running = new Mesh(host, options);
      whole = new WholeView(host.env.clock, {
        view: () => started.view,
        expectsOthers: options.expectsOthers === true ||
          (options.peers ?? []).some(({ keyId }) => keyId !== host.self.keyId),
      });
      return Promise.resolve();
    },
    async stop() {
      await running?.stop();
    },
  };
}

function viewOf(link: Link, roundTripMs: number | undefined): v.InferOutput<typeof LinkViewSchema> {
  const { peer: { identity }, endpoint, dialled, since } = link;
  const { name, keyId } = identity;
  const measured = roundTripMs === undefined ? {} : { roundTripMs };
  return { name, keyId, endpoint, dialled, since, ...measured };
}
