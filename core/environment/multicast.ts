/**
 * Datagrams to everybody on the networks of this host, and from everybody there: who sent one and
 * whether it arrives is proven by nothing. IPv4 only.
 */

/** A group of listeners, on each network one: 224.0.0.251 at port 5353 for multicast DNS. */
export interface MulticastGroup {
  readonly host: string;
  readonly port: number;
}

export interface Datagram {
  /** The receiver's own. */
  readonly bytes: Uint8Array;
  /** The IPv4 address that it came from, which lies in a network of this host. */
  readonly from: string;
}

/** A seat in a group, beside those of other programs of this host. */
export interface Multicast {
  /**
   * Takes part in the networks that this host is on now, and tells our address in each, best first. A
   * network that cannot do it is left out; asked again, it is tried again. Rejects with ConnectionError once closed.
   */
  networks(): Promise<readonly string[]>;
  /**
   * To the whole group in the network where we have that address. It never leaves that network, and no
   * loss is told. Rejects with ConnectionError when it cannot be sent.
   */
  send(bytes: Uint8Array, from: string): Promise<void>;
  /**
   * Waits for the next one, also our own; one reader. What is longer than DATAGRAM_BYTES_MAX is cut
   * off. Rejects with ConnectionError, once it is closed for ever.
   */
  receive(): Promise<Datagram>;
  /** Idempotent. */
  close(): void;
}
