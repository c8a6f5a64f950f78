/** A module whose verbs stream numbered items, out of a node and into it, as slowly as they are told. */

import * as v from "valibot";
import { type Module, type ModuleHost, verb } from "../../core/mod.ts";
import { numbered } from "../core/conduit/messages.ts";

export interface Stream {
  readonly id: string;
  readonly items: number;
  readonly bytes: number;
  /** Pause before each item. */
  readonly everyMs: number;
}

const StreamSchema = v.strictObject({
  id: v.string(),
  items: v.number(),
  bytes: v.number(),
  everyMs: v.number(),
});

/** `onTaken` is told each item that came in, by the stream's id. */
export function createTrafficProbe(onTaken: (id: string, item: Uint8Array) => void): Module {
  let host: ModuleHost | undefined;
  return {
    name: "traffic",
    verbs: {
      give: verb({
        action: "read",
        args: StreamSchema,
        reply: v.number(),
        async *handle({ items, bytes, everyMs }, { signal }) {
          for (let i = 0; i < items; i++) {
            await host?.env.clock.sleep(everyMs, { signal });
            yield numbered(bytes, i);
          }
          return items;
        },
      }),
      take: verb({
        action: "read",
        args: StreamSchema,
        reply: v.number(),
        async handle({ id }, { input }) {
          let count = 0;
          for await (const item of input) {
            onTaken(id, item as Uint8Array);
            count++;
          }
          return count;
        },
      }),
    },
    start: (given) => {
      host = given;
      return Promise.resolve();
    },
    stop: () => Promise.resolve(),
  };
}
