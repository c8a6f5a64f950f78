/**
 * The hooks module: runs a program of the administrator's choice when a node of the mesh joins,
 * leaves or fails. Each node runs its own, for all nodes but itself. A node that was booted over the
 * network has no mesh file, and then no hooks.
 */

import * as v from "valibot";
import { type Module, type ModuleHost, verb } from "../../core/mod.ts";
import type { MeshHooks } from "../shared/mesh_file.ts";
import { MeshFollower } from "../shared/mesh_follower.ts";
import { HOOK_EVENTS } from "../shared/mesh_file_schema.ts";
import { HOOK_NODES_WAITING_MAX, HOOK_SETTLE_MS, HOOKS_AT_ONCE_MAX } from "./limits.ts";
import { EventQueue } from "./event_queue.ts";
import { runHook } from "./hook_program.ts";
import { NodeEvents } from "./node_events.ts";

export interface HooksOptions {
  /** Name of the mesh. */
  readonly mesh: string;
  /** As in the mesh file. @default none, until some are set */
  readonly hooks?: MeshHooks;
}

const HooksSchema = v.strictObject({
  program: v.pipe(v.string(), v.startsWith("/")),
  events: v.pipe(v.array(v.picklist(HOOK_EVENTS)), v.readonly()),
  timeoutMs: v.pipe(v.number(), v.minValue(1)),
});

/** One for each daemon; without options it does nothing. */
export function createHooks(options?: HooksOptions): Module {
  let hooks = options?.hooks;
  let follower: MeshFollower | undefined;
  let queue: EventQueue | undefined;
  const stopping = new AbortController();

  async function follow(host: ModuleHost, mesh: string): Promise<void> {
    const { env, log, self } = host;
    const running = new EventQueue({
      clock: env.clock,
      settleMs: HOOK_SETTLE_MS,
      atOnceMax: HOOKS_AT_ONCE_MAX,
      waitingMax: HOOK_NODES_WAITING_MAX,
      run: async (event) => {
        if (hooks === undefined) return;
        await runHook(event, { env, log, mesh, self: self.name, hooks, signal: stopping.signal });
      },
      onDropped: ({ event, node }) => {
        log("warning", `Hook for ${event} of "${node.name}" is left out: too many wait`);
      },
    });
    queue = running;
    const events = new NodeEvents(self.keyId, (event) => {
      if (hooks?.events.includes(event.event)) running.push(event);
    });
    follower = new MeshFollower(host.module("mesh"), {
      onChange: (change) => events.apply(change),
      onEnd: (why) => {
        if (!host.stopping.aborted) log("error", `Cannot follow the mesh any more: ${why}`);
      },
    });
    events.apply({ changed: [...(await follower.picture).nodes], forgotten: [] });
  }

  return {
    name: "hooks",
    verbs: {
      /** What the mesh file says now; nothing: no hooks. */
      set: verb({
        action: "internal",
        args: v.strictObject({ hooks: v.optional(HooksSchema) }),
        reply: v.strictObject({}),
        handle: (given) => {
          hooks = given.hooks;
          return {};
        },
      }),
    },
    async start(host) {
      if (options !== undefined) await follow(host, options.mesh);
    },
    async stop() {
      // No event is told from here on: it is we who leave.
      await follower?.stop();
      stopping.abort();
      await queue?.close();
    },
  };
}
