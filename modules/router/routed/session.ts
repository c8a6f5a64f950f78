/**
 * A conduit from a program that is no node to any node of the mesh, carried by a daemon to which the
 * program is connected, or by the next one when that one dies. The Noise of it ends in the program and
 * in the target: the daemon on the way is a relay like any other.
 */

import type { Conduit } from "../../../core/mod.ts";
import type { RouteClass } from "../../shared/carrier.ts";
import { type InitiateRouted, initiateRouted, type RoutedTarget } from "./initiate.ts";
import { type Entry, RoamingCarrier } from "./roaming_carrier.ts";

export interface OpenSession extends Omit<InitiateRouted, "carrier" | "local"> {
  /** Connects to a daemon that can be reached now, and is not the target itself. */
  readonly enter: (signal: AbortSignal) => Promise<Entry>;
  /** @default high */
  readonly class?: RouteClass;
}

export interface Session {
  readonly conduit: Conduit;
  /** The daemon that carries now. */
  readonly entry: () => string;
  /** Resolves when nothing is left of it, after the conduit was closed. */
  readonly done: Promise<void>;
}

/** `first` is the session's from now on, whatever comes of it. Rejects as {@link initiateRouted}. */
export async function openSession(
  first: Entry,
  target: RoutedTarget,
  options: OpenSession,
): Promise<Session> {
  const { class: routeClass = "high", enter, clock } = options;
  const args = { target: target.keyId, class: routeClass };
  const carrier = new RoamingCarrier(first, { clock, args, enter });
  try {
    const made = await initiateRouted(target, { ...options, carrier, local: "mesh:a program" });
    carrier.onMoved = made.ask;
    return {
      conduit: made.conduit,
      entry: () => carrier.entry,
      done: made.done.then(() => carrier.left()),
    };
  } catch (error) {
    await carrier.left();
    throw error;
  }
}
