/**
 * `router.open`: the stream by which a user's program has its packets carried. What the program
 * sends to one node must not depend on whether it reads: packets that it does not take are dropped.
 */

import { type Context, errorText, PRIORITY } from "../../core/mod.ts";
import {
  type Carrier,
  packetFromDaemon,
  readToDaemon,
  routeFromDaemon,
} from "../shared/carrier.ts";
import {
  OPEN_BACKLOG_BYTES_MAX,
  OPEN_ROUTE_MS,
  OPEN_SWIFT_BYTES_MAX,
  QUEUED_PACKET_BYTES,
  REPLAN_MS,
  UNREAD_BYTES_MAX,
} from "./limits.ts";
import type { Clock } from "../../core/mod.ts";

/** Takes the carrier over; ends with it, the program, or `stopping`. */
export async function* serveCarrier(
  carrier: Carrier,
  context: Pick<Context, "input" | "signal">,
  { clock, stopping }: { readonly clock: Clock; readonly stopping: AbortSignal },
): AsyncGenerator<Uint8Array, { text: string }, void> {
  const items: Uint8Array[] = [];
  let unread = 0;
  let over: string | undefined;
  let failure: unknown;
  let wake = () => {};
  const end = (text: string) => {
    over ??= text;
    wake();
  };
  const put = (item: Uint8Array) => {
    items.push(item);
    unread += item.length + QUEUED_PACKET_BYTES;
    wake();
  };
  let hadRoute: boolean | undefined;
  const tellRoute = () => {
    const { hasRoute } = carrier;
    if (hasRoute === hadRoute) return;
    hadRoute = hasRoute;
    put(routeFromDaemon(hasRoute));
  };
  carrier.onPacket((packet) => {
    if (unread <= UNREAD_BYTES_MAX) put(packetFromDaemon(packet));
  });
  void carrier.closed.then(end);
  const onAbort = () => end(errorText(context.signal.reason));
  const onStopping = () => end("daemon stops");
  context.signal.addEventListener("abort", onAbort);
  stopping.addEventListener("abort", onStopping);
  takeInput(carrier, context.input, clock).then(() => end("closed by the program"), (error) => {
    failure = error;
    end(errorText(error));
  });
  const watch = () =>
    clock.after(OPEN_ROUTE_MS, () => {
      tellRoute();
      timer = watch();
    });
  let timer = watch();
  try {
    tellRoute();
    while (over === undefined) {
      for (let item = items.shift(); item !== undefined; item = items.shift()) {
        unread -= item.length + QUEUED_PACKET_BYTES;
        yield item;
      }
      if (over !== undefined) break;
      await new Promise<void>((resolve) => wake = resolve);
    }
    if (failure !== undefined) throw failure;
    return { text: over };
  } finally {
    timer.cancel();
    context.signal.removeEventListener("abort", onAbort);
    stopping.removeEventListener("abort", onStopping);
    carrier.close(over ?? "closed by the program");
  }
}

/**
 * Reads on while bulk waits, so that control overtakes it, up to a bound. What is not bulk never stops
 * the reading: above its own bound it is lost, like on the way. Throws ProtocolError.
 */
async function takeInput(
  carrier: Carrier,
  input: AsyncIterable<unknown>,
  clock: Pick<Clock, "monotonic">,
): Promise<void> {
  const backlog = { bulk: 0, swift: 0 };
  let reroutedAt = -Infinity;
  let wake = () => {};
  for await (const item of input) {
    const told = readToDaemon(item);
    if (told.packet === undefined) {
      const now = clock.monotonic();
      if (now - reroutedAt < REPLAN_MS) continue;
      reroutedAt = now;
      carrier.reroute();
      continue;
    }
    const { packet, priority } = told;
    const lane = priority === PRIORITY.bulk ? "bulk" : "swift";
    const cost = packet.length + QUEUED_PACKET_BYTES;
    if (lane === "swift" && backlog.swift + cost > OPEN_SWIFT_BYTES_MAX) continue;
    backlog[lane] += cost;
    const sent = () => {
      backlog[lane] -= cost;
      wake();
    };
    // It rejects only when the carrier is closed, and that ends all of this.
    carrier.send(packet, priority).then(sent, sent);
    while (backlog.bulk > OPEN_BACKLOG_BYTES_MAX) {
      await new Promise<void>((resolve) => wake = resolve);
    }
  }
}
