/**
 * The module "exec": runs programs of users. Its verbs are guarded: nobody may use them unless the
 * policy of the target allows that very user, and the program runs as the unix user that the policy
 * grants. Output streams up, or comes back with the reply; see order.ts.
 */

import { CallError, type Module, verb } from "../../core/mod.ts";
import {
  type RunEnd,
  RunEndSchema,
  RunOrderSchema,
  SignalOrderSchema,
  SignalReplySchema,
} from "./order.ts";
import { Programs } from "./programs.ts";

export function createExec(): Module {
  let running: Programs | undefined;

  function programs(): Programs {
    if (running !== undefined) return running;
    throw new CallError("busy", "The exec module has not started yet");
  }

  return {
    name: "exec",
    verbs: {
      run: verb({
        action: "guarded",
        args: RunOrderSchema,
        reply: RunEndSchema,
        checksInput: true,
        outcome: outcomeOf,
        handle: (order, context) => programs().run(order, context),
      }),
      signal: verb({
        action: "guarded",
        args: SignalOrderSchema,
        reply: SignalReplySchema,
        handle: (order, context) => ({ sent: programs().signal(order, context) }),
      }),
    },
    start(host) {
      running = new Programs(host);
      return Promise.resolve();
    },
    async stop() {
      await running?.stop();
    },
  };
}

function outcomeOf({ code, signal, timedOut, error }: RunEnd): string {
  if (error !== undefined) return `not started: ${error}`;
  const how = signal === undefined ? `exit ${code}` : `signal ${signal}`;
  return timedOut ? `${how}, out of time` : how;
}
