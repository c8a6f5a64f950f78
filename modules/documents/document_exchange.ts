/** How documents travel: to all neighbours when they are new, and by comparison when a link comes up. */

import * as v from "valibot";
import {
  AuthenticationError,
  CallError,
  compareBytes,
  DOCUMENT_KINDS,
  type DocumentKind,
  errorText,
  type Link,
  type ModuleHost,
  type Peer,
  ProtocolError,
} from "../../core/mod.ts";
import {
  DocumentSchema,
  type Order,
  type Versions,
  VersionsSchema,
} from "../shared/document_verbs.ts";
import { DOCUMENT_BYTES_MAX, EXCHANGE_MS_MAX, RETRY_MS } from "./limits.ts";

/** What a daemon does with documents besides believing them. */
export interface DocumentsOptions {
  /** Keeps it for the next start; may reject. @default nowhere */
  readonly keep?: (kind: DocumentKind, bytes: Uint8Array) => Promise<void>;
  /** Our own key was revoked, and the daemon stops for it. @default nobody needs to know */
  readonly onRevoked?: (error: AuthenticationError) => void;
}

type Document = v.InferOutput<typeof DocumentSchema>;

/** From the module's start to its stop. */
export class DocumentExchange {
  readonly #host: ModuleHost;
  readonly #wanted: DocumentsOptions;
  readonly #stopping = new AbortController();
  readonly #running = new Set<Promise<void>>();
  readonly #subscription: Disposable;

