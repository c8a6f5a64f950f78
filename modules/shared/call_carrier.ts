/**
 * A carrier for a program that is no node: a daemon to which it is connected carries its packets, by
 * the verb `router.open`. The daemon sees sealed packets and where they go, and nothing else.
 */

import { type Call, type Caller, ConnectionError, errorText } from "../../core/mod.ts";
import {
  type Carrier,
  CARRIER_PACKET_BYTES_MAX,
  type OpenArgs,
  packetToDaemon,
  readFromDaemon,
  rerouteToDaemon,
} from "./carrier.ts";

/** Opens at once; what the daemon refuses closes it, with its reason. */
export function openCallCarrier(caller: Caller, args: OpenArgs): Carrier {
  return new CallCarrier(caller.stream("router.open", args, { deadlineMs: 0 }));
}

class CallCarrier implements Carrier {
  readonly packetBytesMax = CARRIER_PACKET_BYTES_MAX;
  readonly closed: Promise<string>;
  readonly #call: Call;
  #hasRoute = false;
  #run: ((packet: Uint8Array) => void) | undefined;
  #over: string | undefined;
  #resolveClosed: (text: string) => void = () => {};

  constructor(call: Call) {
    this.#call = call;
    this.closed = new Promise((resolve) => this.#resolveClosed = resolve);
    void this.#read();
  }

  get hasRoute(): boolean {
    return this.#over === undefined && this.#hasRoute;
  }

  async send(packet: Uint8Array, priority: Parameters<Carrier["send"]>[1]): Promise<void> {
    if (this.#over !== undefined) {
      throw new ConnectionError("closed", `Carrier is closed: ${this.#over}`);
    }
    if (packet.length > CARRIER_PACKET_BYTES_MAX) {
      throw new RangeError(`Packet of ${packet.length} bytes is larger than packetBytesMax`);
    }
    await this.#call.send(packetToDaemon(packet, priority));
  }

  onPacket(run: (packet: Uint8Array) => void): void {
    this.#run = run;
  }

  reroute(): void {
    this.#call.send(rerouteToDaemon()).catch(() => {
      // The call is over, which closes this by itself.
    });
  }

  close(text: string): void {
    if (this.#over !== undefined) return;
    // What was sent before still goes out: the daemon ends it when it has read all.
    this.#call.end().catch(() => {
      // The call is over already.
    });
    this.#end(text);
  }

  async #read(): Promise<void> {
    try {
      for await (const item of this.#call) {
        const told = readFromDaemon(item);
        if (told.packet === undefined) this.#hasRoute = told.hasRoute;
        else this.#run?.(told.packet);
      }
      const { text } = await this.#call.reply as { text: string };
      this.#end(text);
    } catch (error) {
      this.#call.cancel();
      this.#end(errorText(error));
    }
  }

  #end(text: string): void {
    if (this.#over !== undefined) return;
    this.#over = text;
    this.#run = undefined;
    this.#resolveClosed(text);
  }
}
