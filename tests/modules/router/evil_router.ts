/**
 * A router that carries nothing on: it keeps what it is trusted with, and answers in the name of the
 * target, with what it was given and with what it makes of that.
 */

import * as v from "valibot";
import { type Module, type ModuleHost, verb } from "../../../core/mod.ts";
import {
  bodyOf,
  PACKET_KIND,
  pathOf,
  readPacket,
  streamBytesOf,
  writeHeader,
  writePacket,
} from "../../../modules/router/packet.ts";

export class EvilRouter {
  /** Packets that it kept. */
  swallowed = 0;
  #host: ModuleHost | undefined;

  module(): Module {
    const body = { action: "link", args: v.instance(Uint8Array), reply: v.undefined() } as const;
    return {
      name: "router",
      verbs: {
        forward: verb({
          ...body,
          handle: (bytes, { peer }) => {
            if (peer.kind === "node") this.#answer(bytes, peer.identity.keyId);
            return undefined;
          },
        }),
        taken: verb({ ...body, handle: () => undefined }),
      },
      start: (host) => Promise.resolve(void (this.#host = host)),
      stop: () => Promise.resolve(),
    };
  }

  #answer(bytes: Uint8Array, from: string): void {
    this.swallowed++;
    const packet = readPacket(bytes);
    const link = this.#host?.links.get(from);
    if (packet.kind !== PACKET_KIND.data || link === undefined) return;
    const { class: routeClass, priority } = packet;
    const stream = streamBytesOf(packet);
    const path = pathOf(packet).reverse();
    const header = writeHeader({ kind: packet.kind, class: routeClass, priority, stream, path });
    const body = bodyOf(packet);
    const altered = body.slice();
    altered[altered.length - 1]! ^= 1;
    for (const forged of [body, altered, body.slice(0, body.length / 2)]) {
      link.tell("router.forward", writePacket(header, forged, priority), priority)
        .catch(() => {
          // The link is gone: so is whoever should have believed it.
        });
    }
  }
}
