/** What the core itself executes: hello, ping, stats, shutdown, and what modules need of it. */

import * as v from "valibot";
import { CallError } from "../errors.ts";
import { LISTED_NAMES_MAX, NAME_CHARACTERS_MAX, STEPS_MAX } from "../limits.ts";
import { PROTOCOL_NEWEST, REVISION_NEWEST, VERSION } from "../version.ts";
import type { Dispatcher } from "./dispatch.ts";
import type { LinkTable } from "./link_table.ts";
import { type ModuleHost, type Verb, verb } from "./module.ts";

const NOTHING = v.optional(v.strictObject({}));

export interface CoreVerbsOptions {
  readonly host: ModuleHost;
  readonly dispatcher: Dispatcher;
  readonly links: LinkTable;
  readonly onDemand: LinkTable;
  /** Monotonic ms of the daemon's start. */
  readonly startedAt: number;
}

export function coreVerbs(options: CoreVerbsOptions): Record<string, Verb> {
  const { host, dispatcher, links, onDemand, startedAt } = options;
  const { clock } = host.env;
  return {
    hello: verb({
      action: "read",
      args: NOTHING,
      reply: v.object({ name: v.string(), version: v.string() }),
      handle: () => ({
        name: host.self.name,
        keyId: host.self.keyId,
        instance: host.instance,
        version: VERSION,
        protocol: PROTOCOL_NEWEST,
        verbs: dispatcher.actions().map(([name]) => name),
      }),
    }),
    ping: verb({
      action: "read",
      args: NOTHING,
      reply: v.object({ name: v.string(), unixMs: v.number(), revision: v.number() }),
      handle: () => ({ name: host.self.name, unixMs: clock.now(), revision: REVISION_NEWEST }),
    }),
    stats: verb({
      action: "read",
      args: NOTHING,
      reply: v.record(v.string(), v.number()),
      handle: () => ({
        upMs: Math.round(clock.monotonic() - startedAt),
        links: links.list().length,
        ...dispatcher.counts,
      }),
    }),
    shutdown: verb({
      action: "guarded",
      args: v.optional(
        v.strictObject({ reason: v.optional(v.pipe(v.string(), v.maxLength(200))) }),
      ),
      reply: v.object({ name: v.string() }),
      handle: (args) => {
        host.shutdown(args?.reason ?? "asked to", { forGood: true });
        return { name: host.self.name };
      },
    }),
    /** Steps that a module brings for this node, with the authority they carry themselves. */
    execute: verb({
      action: "internal",
      args: v.strictObject({
        steps: v.union([
          v.instance(Uint8Array),
          v.pipe(
            v.array(v.strictObject({
              verb: v.pipe(v.string(), v.maxLength(2 * NAME_CHARACTERS_MAX)),
              args: v.unknown(),
            })),
            v.minLength(1),
            v.maxLength(STEPS_MAX),
          ),
        ]),
        listedNames: v.optional(v.pipe(v.array(v.string()), v.maxLength(LISTED_NAMES_MAX))),
        stream: v.optional(v.boolean()),
      }),
      reply: v.array(v.unknown()),
      handle: ({ steps, listedNames, stream }, context) =>
        stream
          ? dispatcher.executeStreaming(steps, context, listedNames)
          : dispatcher.execute(steps, context, listedNames),
    }),
    /** The peer shows its renewed certificate: what stands between us goes on with it. */
    renewed: verb({
      action: "link",
      args: v.strictObject({
        chain: v.pipe(v.array(v.instance(Uint8Array)), v.minLength(1), v.maxLength(2)),
      }),
      reply: v.strictObject({}),
      handle: ({ chain }, { peer }) => {
        const identity = host.verifyChain(chain);
        if (peer.kind !== "node" || identity.keyId !== peer.identity.keyId) {
          throw new CallError("refused", "A node shows its own certificate alone");
        }
        for (const table of [links, onDemand]) table.renew(identity);
        return {};
      },
    }),
    /** The peer wants the bulk half of the link and cannot dial us itself. */
    bulk: verb({
      action: "link",
      args: NOTHING,
      reply: v.strictObject({}),
      handle: async (_args, { peer }) => {
        const link = peer.kind === "node"
          ? (peer.onDemand ? onDemand : links).get(peer.identity.keyId)
          : undefined;
        if (link === undefined || !link.dialled) {
          throw new CallError(
            "refused",
            "We did not dial this link, so we cannot dial its bulk half",
          );
        }
        await link.bulk();
        return {};
      },
    }),
  };
}
