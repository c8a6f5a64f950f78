/** The verb `group.relay`: carries on what a neighbour passed to us, and accounts for all of it. */

import { CallError, type Context, ProtocolError } from "../../core/mod.ts";
import { listNodeset } from "../shared/nodeset.ts";
import { PART_MS } from "./limits.ts";
import { Operation } from "./operation.ts";
import type { PartialBody } from "./partial.ts";
import { fromRanges } from "./ranges.ts";
import type { Station } from "./station.ts";
import type { RelayArgs } from "./work.ts";

export async function* relay(
  station: Station,
  args: RelayArgs,
  context: Pick<Context, "signal" | "peer" | "input">,
): AsyncGenerator<PartialBody, PartialBody, void> {
  const { deadlineMs, slackMs, via, avoid } = args;
  const work = { ...args.work, startBy: startByHere(station, args, context) };
  const targets = targetsOf(args);
  const { signal } = context;
  const operation = new Operation(station, {
    work,
    targets,
    deadlineMs,
    slackMs,
    via,
    avoid,
    partMs: PART_MS,
  });
  const stop = () => {
    // The one above died: the origin will send again and find what runs below.
    const orphaned = signal.reason instanceof CallError && signal.reason.class === "unreachable";
    if (orphaned) operation.abandon();
    else operation.cancel();
  };
  signal.addEventListener("abort", stop);
  try {
    signal.throwIfAborted();
    operation.send();
    if (work.input) passInput(operation, context);
    return yield* operation.partials();
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** Input that breaks off has lost the one above: `stop` knows what to do then. */
export function passInput(
  operation: Operation,
  { input, signal }: Pick<Context, "input" | "signal">,
): void {
  void operation.feed(input).catch(() => {
    if (!signal.aborted) operation.cancel();
  });
}

/**
 * The latest start by our clock. Whoever was frozen finds its neighbour's words in the buffer when it
 * wakes, and sees by that neighbour's clock, which it has known since before, how late it is.
 */
function startByHere(
  { clock, links }: Station,
  { work }: RelayArgs,
  { peer }: Pick<Context, "peer">,
): number {
  const link = peer.kind === "node" ? links.get(peer.identity.keyId) : undefined;
  return link === undefined ? work.startBy : work.startBy + clock.now() - link.peerNow;
}

function targetsOf({ mine, names, work }: RelayArgs): Map<number, string> {
  if ((work.steps === undefined) === (work.signed === undefined)) {
    throw new CallError("invalid", "Work has neither steps nor a signed request, or both");
  }
  try {
    const indices = fromRanges(mine);
    const list = listNodeset(names, { namesMax: indices.length });
    if (indices.length === list.length && new Set(list).size === list.length) {
      return new Map(indices.map((index, i) => [index, list[i] as string]));
    }
    throw new ProtocolError(`${indices.length} indices do not fit ${list.length} names`);
  } catch (cause) {
    throw new CallError("invalid", "Targets of a group operation are wrong", { cause });
  }
}
