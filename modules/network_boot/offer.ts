/**
 * A booted node hands its own program to hosts that are not enrolled yet, and so have no keys: the
 * one TCP port of the program without a handshake. It is open only while somebody with the right to
 * boot has asked for it, gives one file, once for each 128-bit ticket, and nothing to who has none.
 * Whoever gets the file checks its hash, which they know from elsewhere.
 *
 *   in:  32 hex digits and a line feed         out: the file as gzip, then the end
 */

import type { BytePipe, Child, Environment, Log, PipeListener } from "../../core/mod.ts";
import { CallError, ConnectionError, errorText, toHex } from "../../core/mod.ts";
import {
  COPY_MS_MAX,
  COPY_STALL_MS_MAX,
  OFFER_CONNECTIONS_MAX,
  OFFER_STRANGERS_MAX,
  OFFER_TICKET_MS_MAX,
  TICKET_BYTES,
  TICKETS_MAX,
} from "./limits.ts";

type Needs = Pick<Environment, "clock" | "network" | "processes">;

/** The ticket in hex and its line feed. */
const TICKET_LINE_BYTES = 2 * TICKET_BYTES + 1;

/** The program and arguments whose stdout is the file as gzip. */
export type Pack = () => Promise<readonly [program: string, ...args: string[]]>;

export class Offer {
  readonly #env: Needs;
  readonly #log: Log;
  readonly #pack: Pack;
  readonly #onClosed: () => void;
  /** Ticket lines that nobody has redeemed yet. */
  readonly #tickets = new Map<string, { readonly line: Uint8Array; readonly end: () => void }>();
  readonly #pipes = new Set<BytePipe>();
  readonly #children = new Set<Child>();
  #listener: PipeListener | undefined;
  #opening: Promise<number> | undefined;
  #strangers = 0;

  /** `onClosed` is called when the port is closed and the last copy is over. */
  constructor(
    env: Needs,
    options: { readonly log: Log; readonly pack: Pack; readonly onClosed: () => void },
  ) {
    this.#env = env;
    this.#log = options.log;
    this.#pack = options.pack;
    this.#onClosed = options.onClosed;
  }

  /** Takes one more ticket, good for one copy begun within `seconds`. Resolves to the port. */
  async accept(ticket: Uint8Array, seconds: number): Promise<number> {
    if (this.#tickets.size >= TICKETS_MAX) {
      throw new CallError("busy", `More than ${TICKETS_MAX} tickets are open`);
    }
    const text = toHex(ticket);
    if (this.#tickets.has(text)) throw new CallError("invalid", "This ticket is known already");
    const timer = this.#env.clock.after(seconds * 1_000, () => this.#forget(text));
    const line = new TextEncoder().encode(`${text}\n`);
    this.#tickets.set(text, { line, end: () => timer.cancel() });
    try {
      this.#opening ??= this.#listen();
      return await this.#opening;
    } catch (error) {
      this.#forget(text);
      throw error;
    }
  }

  /** Ends everything at once. */
  close(): void {
    for (const { end } of this.#tickets.values()) end();
    this.#tickets.clear();
    for (const pipe of this.#pipes) pipe.close();
    // Whoever waits for more of the file must not wait for the disk.
    for (const child of this.#children) child.kill("SIGKILL");
    this.#closeWhenIdle();
  }

  async #listen(): Promise<number> {
    const { network } = this.#env;
    this.#strangers = 0;
    let listener: PipeListener;
    try {
      listener = await network.listen({ transport: "tcp", host: "::", port: 0 });
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      listener = await network.listen({ transport: "tcp", host: "0.0.0.0", port: 0 });
    }
    this.#listener = listener;
    void this.#acceptAll(listener);
    const { address } = listener;
    if (address.transport !== "tcp") throw new CallError("failed", "No port was bound");
    this.#log("info", "Serving the program to other hosts", { port: address.port });
    // Closed while we were opening: nobody may find the port open.
    this.#closeWhenIdle();
    return address.port;
  }

  async #acceptAll(listener: PipeListener): Promise<void> {
    while (!listener.closed) {
      let pipe: BytePipe;
      try {
        pipe = await listener.accept();
      } catch (error) {
        if (!listener.closed) this.#log("warning", `Stopped serving: ${errorText(error)}`);
        return;
      }
      if (this.#pipes.size >= OFFER_CONNECTIONS_MAX) pipe.close();
      else void this.#serve(pipe);
    }
  }

  async #serve(pipe: BytePipe): Promise<void> {
    this.#pipes.add(pipe);
    try {
      if (await this.#redeem(pipe)) await this.#send(pipe);
      else if (++this.#strangers >= OFFER_STRANGERS_MAX) {
        this.#log("warning", `${this.#strangers} connections without a ticket: closing the port`);
        for (const text of [...this.#tickets.keys()]) this.#forget(text);
      }
    } catch (error) {
      this.#log("info", `A copy to ${pipe.remote} failed: ${errorText(error)}`);
    } finally {
      pipe.close();
      this.#pipes.delete(pipe);
      this.#closeWhenIdle();
    }
  }

  /** Reads one ticket, no byte more, and uses it up. */
  async #redeem(pipe: BytePipe): Promise<boolean> {
    const timer = this.#env.clock.after(OFFER_TICKET_MS_MAX, () => pipe.close());
    try {
      const shown = new Uint8Array(TICKET_LINE_BYTES);
      for (let at = 0; at < shown.length;) {
        const count = await pipe.read(shown.subarray(at));
        if (count === null) return false;
        at += count;
      }
      let found: string | undefined;
      for (const [text, { line }] of this.#tickets) if (isSame(line, shown)) found = text;
      if (found === undefined) return false;
      this.#forget(found);
      return true;
    } finally {
      timer.cancel();
    }
  }

  /** From a child's stdout to the socket: the file never lies in our memory. */
  async #send(pipe: BytePipe): Promise<void> {
    const { clock, processes } = this.#env;
    const [program, ...args] = await this.#pack();
    const child = await processes.spawn(program, { args, stdout: "piped" });
    this.#children.add(child);
    const total = clock.after(COPY_MS_MAX, () => child.kill("SIGKILL"));
    try {
      for await (const chunk of child.stdout as ReadableStream<Uint8Array>) {
        const stalled = clock.after(COPY_STALL_MS_MAX, () => pipe.close());
        try {
          await pipe.write(chunk);
        } finally {
          stalled.cancel();
        }
      }
    } finally {
      total.cancel();
      child.kill("SIGKILL");
      await child.status;
      this.#children.delete(child);
    }
  }

  #forget(ticket: string): void {
    this.#tickets.get(ticket)?.end();
    this.#tickets.delete(ticket);
    this.#closeWhenIdle();
  }

  #closeWhenIdle(): void {
    if (this.#listener === undefined || this.#tickets.size > 0 || this.#pipes.size > 0) return;
    this.#listener.close();
    this.#listener = undefined;
    this.#opening = undefined;
    this.#onClosed();
  }
}

/** Takes the same time wherever the first difference is. */
function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
