/**
 * The upgrade module: takes a new program, and lets the daemon go on as that. A guard outside of the
 * process puts the old one back when the new one does not come up; see scripts.ts. In the daemon's
 * state folder `upgrade` stands from then on until the new program is up.
 */

import * as v from "valibot";
import {
  CallError,
  type Module,
  type ModuleHost,
  PROTOCOL_NEWEST,
  PROTOCOL_OLDEST,
  verb,
  VERSION,
} from "../../core/mod.ts";
import { readMeshView } from "../shared/mesh_query.ts";
import type { NodeView } from "../shared/mesh_view.ts";
import { ProgramFile, type SwitchedProgram } from "./program_file.ts";
import { HashSchema, PutReplySchema, PutSchema, StartedSchema, StateSchema } from "./verbs.ts";

const SPEAKS: [oldest: number, newest: number] = [PROTOCOL_OLDEST, PROTOCOL_NEWEST];

/** How the daemon goes on as another program. */
export interface NextProgram extends SwitchedProgram {
  /** The file that the new one removes when it is up. */
  readonly marker: string;
  /** Nodes that were up: who keeps nothing on disk finds them again. */
  readonly nodes: readonly NodeView[];
}

export interface UpgradeOptions {
  /** The daemon's state folder. */
  readonly folder: string;
  /** As soon as the daemon has stopped. */
  readonly goOnAs: (next: NextProgram) => void;
}

/** One for each daemon; without options it cannot be upgraded. */
export function createUpgrade(options?: UpgradeOptions): Module {
  let host: ModuleHost | undefined;
  let file: ProgramFile | undefined;
  let busy = false;

  function here(): {
    readonly host: ModuleHost;
    readonly options: UpgradeOptions;
    file: ProgramFile;
  } {
    if (host === undefined || options === undefined) {
      throw new CallError(
        "failed",
        "This daemon cannot be upgraded: it is part of another program",
      );
    }
    return { host, options, file: file ??= new ProgramFile(host.env) };
  }

  /** One after the other; two would write the same file. */
  async function alone<T>(run: () => Promise<T>): Promise<T> {
    if (busy) throw new CallError("busy", "Another upgrade of this node is under way");
    busy = true;
    try {
      return await run();
    } finally {
      busy = false;
    }
  }

  return {
    name: "upgrade",
    verbs: {
      put: verb({
        action: "guarded",
        args: PutSchema,
        reply: PutReplySchema,
        // By its hash, which the user has signed.
        checksInput: true,
        handle: (program, { input, signal }) =>
          alone(async () => {
            const { file } = here();
            if (program.hash === await file.hash()) {
              for await (const _piece of input); // Those that come after us get theirs through us.
              return { version: VERSION, speaks: SPEAKS, same: true };
            }
            return { ...await file.take(program, input, signal), same: false };
          }),
      }),
      start: verb({
        action: "guarded",
        args: v.strictObject({ hash: HashSchema }),
        reply: StartedSchema,
        outcome: () => "goes on as another program",
        handle: ({ hash }) =>
          alone(async () => {
            const { host, options, file } = here();
            const nodes = await nodesUp(host);
            const marker = `${options.folder}/upgrade`;
            // First, since nobody would watch over a program that is exchanged without it.
            await host.env.files.write(marker, `${hash}\n`);
            const switched = await switchOrForget(file, { hash, marker, host });
            options.goOnAs({ ...switched, marker, nodes });
            host.log("info", `Goes on as program ${hash.slice(0, 16)}`);
            host.shutdown("upgrade to another program", { forGood: false });
            return { instance: host.instance };
          }),
      }),
      state: verb({
        action: "read",
        args: v.optional(v.strictObject({})),
        reply: StateSchema,
        handle: async () => {
          const { host, file } = here();
          return { hash: await file.hash(), version: VERSION, instance: host.instance };
        },
      }),
    },
    async start(given) {
      host = given;
      if (options === undefined) return;
      const { files } = given.env;
      const marker = `${options.folder}/upgrade`;
      if (await files.facts(marker) === undefined) return;
      const failed = (await files.readText(marker)).startsWith("failed");
      if (failed) given.log("error", "The new program did not come up: the old one is back");
      else given.log("info", `Is up again as version ${VERSION}`);
      await files.remove(marker);
    },
    stop: () => Promise.resolve(),
  };
}

/** The marker is gone when the program stays the one that it was. */
async function switchOrForget(
  file: ProgramFile,
  { hash, marker, host }: {
    readonly hash: string;
    readonly marker: string;
    readonly host: ModuleHost;
  },
): Promise<SwitchedProgram> {
  try {
    return await file.switchTo(hash);
  } catch (error) {
    await host.env.files.remove(marker);
    throw error;
  }
}

async function nodesUp(host: ModuleHost): Promise<NodeView[]> {
  const { nodes } = await readMeshView(host.module("mesh"));
  return nodes.filter(({ state, keyId }) => state === "up" && keyId !== host.self.keyId);
}
