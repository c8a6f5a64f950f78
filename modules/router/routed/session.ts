/**
 * A conduit from a program that is no node to any node of the mesh, carried by a daemon to which the
 * program is connected. The Noise of it ends in the program and in the target: the daemon on the way
 * is a relay like any other.
 */

import type { Caller } from "../../../core/mod.ts";
import { openCallCarrier } from "../../shared/call_carrier.ts";
import type { RouteClass } from "../../shared/carrier.ts";
import {
  type InitiateRouted,
  initiateRouted,
  type RoutedConduit,
  type RoutedTarget,
} from "./initiate.ts";

export interface OpenSession extends Omit<InitiateRouted, "carrier" | "local"> {
  /** @default high */
  readonly class?: RouteClass;
}

/** Rejects as {@link initiateRouted}. The way there must stay open until `done`. */
export function openSession(
  entry: Caller,
  target: RoutedTarget,
  { class: routeClass = "high", ...options }: OpenSession,
): Promise<RoutedConduit> {
  const carrier = openCallCarrier(entry, { target: target.keyId, class: routeClass });
  return initiateRouted(target, { ...options, carrier, local: "mesh:a program" });
}
