/**
 * The module "forward": TCP connections from this node to wherever the policy lets a user connect, as
 * streams of a session. What listens is the user's own program (`minime forward`); a node listens for
 * nobody.
 */

import * as v from "valibot";
import {
  type BytePipe,
  CallError,
  ConnectionError,
  type Context,
  type Module,
  type ModuleHost,
  verb,
  withTimeLimit,
} from "../../core/mod.ts";
import { bytesOf, feed, FINISHED } from "./flow.ts";
import { isHost } from "./forward_spec.ts";
import { DIAL_MS_MAX, NODE_CONNECTIONS_MAX, PORT_MAX } from "./limits.ts";

/** The policy's `destinations` are compared with these two. */
const ConnectSchema = v.strictObject({
  host: v.pipe(v.string(), v.check(isHost, "Expected a name or an IP address")),
  port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(PORT_MAX)),
});
type Destination = v.InferOutput<typeof ConnectSchema>;

/** One for each daemon. */
export function createForward(): Module {
  let host: ModuleHost | undefined;
  let open = 0;

  /** First item: where it is connected to; then bytes, and an empty item when no more will come. */
  async function* connect(
    destination: Destination,
    context: Context,
  ): AsyncGenerator<unknown, Record<never, never>, void> {
    if (host === undefined) throw new CallError("unreachable", "Forward module is not running");
    const items = context.input[Symbol.asyncIterator]();
    // Whoever has no session cannot send one, and must not connect to anything either.
    if ((await items.next()).done) {
      throw new CallError("invalid", "A connection is forwarded in a session, item by item");
    }
    if (open >= NODE_CONNECTIONS_MAX) {
      throw new CallError("busy", `More than ${NODE_CONNECTIONS_MAX} connections at once`);
    }
    open++;
    try {
      const pipe = await dial(host, destination, context.signal);
      yield* carry(host, pipe, { items, signal: context.signal });
      return {};
    } finally {
      open--;
    }
  }

  return {
    name: "forward",
    verbs: {
      connect: verb({
        action: "guarded",
        args: ConnectSchema,
        reply: v.strictObject({}),
        handle: connect,
      }),
    },
    start(given) {
      host = given;
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
}

async function dial(
  { env: { clock, network } }: ModuleHost,
  { host, port }: Destination,
  signal: AbortSignal,
): Promise<BytePipe> {
  try {
    const late = () => new ConnectionError("timeout", `No answer within ${DIAL_MS_MAX} ms`);
    return await withTimeLimit(
      (limited) => network.dial({ transport: "tcp", host, port }, { signal: limited }),
      { clock, ms: DIAL_MS_MAX, signal, late },
    );
  } catch (cause) {
    if (!(cause instanceof ConnectionError)) throw cause;
    const { reason } = cause;
    // Not "unreachable", which would say that the node is.
    throw new CallError("failed", cause.message, { cause, detail: { reason } });
  }
}

async function* carry(
  { stopping }: ModuleHost,
  pipe: BytePipe,
  { items, signal }: { readonly items: AsyncIterator<unknown>; readonly signal: AbortSignal },
): AsyncGenerator<unknown, void, void> {
  // What is broken off must not look as if it were whole.
  const breakOff = () => pipe.reset();
  let failure: unknown;
  signal.addEventListener("abort", breakOff);
  stopping.addEventListener("abort", breakOff);
  try {
    if (signal.aborted || stopping.aborted) breakOff();
    // What the target has sent before it broke the connection is still for the client.
    const feeding = feed(pipe, items).catch((error: unknown) => failure = error);
    yield { to: pipe.remote };
    yield* bytesOf(pipe);
    if (stopping.aborted) throw new CallError("unreachable", "Daemon is shutting down");
    yield FINISHED;
    await feeding;
    if (failure !== undefined) throw failure;
  } finally {
    pipe.close();
    signal.removeEventListener("abort", breakOff);
    stopping.removeEventListener("abort", breakOff);
  }
}
