/**
 * The module "router": carries packets from any node to any other, over links hop by hop (class low)
 * or directly and through gateways (class high). Its packets name their whole path; who is on it
 * needs no trust but to be there: what the packets hold is sealed end to end by whoever made them.
 */

import * as v from "valibot";
import { CallError, type Context, type Module, type ModuleHost, verb } from "../../core/mod.ts";
import { OpenReplySchema, OpenSchema, ROUTE_CLASSES } from "../shared/carrier.ts";
import { RouteSchema, TraceSchema } from "../shared/route_view.ts";
import { ECHO_MS_DEFAULT, ECHO_MS_MAX, OPEN_PER_USER_MAX } from "./limits.ts";
import { serveCarrier } from "./open.ts";
import { Router } from "./router.ts";

const NODE_CHARACTERS_MAX = 64;
/** A name or a key id. */
const Node = v.pipe(v.string(), v.maxLength(NODE_CHARACTERS_MAX));
const NOTHING = v.optional(v.strictObject({}));

/** One for each daemon. */
export function createRouter(make = (host: ModuleHost): Router => new Router(host)): Module {
  let host: ModuleHost | undefined;
  let running: Router | undefined;
  const openOf = new Map<string, number>();

  function router(): Router {
    if (running === undefined) throw new CallError("busy", "The router has not started yet");
    return running;
  }

  /** Bounded for each user; returns what gives the place back. */
  function enter(context: Context): () => void {
    const { principal } = context;
    const who = "identity" in principal ? principal.identity.keyId : principal.kind;
    const count = openOf.get(who) ?? 0;
    if ("identity" in principal && count >= OPEN_PER_USER_MAX) {
      throw new CallError("busy", `More than ${OPEN_PER_USER_MAX} routed streams of one user`);
    }
    openOf.set(who, count + 1);
    return () => {
      const left = (openOf.get(who) ?? 1) - 1;
      if (left > 0) openOf.set(who, left);
      else openOf.delete(who);
    };
  }

  return {
    name: "router",
    verbs: {
      forward: verb({
        action: "link",
        args: v.instance(Uint8Array),
        reply: v.undefined(),
        untilStopped: true,
        handle: (bytes, context) => {
          router().forward(bytes, context);
          return undefined;
        },
      }),
      taken: verb({
        action: "link",
        args: v.instance(Uint8Array),
        reply: v.undefined(),
        untilStopped: true,
        handle: (report, context) => {
          router().taken(report, context);
          return undefined;
        },
      }),
      open: verb({
        action: "read",
        args: OpenSchema,
        reply: OpenReplySchema,
        async *handle({ target, class: routeClass }, context) {
          const { peer } = context;
          // As a step of a group operation, which has no bound for each user. Who embeds the daemon may.
          if (peer.kind === "internal" && peer.module !== "embedder") {
            throw new CallError("refused", "A routed stream is opened by a program of its own");
          }
          const leave = enter(context);
          try {
            const carrier = router().openCarrier(target, { class: routeClass });
            const { env: { clock }, stopping } = host as ModuleHost;
            return yield* serveCarrier(carrier, context, { clock, stopping });
          } finally {
            leave();
          }
        },
      }),
      route: verb({
        action: "read",
        args: v.strictObject({ to: Node, from: v.optional(Node) }),
        reply: RouteSchema,
        handle: ({ to, from }) => router().route(to, from),
      }),
      trace: verb({
        action: "read",
        args: v.strictObject({
          to: Node,
          class: v.optional(v.picklist(ROUTE_CLASSES)),
          timeoutMs: v.optional(v.pipe(v.number(), v.minValue(1), v.maxValue(ECHO_MS_MAX))),
        }),
        reply: TraceSchema,
        handle: ({ to, class: routeClass = "low", timeoutMs = ECHO_MS_DEFAULT }, { signal }) =>
          router().trace(to, { class: routeClass, timeoutMs, signal }),
      }),
      stats: verb({
        action: "read",
        args: NOTHING,
        reply: v.record(v.string(), v.number()),
        handle: () => router().stats(),
      }),
    },
    async start(given) {
      host = given;
      running = make(given);
      await running.start();
    },
    async stop() {
      await running?.stop();
    },
  };
}
