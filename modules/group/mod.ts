/**
 * The module "group": one or several verbs on many nodes, collated in a tree. Clients ask any daemon
 * by `group.call`; the daemons pass it on to each other by `group.relay`. Neither gives anybody
 * authority: the verbs inside are judged at their targets, guarded ones by the user's signature.
 * What a relay collates it sees and could alter; it cannot make a target do anything.
 */

import * as v from "valibot";
import { CallError, type Context, type Module, type ModuleHost, verb } from "../../core/mod.ts";
import { GroupCallSchema } from "../shared/group_request.ts";
import { GroupReplySchema } from "../shared/group_result.ts";
import { MeshFollower } from "../shared/mesh_follower.ts";
import { UnheardSchema } from "../shared/mesh_view.ts";
import { FirstView } from "./first_view.ts";
import { originate, type OriginStation } from "./origin.ts";
import { relay } from "./relay.ts";
import { Runs } from "./runs.ts";
import { RelaySchema } from "./work.ts";

const NAME = "group";

export function createGroup(): Module {
  let host: ModuleHost | undefined;
  let runs: Runs | undefined;
  let mesh: MeshFollower | undefined;
  let firstView: FirstView | undefined;

  async function station(): Promise<OriginStation> {
    if (!host || !mesh || !runs || !firstView) {
      throw new CallError("busy", "The group module has not started yet");
    }
    const { env, links, self, module } = host;
    const { clock } = env;
    const picture = await mesh.picture;
    const settled = (signal: AbortSignal) => module("mesh").request("mesh.settled", {}, { signal });
    const unheard = async (names: readonly string[], signal: AbortSignal) =>
      v.parse(UnheardSchema, await module("mesh").request("mesh.unheard", { names }, { signal }));
    const selfName = self.name;
    return { env, clock, links, picture, runs, firstView, settled, unheard, selfName };
  }

  return {
    name: NAME,
    verbs: {
      call: verb({
        action: "read",
        args: GroupCallSchema,
        reply: GroupReplySchema,
        async *handle(args, context) {
          refuseNested(context);
          return yield* originate(await station(), args, context);
        },
      }),
      relay: verb({
        action: "link",
        args: RelaySchema,
        reply: v.unknown(),
        async *handle(args, context) {
          return yield* relay(await station(), args, context);
        },
      }),
    },
    start(given) {
      host = given;
      runs = new Runs({
        clock: given.env.clock,
        core: given.module("core"),
        selfName: given.self.name,
      });
      const view = new FirstView(given.env.clock);
      firstView = view;
      mesh = new MeshFollower(given.module("mesh"), {
        onChange: () => view.changed(),
        onEnd: (why) => {
          // In an orderly shutdown the stream ends before we are stopped.
          if (given.stopping.aborted) return;
          given.log("error", `Cannot follow the mesh any more: ${why}`);
        },
      });
      return Promise.resolve();
    },
    async stop() {
      await mesh?.stop();
    },
  };
}

/** A group operation as a step of one would run on every target for every target. */
function refuseNested({ peer }: Pick<Context, "peer">): void {
  if (peer.kind !== "internal" || peer.module !== NAME) return;
  throw new CallError("invalid", "A group operation cannot be a step of another one");
}
