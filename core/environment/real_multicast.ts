/**
 * Multicast on real networks. What hears is bound to the group's own address, so that no datagram
 * which is meant for another program with this port is taken from it; both must share the port
 * (SO_REUSEADDR), as all multicast DNS programs do. A network is spoken to through a socket of its
 * own, bound to our address there: that, and no routing table, says which way it goes. The runtime's
 * default of one hop stays.
 */
import { ConnectionError } from "../errors.ts";
import { DATAGRAM_BYTES_MAX, MULTICAST_NETWORKS_MAX } from "../limits.ts";
import type { Datagram, Multicast, MulticastGroup } from "./multicast.ts";
import { addressRank } from "./real_addresses.ts";
import { connectionError, marksOf } from "./real_errors.ts";
import { socketText } from "./real_pipe.ts";

export class RealMulticast implements Multicast {
  readonly #group: Deno.NetAddr;
  readonly #text: string;
  readonly #ears: Deno.DatagramConn;
  readonly #mouths = new Map<string, Deno.DatagramConn>();
  readonly #buffer = new Uint8Array(DATAGRAM_BYTES_MAX);
  /** Of the networks that we are on. */
  #subnets: readonly Subnet[] = [];
  #closed = false;

  constructor({ host, port }: MulticastGroup) {
    this.#group = { transport: "udp", hostname: host, port };
    this.#text = socketText(host, port);
    this.#ears = this.#bind(host, port);
  }

  async networks(): Promise<readonly string[]> {
    if (this.#closed) throw this.#closedError();
    const found = interfacesByRank().slice(0, MULTICAST_NETWORKS_MAX);
    const addresses = new Set(found.map(({ address }) => address));
    for (const address of [...this.#mouths.keys()]) {
      if (!addresses.has(address)) this.#forget(address);
    }
    this.#subnets = found.map(({ address, netmask }) => subnetOf(address, netmask));
    const joined: string[] = [];
    for (const { address } of found) if (await this.#join(address)) joined.push(address);
    return joined;
  }

  async send(bytes: Uint8Array, from: string): Promise<void> {
    if (this.#closed) throw this.#closedError();
    const mouth = this.#mouths.get(from);
    const action = `send to "${this.#text}" from "${from}"`;
    if (mouth === undefined) {
      throw new ConnectionError("no-route", `Could not ${action}: there is no such network`);
    }
    try {
      await mouth.send(bytes, this.#group);
    } catch (error) {
      // The address may be another interface's by now: the next time, a new socket finds out.
      this.#forget(from);
      throw connectionError(action, error);
    }
  }

  async receive(): Promise<Datagram> {
    for (;;) {
      if (this.#closed) throw this.#closedError();
      try {
        const [bytes, sender] = await this.#ears.receive(this.#buffer);
        const from = (sender as Deno.NetAddr).hostname;
        if (this.#subnets.some((subnet) => contains(subnet, from))) {
          return { bytes: bytes.slice(), from };
        }
      } catch (error) {
        if (this.#closed) throw this.#closedError();
        throw connectionError(`receive from "${this.#text}"`, error);
      }
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#ears.close();
    for (const mouth of this.#mouths.values()) mouth.close();
    this.#mouths.clear();
  }

  /** Whether we hear and can speak there now; an interface may be gone again, or not take part. */
  async #join(address: string): Promise<boolean> {
    try {
      // Each time: an interface that was away has forgotten it.
      await this.#ears.joinMulticastV4(this.#group.hostname, address);
    } catch (error) {
      if (this.#closed) throw this.#closedError();
      if (!marksOf(error).includes("AddrInUse")) return false; // That would be: we are in it.
    }
    if (this.#closed) throw this.#closedError();
    if (this.#mouths.has(address)) return true;
    try {
      this.#mouths.set(address, this.#bind(address, 0));
      return true;
    } catch (error) {
      if (error instanceof ConnectionError) return false;
      throw error;
    }
  }

  #forget(address: string): void {
    this.#mouths.get(address)?.close();
    this.#mouths.delete(address);
  }

  #bind(hostname: string, port: number): Deno.DatagramConn {
    if (Deno.listenDatagram === undefined) {
      const text = "the runtime was started without --unstable-net";
      throw new ConnectionError("other", `Could not use multicast: ${text}`);
    }
    const options = { transport: "udp", hostname, port, loopback: true } as const;
    try {
      return Deno.listenDatagram({ ...options, reuseAddress: port !== 0 });
    } catch (error) {
      throw connectionError(`listen on "${socketText(hostname, port)}"`, error);
    }
  }

  #closedError(): ConnectionError {
    return new ConnectionError("closed", `Group "${this.#text}" was left`);
  }
}

interface Subnet {
  readonly network: number;
  readonly mask: number;
}

/** One IPv4 address of each interface, best first, loopback left out. */
function interfacesByRank(): Deno.NetworkInterfaceInfo[] {
  const byName = new Map<string, { info: Deno.NetworkInterfaceInfo; rank: number }>();
  for (const info of Deno.networkInterfaces()) {
    if (info.family !== "IPv4" || byName.has(info.name)) continue;
    const rank = addressRank(info.name, info.address);
    if (rank !== undefined) byName.set(info.name, { info, rank });
  }
  return [...byName.values()].sort((a, b) => a.rank - b.rank).map(({ info }) => info);
}

function subnetOf(address: string, netmask: string): Subnet {
  const mask = numberOf(netmask);
  return { network: (numberOf(address) & mask) >>> 0, mask };
}

function contains({ network, mask }: Subnet, address: string): boolean {
  return ((numberOf(address) & mask) >>> 0) === network;
}

/** Of an IPv4 address, as 32 bits. */
function numberOf(address: string): number {
  return address.split(".").reduce((sum, part) => (sum << 8 | Number(part)) >>> 0, 0);
}
