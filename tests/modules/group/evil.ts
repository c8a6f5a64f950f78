/** A group module that lies: for tests of what a relay can and cannot do. */

import type { Module } from "../../../core/mod.ts";
import { createGroup } from "../../../modules/group/mod.ts";
import type { RelayArgs } from "../../../modules/group/work.ts";

/** A group module whose relay changes what it passes on, or what it says. */
export function evil(change: (args: RelayArgs) => RelayArgs, answer?: () => unknown): Module {
  const module = createGroup();
  const { call, relay } = module.verbs as Record<string, Module["verbs"][string]>;
  const handle: Module["verbs"][string]["handle"] = (args, context) =>
    answer === undefined ? relay?.handle(change(args as RelayArgs), context) : answer();
  return { ...module, verbs: { call, relay: { ...relay, handle } } as Module["verbs"] };
}
