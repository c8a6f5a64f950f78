/** A module whose verbs do what tests need: answer, fail, refuse, hang, count how often they ran. */

import * as v from "valibot";
import { CallError, type Module, NotFoundError, verb } from "../../../core/mod.ts";

export interface Probe {
  readonly module: Module;
  /** What ran, in order: the verb, and the text it was given. */
  readonly ran: readonly string[];
  /** Whether `hang` was told to stop. */
  readonly aborted: readonly unknown[];
  /** How many items `count` has streamed. */
  readonly counted: number;
  /** What `say` answers from now on. */
  answer: unknown;
  /** Lets everything that hangs or waits go on. */
  release(): void;
}

const TEXT = v.optional(v.strictObject({ text: v.string() }), { text: "" });

export function probe(): Probe {
  const ran: string[] = [];
  const aborted: unknown[] = [];
  const released = Promise.withResolvers<void>();
  const note = (verb: string, { text }: { text: string }) =>
    void ran.push(`${verb} ${text}`.trim());
  const own: { answer: unknown; counted: number } = { answer: "ok", counted: 0 };
  const module: Module = {
    name: "probe",
    verbs: {
      say: verb({
        action: "read",
        args: TEXT,
        reply: v.unknown(),
        handle: (args) => {
          note("say", args);
          return own.answer;
        },
      }),
      fail: verb({
        action: "read",
        args: TEXT,
        reply: v.unknown(),
        handle: (args) => {
          note("fail", args);
          throw new CallError("failed", "The disk is full");
        },
      }),
      throw: verb({
        action: "read",
        args: TEXT,
        reply: v.unknown(),
        handle: () => {
          throw new NotFoundError("There is no such file");
        },
      }),
      refuse: verb({
        action: "read",
        args: TEXT,
        reply: v.unknown(),
        handle: () => {
          throw new CallError("refused", "Not on a Sunday");
        },
      }),
      /** Answers when released; notices when nobody waits any more. */
      hang: verb({
        action: "read",
        args: TEXT,
        reply: v.unknown(),
        handle: async (args, { signal }) => {
          note("hang", args);
          const stopped = new Promise<void>((resolve) =>
            signal.addEventListener("abort", () => {
              aborted.push(signal.reason);
              resolve();
            })
          );
          await Promise.race([released.promise, stopped]);
          return own.answer;
        },
      }),
      /** Streams numbers for ever, or that many. */
      count: verb({
        action: "read",
        args: v.strictObject({ count: v.optional(v.number()), bytes: v.optional(v.number()) }),
        reply: v.number(),
        async *handle({ count = Infinity, bytes = 0 }, { signal }) {
          note("count", { text: "" });
          const more = new Uint8Array(bytes);
          for (let i = 0; i < count && !signal.aborted; i++) {
            own.counted = i + 1;
            yield [i, more];
            // As a program would, it gives others their turn.
            if (i % 16 === 0) await new Promise((resolve) => setTimeout(resolve, 0));
          }
          return own.counted;
        },
      }),
      /** Streams back what comes in; the reply is how many. */
      echo: verb({
        action: "read",
        args: TEXT,
        reply: v.number(),
        async *handle(args, { input }) {
          note("echo", args);
          let count = 0;
          for await (const item of input) {
            yield item;
            count++;
          }
          return count;
        },
      }),
      act: verb({
        action: "guarded",
        args: TEXT,
        reply: v.unknown(),
        handle: (args, { principal }) => {
          note("act", args);
          return { by: principal.kind === "signed" ? principal.identity.name : principal.kind };
        },
      }),
      "slow-act": verb({
        action: "guarded",
        args: TEXT,
        reply: v.unknown(),
        handle: async (args) => {
          note("slow-act", args);
          await released.promise;
          return own.answer;
        },
      }),
    },
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
  };
  return {
    module,
    ran,
    aborted,
    get counted() {
      return own.counted;
    },
    get answer() {
      return own.answer;
    },
    set answer(answer) {
      own.answer = answer;
    },
    release: () => released.resolve(),
  };
}
