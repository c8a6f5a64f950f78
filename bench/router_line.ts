/**
 * A line of daemons for the benchmarks of the router: each a process of its own that is linked to the
 * next one, so that the way to the fifth has three relays. Started without arguments by
 * bench/router.ts, which is the first of the line itself; with a number, is that one, prints its
 * endpoint, dials the endpoint that its stdin names, and serves until its stdin ends.
 */

import * as v from "valibot";
import { createRealEnvironment } from "../core/environment/real.ts";
import {
  choosePrimitives,
  type Environment,
  Minimed,
  type Module,
  type ModuleHost,
  verb,
} from "../core/mod.ts";
import { createRouter } from "../modules/router/mod.ts";
import { Router } from "../modules/router/router.ts";
import type { MeshView, NodeView } from "../modules/shared/mesh_view.ts";
import { SeededRandom } from "../tests/simulation/random.ts";
import { MeshKeys } from "../tests/support/mesh_keys.ts";

/** Of the whole line. */
export const LINE_NODES = 5;

export interface LineNode {
  readonly daemon: Minimed;
  readonly router: Router;
  readonly host: ModuleHost;
  readonly endpoint: string;
}

/** Every process draws the same keys from one seed. */
export async function startLineNode(place: number, env: Environment): Promise<LineNode> {
  const primitives = await choosePrimitives();
  const random = new SeededRandom("line of the bench");
  const keys = new MeshKeys(primitives, { random, now: () => env.clock.now() });
  const people = Array.from({ length: LINE_NODES }, (_, i) => keys.person({ name: nameOf(i) }));
  const self = people[place];
  if (self === undefined) throw new RangeError(`The line has no node ${place}`);
  const keyIds = people.map(({ identity }) => identity.keyId);
  let router: Router | undefined;
  let host: ModuleHost | undefined;
  const folder = await Deno.makeTempDir({ prefix: "minime-bench-line-" });
  const daemon = new Minimed({
    env,
    primitives,
    trust: keys.trust(),
    self: { ...self, instance: env.random.bytes(16) },
    modules: [
      fixedMesh(keyIds, place),
      createRouter((given) => {
        host = given;
        return router = new Router(given);
      }),
      benchVerbs(),
    ],
    listen: ["tcp:127.0.0.1:0"],
    auditFolder: folder,
    log: () => () => {},
  });
  await daemon.start();
  const [endpoint] = daemon.endpoints() as [string];
  return {
    daemon,
    router: router as unknown as Router,
    host: host as unknown as ModuleHost,
    endpoint,
  };
}

/** Name of a node of the line. */
export function nameOf(place: number): string {
  return `r${place}`;
}

/** Says for ever that each is linked to its neighbours, and that nobody can be dialled. */
function fixedMesh(keyIds: readonly string[], place: number): Module {
  const nodes = keyIds.map((keyId, i): NodeView => ({
    name: nameOf(i),
    keyId,
    groups: [],
    segment: nameOf(i),
    endpoints: [],
    state: "up",
    since: 0,
    version: "1",
    instance: "0".repeat(32),
    incarnation: 1,
    links: [keyIds[i - 1], keyIds[i + 1]].filter((one) => one !== undefined),
  }));
  const view: MeshView = { self: keyIds[place] as string, nodes };
  return {
    name: "mesh",
    verbs: {
      watch: verb({
        action: "internal",
        args: v.optional(v.strictObject({})),
        reply: v.strictObject({}),
        async *handle(_args, { signal }) {
          yield view;
          await new Promise((resolve) => signal.addEventListener("abort", resolve));
          return {};
        },
      }),
    },
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}

function benchVerbs(): Module {
  return {
    name: "bench",
    verbs: {
      echo: verb({
        action: "read",
        args: v.unknown(),
        reply: v.unknown(),
        handle: (args) => args,
      }),
      swallow: verb({
        action: "read",
        args: v.unknown(),
        reply: v.number(),
        async handle(_args, { input }) {
          let bytes = 0;
          for await (const item of input) bytes += (item as Uint8Array).length;
          return bytes;
        },
      }),
    },
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}

if (import.meta.main) {
  const place = Number(Deno.args[0]);
  const { endpoint, host } = await startLineNode(place, createRealEnvironment());
  Deno.stdout.writeSync(new TextEncoder().encode(`${endpoint}\n`));
  const buffer = new Uint8Array(1_024);
  const length = await Deno.stdin.read(buffer);
  const next = new TextDecoder().decode(buffer.subarray(0, length ?? 0)).trim();
  if (next !== "") await host.links.dial(next);
  Deno.stdout.writeSync(new TextEncoder().encode("linked\n"));
  // However the bench ends, its end of our stdin closes.
  while (await Deno.stdin.read(buffer) !== null);
  Deno.exit(0);
}
