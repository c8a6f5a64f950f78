/**
 * The module "uptime": facts about this host and this daemon. It is also the template for a module
 * of your own: a name, a table of verbs with schemas and an action class, start and stop. A verb of
 * class read needs nothing more to be asked of all nodes at once: `minime call uptime.get`.
 */

import * as v from "valibot";
import { type Caller, type Module, type ModuleHost, verb, VERSION } from "../../core/mod.ts";
import { coarseUptime, UptimeSchema } from "./uptime.ts";

const StatsSchema = v.object({ upMs: v.number(), links: v.number(), served: v.number() });

export function createUptime(): Module {
  let host: ModuleHost;
  let core: Caller;

  return {
    name: "uptime",
    verbs: {
      get: verb({
        action: "read",
        args: v.optional(v.strictObject({ coarse: v.optional(v.boolean()) })),
        reply: UptimeSchema,
        async handle(args) {
          const { name, cores, booted, load, memory, users, process } = await host.env.host();
          const stats = v.parse(StatsSchema, await core.request("core.stats"));
          const { upMs, links, served: messages } = stats;
          const { residentBytes, cpuMs } = process;
          const facts = {
            host: name,
            bootedMs: booted,
            upMs: host.env.clock.now() - booted,
            load: [...load] as [number, number, number],
            cores,
            memory,
            users: users ?? null,
            daemon: { version: VERSION, upMs, links, messages, residentBytes, cpuMs },
          };
          return args?.coarse ? coarseUptime(facts) : facts;
        },
      }),
    },
    start(given) {
      host = given;
      core = given.module("core");
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
}
