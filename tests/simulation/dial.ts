/**
 * One attempt to connect, as a kernel makes it: a SYN over a blocked way, or to a machine that is off
 * or whose backlog is full, is lost and sent again, until it times out.
 */
import type { SimulatedListener } from "./listener.ts";
import type { Machine, SimulatedProcess } from "./machine.ts";
import type { World } from "./network.ts";
import { connectedPipes, PIPE_BYTES, type SimulatedPipe } from "./pipe.ts";

/** When Linux sends a SYN again, after the first (tcp_syn_retries = 6), and when it gives up. */
const SYN_AGAIN_MS = [1_000, 3_000, 7_000, 15_000, 31_000, 63_000];
const SYN_TIMEOUT_MS = 127_000;

export interface Dial {
  readonly process: SimulatedProcess;
  readonly machine: Machine;
  /** Who listens there now; asked again with every SYN. */
  readonly listener: () => SimulatedListener | undefined;
  readonly localText: string;
  readonly remoteText: string;
  readonly abandoned: () => boolean;
  readonly connected: (pipe: SimulatedPipe) => void;
  /** With the system's code. */
  readonly failed: (code: string) => void;
}

export function connect(world: World, dial: Dial): void {
  const { scheduler } = world;
  const { process } = dial;
  const path = world.path(process.machine, dial.machine);
  const back = world.path(dial.machine, process.machine);
  const begun = scheduler.now;
  let lost = 0;

  function send(): void {
    if (!dial.abandoned()) scheduler.scheduleAt(path.arrival(0), arrive);
  }

  function arrive(): void {
    if (process.dead || dial.abandoned()) return;
    if (path.blocked || back.blocked || dial.machine.off) return sendAgain();
    const listener = path.refused ? undefined : dial.listener();
    if (listener === undefined || listener.closed) {
      return answer(() => dial.failed("ECONNREFUSED"));
    }
    if (listener.full) return sendAgain();
    const [ours, theirs] = pipes(listener);
    listener.offer(theirs);
    answer(() => dial.connected(ours));
  }

  function sendAgain(): void {
    const ms = SYN_AGAIN_MS[lost++];
    if (ms !== undefined) scheduler.scheduleAt(begun + ms, send);
    else scheduler.scheduleAt(begun + SYN_TIMEOUT_MS, () => dial.failed("ETIMEDOUT"), process);
  }

  function answer(run: () => void): void {
    const received = () => {
      world.trace.add(scheduler.now, `answer ${dial.remoteText}>${dial.localText}`);
      process.wake(run);
    };
    scheduler.scheduleAt(back.arrival(0), () => back.whenOpen(received));
  }

  function pipes(listener: SimulatedListener): [SimulatedPipe, SimulatedPipe] {
    return connectedPipes(
      { process, text: dial.localText },
      { process: listener.process, text: dial.remoteText },
      {
        scheduler,
        trace: world.trace,
        path,
        back,
        capacity: PIPE_BYTES,
        name: `#${world.nextPipe()}`,
      },
    );
  }

  send();
}
