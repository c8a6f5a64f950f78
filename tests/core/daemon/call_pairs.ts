/** Two ends that call each other over framed conduits in memory, under a clock that the test moves. */

import assert from "node:assert/strict";
import type { Peer } from "../../../core/conduit/conduit.ts";
import { FramedConduit } from "../../../core/conduit/framed.ts";
import { Calls, type CallsOptions } from "../../../core/daemon/calls.ts";
import type { Incoming, Serve } from "../../../core/daemon/incoming.ts";
import { CallError, type CallErrorClass } from "../../../core/errors.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { type MemoryPipe, type MemoryPipeOptions, memoryPipes } from "../../support/memory_pipe.ts";

const LOCAL: Peer = { kind: "local" };

export type Side = Partial<Omit<CallsOptions, "conduit" | "clock" | "dialled">>;

export interface CallPair {
  readonly clock: ManualClock;
  /** The end that dialled. */
  readonly near: Calls;
  readonly far: Calls;
  readonly pipes: readonly [MemoryPipe, MemoryPipe];
  /** The connection ends without a word. */
  cut(): void;
  /** Orderly, from both ends. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** `near` and `far` say what each end executes, and its limits. */
export function callPair(
  near: Side,
  far: Side,
  options: MemoryPipeOptions & { readonly clock?: ManualClock } = {},
): CallPair {
  const { clock = new ManualClock() } = options;
  const pipes = memoryPipes(options);
  const [one, other] = pipes.map((pipe) => new FramedConduit({ pipe, clock, peer: LOCAL }));
  const ends = {
    near: new Calls({ conduit: one!, clock, dialled: true, ...near }),
    far: new Calls({ conduit: other!, clock, dialled: false, ...far }),
  };
  return {
    clock,
    pipes,
    ...ends,
    cut: () => pipes[0].close(),
    async [Symbol.asyncDispose]() {
      await Promise.all([ends.near.close("test is over"), ends.far.close("test is over")]);
    },
  };
}

export interface HandDriven {
  readonly clock: ManualClock;
  readonly calls: Calls;
  /** The other end of its conduit: nobody answers but the test. */
  readonly hand: FramedConduit;
}

/** Calls at an accepting end, unless `dialled`; the test plays the peer. */
export function handDriven(side: Side = {}, dialled = false): HandDriven {
  const clock = new ManualClock();
  const [pipe, far] = memoryPipes({ capacity: 100_000_000 });
  const conduit = new FramedConduit({ pipe, clock, peer: LOCAL });
  return {
    clock,
    calls: new Calls({ conduit, clock, dialled, ...side }),
    hand: new FramedConduit({ pipe: far, clock, peer: LOCAL }),
  };
}

/** Executes by verb. */
export function serving(
  handlers: Readonly<Record<string, (incoming: Incoming) => unknown>>,
): Serve {
  return (incoming) => {
    const handler = handlers[incoming.verb];
    if (handler === undefined) throw new CallError("unknown-verb", `No "${incoming.verb}" here`);
    return handler(incoming);
  };
}

/** For assert.rejects: an error of that class, and with that text if one is given. */
export function isError(errorClass: CallErrorClass, text?: string): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof CallError, String(error));
    assert.equal(error.class, errorClass, error.message);
    if (text !== undefined) assert.equal(error.message, text);
    return true;
  };
}

/** A handler that never answers. */
export function never(): Promise<never> {
  return new Promise(() => {});
}
