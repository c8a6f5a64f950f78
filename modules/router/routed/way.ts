/**
 * What the pipe of a routed conduit needs of a carrier. Whoever has the carrier hands its packets to
 * the pipe's `receive`: one carrier may bring those of several.
 */

import type { Carrier } from "../../shared/carrier.ts";

export type Way = Pick<
  Carrier,
  "packetBytesMax" | "hasRoute" | "closed" | "send" | "reroute" | "close"
>;
