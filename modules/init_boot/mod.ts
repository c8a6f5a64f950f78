/**
 * The init_boot module: what a node does that starts with its machine. It finds the hosts of its mesh
 * file, for ever, and reads the file again when it is told to. A node that was booted over the
 * network has no file, and then nothing to do here.
 */

import * as v from "valibot";
import {
  AuthenticationError,
  CallError,
  DOCUMENT_KINDS,
  errorText,
  MinimeError,
  type Module,
  type ModuleHost,
  verb,
} from "../../core/mod.ts";
import { MeshFollower } from "../shared/mesh_follower.ts";
import type { MeshPicture } from "../shared/mesh_view.ts";
import { type FileHost, HostDialler } from "./host_dialler.ts";
import { JoinedSchema, TokenReplySchema, TokenRequestSchema } from "../shared/join_verbs.ts";
import { ReloadedSchema } from "./reloaded.ts";
import type { TokenDesk } from "./token_desk.ts";
import { plural } from "../shared/plural.ts";

export type { FileHost } from "./host_dialler.ts";
export { type DeskOptions, TokenDesk } from "./token_desk.ts";
export { hasJoined, joinByToken, readToken, requireTokenFor } from "./token_join.ts";

/** What the daemon's own files say. */
export interface InitBootOptions {
  /** The other hosts of the mesh file. */
  readonly hosts: readonly FileHost[];
  /**
   * Reads the file again; rejects with MinimeError when it cannot be used.
   * @default none: there is no file
   */
  readonly reload?: () => Promise<ReadAgain>;
  /** Makes and redeems tokens. @default none: this node is no registrar */
  readonly desk?: TokenDesk;
}

/** The file as it is now. */
export interface ReadAgain {
  readonly hosts: readonly FileHost[];
  /** What counts from now on besides the hosts, in a few words each. */
  readonly changed: readonly string[];
  /** What has changed and counts only from the next start on: whole sentences. */
  readonly later: readonly string[];
}

/** One for each daemon. */
export function createInitBoot(options: InitBootOptions): Module {
  let mesh: MeshFollower | undefined;
  let dialler: HostDialler | undefined;
  let host: ModuleHost | undefined;
  let hosts = options.hosts;
  /** Reading the file, one after the other: an older state of it never wins over a newer one. */
  let reading: Promise<unknown> = Promise.resolve();

  function reload(): Promise<v.InferOutput<typeof ReloadedSchema>> {
    const next = reading.then(readAgain);
    reading = next.catch(() => {}); // Whoever asked for it hears of it.
    return next;
  }

  async function readAgain(): Promise<v.InferOutput<typeof ReloadedSchema>> {
    if (options.reload === undefined) {
      throw new CallError("refused", "This daemon has no mesh file: it was booted by somebody");
    }
    let read: ReadAgain;
    try {
      read = await options.reload();
    } catch (error) {
      if (!(error instanceof MinimeError)) throw error;
      host?.log("error", `The mesh file stays as it was: ${errorText(error)}`);
      throw new CallError("invalid", errorText(error), { cause: error });
    }
    const before = new Map(hosts.map((each) => [each.name, each.endpoints.join()]));
    const now = new Map(read.hosts.map((each) => [each.name, each.endpoints.join()]));
    const added = [...now.keys()].filter((name) => !before.has(name));
    const removed = [...before.keys()].filter((name) => !now.has(name));
    const moved = [...now].filter(([name, endpoints]) =>
      before.has(name) && before.get(name) !== endpoints
    ).map(([name]) => name);
    hosts = read.hosts;
    dialler?.update(hosts);
    const count = added.length + removed.length + moved.length;
    const others = count === 0 ? [] : [plural(count, "host")];
    const what = [...others, ...read.changed].join(", ") || "nothing";
    host?.log("info", `Mesh file read again: ${what} changed`, { added, removed, moved });
    for (const text of read.later) host?.log("warning", text);
    return { added, removed, moved, changed: [...read.changed], later: [...read.later] };
  }

  function desk(): TokenDesk {
    if (options.desk !== undefined) return options.desk;
    throw new CallError("refused", `"${host?.self.name}" is no registrar: it has no issuer's key`);
  }

  return {
    name: "init_boot",
    verbs: {
      token: verb({
        action: "guarded",
        args: TokenRequestSchema,
        reply: TokenReplySchema,
        handle: async (wanted) => {
          try {
            return { token: await desk().create(wanted) };
          } catch (error) {
            if (!(error instanceof AuthenticationError)) throw error;
            throw new CallError("refused", errorText(error), { cause: error });
          }
        },
      }),
      join: verb({
        action: "join",
        args: v.optional(v.strictObject({})),
        reply: JoinedSchema,
        handle: async (_args, { peer }) => {
          if (peer.kind !== "joiner") throw new CallError("refused", "Only who joins may do this");
          const chain = await desk().redeem(peer.token, peer.request);
          host?.log("info", `"${peer.request.name}" has joined by a token`);
          const documents = DOCUMENT_KINDS.flatMap((kind) => {
            const document = host?.documents.current(kind);
            return document === undefined ? [] : [[kind, document.bytes]];
          });
          return { chain: [...chain], psk: desk().psk, ...Object.fromEntries(documents) };
        },
      }),
      reload: verb({
        action: "local",
        args: v.optional(v.strictObject({})),
        reply: ReloadedSchema,
        handle: () => reload(),
      }),
    },
    async start(given) {
      host = given;
      const { desk } = options;
      if (desk !== undefined) given.joining((tokenId) => desk.find(tokenId));
      if (options.reload === undefined && hosts.length === 0) return;
      mesh = new MeshFollower(given.module("mesh"), {
        onEnd: (why) => {
          if (given.stopping.aborted) return;
          given.log("error", `Cannot follow the mesh any more: ${why}`);
        },
      });
      const picture = await mesh.picture;
      dialler = new HostDialler({
        env: given.env,
        links: given.links,
        log: given.log,
        isUp: (name) => isUp(picture, name),
      });
      dialler.update(hosts);
    },
    async stop() {
      await dialler?.stop();
      await mesh?.stop();
    },
  };
}

function isUp(picture: MeshPicture, name: string): boolean {
  return picture.byName(name)?.state === "up";
}