  constructor(host: ModuleHost, options: DocumentsOptions) {
    this.#host = host;
    this.#wanted = options;
    this.#subscription = host.links.watch((change) => {
      if (change.kind === "up") this.#linkUp(change.link);
    });
    for (const link of host.links.list()) this.#linkUp(link);
  }

  versions(): Versions {
    const orders = DOCUMENT_KINDS.flatMap((kind) => {
      const order = this.#order(kind);
      return order === undefined ? [] : [[kind, order] as const];
    });
    return Object.fromEntries(orders);
  }

  /** Somebody brought a document; true when it is news. Throws CallError when it is not signed. */
  offered({ kind, bytes }: Document, peer: Peer): boolean {
    if (bytes.length > DOCUMENT_BYTES_MAX) {
      throw new CallError("invalid", `A document has at most ${DOCUMENT_BYTES_MAX} bytes`);
    }
    const from = peer.kind === "node" ? this.#host.links.get(peer.identity.keyId) : undefined;
    try {
      return this.#adopt({ kind, bytes }, from);
    } catch (error) {
      if (!(error instanceof AuthenticationError || error instanceof ProtocolError)) throw error;
      throw new CallError("refused", errorText(error), { cause: error });
    }
  }

  async stop(): Promise<void> {
    this.#subscription[Symbol.dispose]();
    this.#stopping.abort();
    await Promise.all(this.#running);
  }

  #order(kind: DocumentKind): Order | undefined {
    const document = this.#host.documents.current(kind);
    return document && { version: document.version, hash: document.hash };
  }

  /** One comparison serves both ends: the smaller key id begins. */
  #linkUp(link: Link): void {
    if (this.#host.self.keyId < link.peer.identity.keyId) {
      this.#run(link, () => this.#compare(link));
    }
  }

  #adopt({ kind, bytes }: Document, from: Link | undefined): boolean {
    const { documents, log, links } = this.#host;
    if (!documents.isNews(kind, bytes)) return false;
    // Passed on before it counts: who is revoked by it shall know why, and then loses the link.
    for (const link of links.list()) {
      if (link !== from) this.#run(link, () => this.#offer(link, { kind, bytes }));
    }
    documents.adopt(kind, bytes);
    const whose = from === undefined ? "a user" : `"${from.peer.identity.name}"`;
    log("info", `Version ${documents.current(kind)?.version} of ${kind} counts now, from ${whose}`);
    const { keep } = this.#wanted;
    if (keep !== undefined) this.#runKeep(keep(kind, bytes), kind);
    this.#stopIfRevoked();
    return true;
  }

  /** Nobody talks to us any more: better to say why than to dial for ever. */
  #stopIfRevoked(): void {
    const { self, documents, log, shutdown } = this.#host;
    if (documents.current("revocations") === undefined) return;
    try {
      this.#host.verifyChain(self.chain);
    } catch (error) {
      if (!(error instanceof AuthenticationError) || error.reason !== "revoked") throw error;
      log("error", `${error.message}: this node stops`);
      this.#wanted.onRevoked?.(error);
      shutdown("our key is revoked", { forGood: true });
    }
  }

  async #compare(link: Link): Promise<void> {
    const reply = await link.request("documents.versions", {}, this.#options());
    const parsed = v.safeParse(VersionsSchema, reply);
    if (!parsed.success) throw new ProtocolError("Answer about documents is malformed");
    for (const kind of DOCUMENT_KINDS) {
      const order = compareOrders(parsed.output[kind], this.#order(kind));
      if (order > 0) await this.#fetch(link, kind);
      const ours = this.#host.documents.current(kind);
      if (order < 0 && ours !== undefined) await this.#offer(link, { kind, bytes: ours.bytes });
    }
  }

  async #fetch(link: Link, kind: DocumentKind): Promise<void> {
    const reply = await link.request("documents.get", { kind }, this.#options());
    const parsed = v.safeParse(DocumentSchema, reply);
    if (!parsed.success || parsed.output.kind !== kind) {
      throw new ProtocolError(`Document "${kind}" that was asked for is malformed`);
    }
    if (parsed.output.bytes.length > DOCUMENT_BYTES_MAX) {
      throw new ProtocolError(`Document "${kind}" is larger than ${DOCUMENT_BYTES_MAX} bytes`);
    }
    this.#adopt(parsed.output, link);
  }

  async #offer(link: Link, document: Document): Promise<void> {
    await link.request("documents.offer", document, this.#options());
  }

  #options(): { readonly deadlineMs: number; readonly signal: AbortSignal } {
    return { deadlineMs: EXCHANGE_MS_MAX, signal: this.#stopping.signal };
  }

  #run(link: Link, once: () => Promise<void>): void {
    const running = this.#untilDone(link, once).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** Never rejects. What passes is waited for, as long as the link stands. */
  async #untilDone(link: Link, once: () => Promise<void>): Promise<void> {
    const { links, log, env: { clock } } = this.#host;
    const { name, keyId } = link.peer.identity;
    for (;;) {
      try {
        return await once();
      } catch (error) {
        if (this.#stopping.signal.aborted || links.get(keyId) !== link) return;
        if (error instanceof AuthenticationError || error instanceof ProtocolError) {
          log("warning", `Link to "${name}" is closed: ${errorText(error)}`);
          return void link.close(errorText(error));
        }
        const isPassing = error instanceof CallError &&
          ["busy", "timeout", "unreachable"].includes(error.class);
        if (!isPassing) return log("warning", `"${name}" takes no documents: ${errorText(error)}`);
      }
      // Aborts only when we stop.
      await clock.sleep(RETRY_MS, { signal: this.#stopping.signal }).catch(() => {});
    }
  }

  #runKeep(keeping: Promise<void>, kind: DocumentKind): void {
    const running = keeping.catch((error: unknown) => {
      // It counts all the same; after the next start a neighbour brings it again.
      this.#host.log("warning", `Document "${kind}" cannot be kept: ${errorText(error)}`);
    }).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }
}

/** Above 0 when `a` replaces `b`. */
function compareOrders(a: Order | undefined, b: Order | undefined): number {
  if (a === undefined || b === undefined) return Number(b === undefined) - Number(a === undefined);
  return a.version - b.version || compareBytes(a.hash, b.hash);
}
