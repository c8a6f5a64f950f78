/**
 * The module "files": writes and reads files of users. Its verbs are guarded: nobody may use them unless
 * the policy of the target allows that very user, and the kernel judges what is done as the unix user
 * that the policy grants. Files go to many nodes through the tree; they are read in sessions only.
 */

import { CallError, type Module, verb } from "../../core/mod.ts";
import { Copies } from "./copies.ts";
import { ReadOrderSchema, WriteOrderSchema } from "./order.ts";
import { type Summary, SummarySchema } from "./summary.ts";
import { plural } from "../shared/plural.ts";

export function createFiles(): Module {
  let running: Copies | undefined;

  function here(): Copies {
    if (running !== undefined) return running;
    throw new CallError("busy", "The files module has not started yet");
  }

  return {
    name: "files",
    verbs: {
      write: verb({
        action: "guarded",
        args: WriteOrderSchema,
        reply: SummarySchema,
        checksInput: true,
        outcome: outcomeOf,
        handle: async function* (order, context) {
          return yield* here().write(order, context) as AsyncGenerator<unknown, Summary, void>;
        },
      }),
      read: verb({
        action: "guarded",
        args: ReadOrderSchema,
        reply: SummarySchema,
        outcome: outcomeOf,
        handle: async function* (order, context) {
          return yield* here().read(order, context) as AsyncGenerator<unknown, Summary, void>;
        },
      }),
    },
    start(host) {
      running = new Copies(host);
      return Promise.resolve();
    },
    async stop() {
      await running?.stop();
    },
  };
}

function outcomeOf({ files, bytes, same, problems }: Summary): string {
  return `${plural(files, "file")}, ${plural(bytes, "byte")}, ${same} the same, ${
    plural(problems, "problem")
  }`;
}
