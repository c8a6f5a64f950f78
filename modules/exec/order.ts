/**
 * What a user signs: the arguments of the exec verbs, and what they answer. Nothing in an order is
 * left to a node or a relay to decide but what the policy leaves open.
 */

import * as v from "valibot";
import { isName } from "../../core/mod.ts";
import { NODESET_CHARACTERS_MAX } from "../shared/limits.ts";
import { sortedNames } from "../shared/names.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import {
  ARGV_CHARACTERS_MAX,
  ARGV_WORDS_MAX,
  COLLECT_BYTES_MAX,
  RUN_MS_MAX,
  VARIABLES_MAX,
  WORD_CHARACTERS_MAX,
} from "./limits.ts";

/** The kernel ends words, names and paths at a NUL. */
const Word = v.pipe(
  v.string(),
  v.maxLength(WORD_CHARACTERS_MAX),
  v.check((text) => !text.includes("\0"), "A NUL cannot be passed to a program"),
);
const VariableName = v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]{0,255}$/));
const Milliseconds = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(RUN_MS_MAX));
const Bytes = v.custom<Uint8Array>((bytes) => bytes instanceof Uint8Array, "No bytes");

/** The program and its arguments. */
const ArgvSchema = v.pipe(
  v.array(Word),
  v.minLength(1),
  v.maxLength(ARGV_WORDS_MAX),
  v.check(([program]) => program !== "", "The name of the program is empty"),
  v.check(
    (words) => words.reduce((sum, word) => sum + word.length + 1, 0) <= ARGV_CHARACTERS_MAX,
    `More than ${ARGV_CHARACTERS_MAX} characters of arguments`,
  ),
);

/** A run's name, by which signals find it: 128 random bits as hex, made by who orders it. */
const RunIdSchema = v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, "Not 32 hex digits"));

/** Signals that may be sent; the runtime knows no others by name. */
const SIGNALS = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGTERM",
  "SIGCONT",
  "SIGSTOP",
  "SIGTSTP",
  "SIGWINCH",
  "SIGKILL",
] as const;
export type SignalName = typeof SIGNALS[number];
/** By its full name. */
const SignalSchema = v.picklist(SIGNALS);

/** For a person who mistyped one: "HUP, INT, …". */
export const SIGNALS_TEXT = SIGNALS.map((name) => name.slice("SIG".length)).join(", ");

/** "9", "INT", "sigint": by number or name. Undefined for none of those that may be sent. */
export function signalNamed(text: string): SignalName | undefined {
  const numbers: Readonly<Record<string, SignalName>> = {
    1: "SIGHUP",
    2: "SIGINT",
    3: "SIGQUIT",
    9: "SIGKILL",
    10: "SIGUSR1",
    12: "SIGUSR2",
    14: "SIGALRM",
    15: "SIGTERM",
    18: "SIGCONT",
    19: "SIGSTOP",
  };
  const name = text.toUpperCase();
  return numbers[name] ?? SIGNALS.find((each) => each === name || each === `SIG${name}`);
}

const Cells = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(10_000));
/** Rows and columns, as an item of input too: the user's window has changed. */
export const WindowSchema = v.strictObject({ rows: Cells, columns: Cells });
/** A terminal to run on. */
const TerminalSchema = v.strictObject({
  ...WindowSchema.entries,
  /** For TERM. */
  kind: v.pipe(v.string(), v.regex(/^[A-Za-z0-9._+-]{1,64}$/, "Not a kind of terminal")),
});
export type TerminalSize = v.InferOutput<typeof TerminalSchema>;

/** For ranks: all that are meant, so that a rank says the same whoever of them is there. */
export function nodesetOf(
  { nodes, missing = [] }: {
    readonly nodes: readonly string[];
    readonly missing?: readonly { readonly name: string }[] | undefined;
  },
): string {
  return foldNodeset(sortedNames([...nodes, ...missing.map(({ name }) => name)]));
}

