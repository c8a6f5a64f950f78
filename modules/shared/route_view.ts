/** What the router tells of ways: replies of `router.route` and `router.trace`, as plain data. */

import * as v from "valibot";
import { ROUTE_CLASSES } from "./carrier.ts";
import { NODE_STATES } from "./mesh_view.ts";

/** How a hop is made: a standing link, a conduit on demand that is there, or one to be dialled. */
export const HOP_KINDS = ["link", "on-demand", "dial"] as const;
export type HopKind = (typeof HOP_KINDS)[number];

const HopSchema = v.object({
  name: v.string(),
  keyId: v.string(),
  segment: v.string(),
  kind: v.picklist(HOP_KINDS),
});
export type RouteHop = v.InferOutput<typeof HopSchema>;

/** `hops` is empty when there is no way; then `why` says what is missing. */
const WaySchema = v.object({ hops: v.array(HopSchema), why: v.optional(v.string()) });
export type RouteWay = v.InferOutput<typeof WaySchema>;

/** Both ways from one node to another. */
export const RouteSchema = v.object({
  from: v.string(),
  to: v.string(),
  low: WaySchema,
  high: WaySchema,
  /** What the daemon that was asked knows of the other; older ones do not say it. */
  target: v.optional(v.object({
    state: v.picklist(NODE_STATES),
    /** Milliseconds that it has been so. */
    forMs: v.number(),
    /** See {@link NodeView}. */
    lostAt: v.optional(v.string()),
  })),
});
export type Route = v.InferOutput<typeof RouteSchema>;

/** One echo along one way: round trips in milliseconds from the daemon that sent it. */
export const TraceSchema = v.object({
  from: v.string(),
  to: v.string(),
  class: v.picklist(ROUTE_CLASSES),
  /** Null: it did not come back in time; the hops may show times of later ones. */
  ms: v.nullable(v.number()),
  hops: v.array(v.object({ ...HopSchema.entries, ms: v.nullable(v.number()) })),
  why: v.optional(v.string()),
});
export type Trace = v.InferOutput<typeof TraceSchema>;
