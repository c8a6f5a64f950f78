/**
 * The documents module: policy, revocation list and secrets reach every node. A new one is passed on to all
 * neighbours at once; neighbours whose link comes up compare what they have. Each node verifies by
 * itself; who brings a document that nobody may have signed loses its link.
 */

import * as v from "valibot";
import { CallError, type Module, type ModuleHost, type Peer, verb } from "../../core/mod.ts";
import {
  DocumentSchema,
  GetSchema,
  OfferedSchema,
  VersionsSchema,
} from "../shared/document_verbs.ts";
import { DocumentExchange, type DocumentsOptions } from "./document_exchange.ts";

export type { DocumentsOptions } from "./document_exchange.ts";

/** They have shown a certificate, or own the daemon; modules carry for others (SECURITY.md 3). */
const MAY_HOLD_SECRETS: readonly Peer["kind"][] = ["node", "user", "local"];

/** One for each daemon. */
export function createDocuments(options: DocumentsOptions): Module {
  let host: ModuleHost | undefined;
  let exchange: DocumentExchange | undefined;

  function running(): { readonly host: ModuleHost; readonly exchange: DocumentExchange } {
    if (host !== undefined && exchange !== undefined) return { host, exchange };
    throw new CallError("unreachable", "The documents module is not running");
  }

  return {
    name: "documents",
    verbs: {
      versions: verb({
        action: "read",
        args: v.optional(v.strictObject({})),
        reply: VersionsSchema,
        handle: () => running().exchange.versions(),
      }),
      get: verb({
        action: "read",
        args: GetSchema,
        reply: DocumentSchema,
        handle: ({ kind }, { peer }) => {
          if (kind === "secrets" && !MAY_HOLD_SECRETS.includes(peer.kind)) {
            throw new CallError("refused", "The mesh's PSK is not passed on through others");
          }
          const document = running().host.documents.current(kind);
          if (document !== undefined) return { kind, bytes: document.bytes };
          throw new CallError("failed", `This node has no document "${kind}"`);
        },
      }),
      offer: verb({
        action: "root",
        args: DocumentSchema,
        reply: OfferedSchema,
        handle: (document, { peer }) => ({
          adopted: running().exchange.offered(document, peer),
        }),
      }),
    },
    start(given) {
      host = given;
      exchange = new DocumentExchange(given, options);
      return Promise.resolve();
    },
    async stop() {
      await exchange?.stop();
    },
  };
}