/** Arguments of `exec.run`. */
export const RunOrderSchema = v.strictObject({
  run: RunIdSchema,
  argv: ArgvSchema,
  /** All nodes that shall run it, folded: for ranks. @default the node alone */
  nodeset: v.optional(v.pipe(v.string(), v.maxLength(NODESET_CHARACTERS_MAX))),
  /** Set in addition to the user's own. */
  variables: v.optional(
    v.pipe(v.array(v.tuple([VariableName, Word])), v.maxLength(VARIABLES_MAX)),
    [],
  ),
  /** Absolute, or below the user's home. @default the home */
  folder: v.optional(v.pipe(Word, v.minLength(1))),
  umask: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0o777))),
  /** After it the program is asked to end. @default none */
  timeoutMs: v.optional(Milliseconds),
  /** From asking to killing. */
  killAfterMs: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(RUN_MS_MAX))),
  /**
   * What the program reads: `bound`, items of bytes in a session of the user's own; `hashed`, items
   * whose hashes the user has signed, whoever brings them (see modules/shared/signed_input.ts). @default nothing
   */
  stdin: v.optional(v.picklist(["bound", "hashed"])),
  /** Run it on a terminal, in a session: its input is bytes and, now and then, a window's size. */
  terminal: v.optional(TerminalSchema),
  /** Keep this much of each of stdout and stderr for the reply, instead of streaming. */
  collectBytes: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(COLLECT_BYTES_MAX)),
  ),
});
export type RunOrder = v.InferOutput<typeof RunOrderSchema>;
export type RunOrderInput = v.InferInput<typeof RunOrderSchema>;

/** What became of a program. Nothing in it differs between nodes on which the same happened. */
export const RunEndSchema = v.object({
  /** As a shell would say it: 128 + N for signal N, 126 and 127 for what could not be started. */
  code: v.number(),
  /** Its name. */
  signal: v.optional(v.string()),
  /** It was ended because its time was over. */
  timedOut: v.optional(v.literal(true)),
  /** Why it could not be started. */
  error: v.optional(v.string()),
  /** Collected output. */
  stdout: v.optional(Bytes),
  stderr: v.optional(Bytes),
  /** Bytes of both that were more than should be collected. */
  cutBytes: v.optional(v.number()),
});
export type RunEnd = Readonly<v.InferOutput<typeof RunEndSchema>>;

/** Arguments of `exec.signal`: to a run that the same user has ordered. */
export const SignalOrderSchema = v.strictObject({
  run: RunIdSchema,
  signal: SignalSchema,
  /** Of the run: who may start certain commands only may also end them. */
  argv: ArgvSchema,
});
/** Whether the run was there to get it. */
export const SignalReplySchema = v.object({ sent: v.boolean() });

/** Of what a node has answered to a signal. */
export function gotSignal(value: unknown): boolean {
  const parsed = v.safeParse(SignalReplySchema, value, { abortEarly: true });
  return parsed.success && parsed.output.sent;
}

/** A job's name: one user has one of it on a node. */
const JobName = v.pipe(v.string(), v.check(isName, "Not a name of lower case letters and digits"));

/** Arguments of `exec.start`. */
export const JobOrderSchema = v.strictObject({
  ...v.omit(RunOrderSchema, ["stdin", "collectBytes", "terminal"]).entries,
  job: JobName,
});
export type JobOrder = v.InferOutput<typeof JobOrderSchema>;

/** What `exec.start` answers: the end, if it could not be started. */
export const JobStartedSchema = v.object({ end: v.optional(RunEndSchema) });

/** Arguments of `exec.wait`, `exec.logs` and `exec.kill`. */
export const JobSchema = v.strictObject({ job: JobName });
/** With `follow` until the job ends. */
export const LogsOrderSchema = v.strictObject({ job: JobName, follow: v.boolean() });
/** To all processes of the job. */
export const KillOrderSchema = v.strictObject({ job: JobName, signal: SignalSchema });

/** Whether there is such a job, and how it ended if it has. */
export const JobEndSchema = v.object({
  found: v.boolean(),
  end: v.optional(RunEndSchema),
  /** Output that was no longer kept when it was read. */
  cutBytes: v.optional(v.number()),
  /** All nodes that were to run it, folded, as its user has signed it. */
  nodeset: v.optional(v.string()),
});
export type JobEnd = Readonly<v.InferOutput<typeof JobEndSchema>>;

/** One of the jobs that `exec.jobs` lists. */
export const JobViewSchema = v.object({
  job: v.string(),
  /** Of which it is part, on all of its nodes; older daemons do not say. */
  run: v.optional(v.string()),
  argv: v.array(v.string()),
  /** Unix ms by the node's clock. */
  startedMs: v.number(),
  endedMs: v.optional(v.number()),
  /** Of output so far. */
  bytes: v.number(),
  end: v.optional(RunEndSchema),
});
export type JobView = Readonly<v.InferOutput<typeof JobViewSchema>>;
