/**
 * The verb `group.call`: the daemon that a client asks is the origin of the operation. It freezes
 * the list of targets, sends again what got lost, and turns indices into names for the client. The
 * others know indices only.
 */

import { CallError, type Context, toHex, UsageError } from "../../core/mod.ts";
import type { Environment } from "../../core/mod.ts";
import type { GroupCall } from "../shared/group_request.ts";
import {
  type Failure,
  FAILURE_SETS,
  type FailureSet,
  type GroupPart,
  type GroupReply,
} from "../shared/group_result.ts";
import {
  GROUP_MS_DEFAULT,
  GROUP_NODE_BYTES_DEFAULT,
  GROUP_SLACK_MS,
  GROUP_START_MS_DEFAULT,
  GROUP_START_MS_MAX,
  GROUP_TARGETS_MAX,
} from "../shared/limits.ts";
import {
  type MeshPicture,
  type NodeView,
  type Unheard,
  unseenReason,
} from "../shared/mesh_view.ts";
import { foldNodeset, listNodeset, parseNodeset } from "../shared/nodeset.ts";
import { sourceOf } from "../shared/node_selection.ts";
import { sortedNames } from "../shared/names.ts";
import { didYouMean } from "../shared/suggest.ts";
import type { FirstView } from "./first_view.ts";
import {
  NAMES_EXPANDED_MAX,
  PICTURE_MS_MAX,
  PROGRESS_MS,
  UNKNOWN_NAMES_SHOWN_MAX,
} from "./limits.ts";
import type { Item } from "./items.ts";
import { Operation } from "./operation.ts";
import type { Detail, PartialBody } from "./partial.ts";
import { fromRanges } from "./ranges.ts";
import { passInput } from "./relay.ts";
import { createReducer, type FoldedAnswers, type Reducer } from "./reducers.ts";
import { Resender } from "./resender.ts";
import type { Station } from "./station.ts";
import type { Work } from "./work.ts";

const ID_BYTES = 16;

/** What an origin has besides. */
export interface OriginStation extends Station {
  readonly env: Environment;
  readonly firstView: FirstView;
  /** Resolves when all nodes are all of them, also where the daemon has just started. */
  readonly settled: (signal: AbortSignal) => Promise<unknown>;
  /** Which of these names no node has of which this daemon ever heard, and since when it listens. */
  readonly unheard: (names: readonly string[], signal: AbortSignal) => Promise<Unheard>;
}

export async function* originate(
  station: OriginStation,
  args: GroupCall,
  context: Pick<Context, "signal" | "deadlineMs" | "input" | "peer">,
): AsyncGenerator<GroupPart, GroupReply, void> {
  const { clock, picture } = station;
  const begunAt = clock.monotonic();
  const named = asksMesh(args.targets) ? undefined : namesIn(args.targets, []);
  if (named === undefined) await station.settled(context.signal);
  const absent = await absentOf(station, { named, expected: args.expected }, context);
  const names = await station.firstView.choose(
    () => freeze(named ?? namesThere(args.targets, picture), { picture, absent: absent.names }),
    { signal: context.signal, patienceMs: absent.isAhead ? PICTURE_MS_MAX : 0 },
  );
  const work = workOf(args, station.env, context);
  const targets = new Map(names.entries());
  const report = new Report(work, names);
  const resender: Resender = new Resender({
    clock,
    picture,
    targets,
    send: (some) => operation.send(some),
    fail: (indices, detail) => operation.fail(indices, detail),
  });
  const operation = new Operation(station, {
    work,
    targets,
    // What a young daemon waited above is part of it.
    deadlineMs: Math.max(1, Math.ceil(deadlineOf(args, context) - (clock.monotonic() - begunAt))),
    slackMs: GROUP_SLACK_MS,
    via: [],
    avoid: resender.avoid,
    partMs: args.progress ? PROGRESS_MS : undefined,
    mayHaveRan: resender.mayHaveRan,
    onLost: resender.lost,
  });
  const { signal } = context;
  const stop = () => operation.cancel();
  signal.addEventListener("abort", stop);
  let complete = false;
  try {
    signal.throwIfAborted();
    send(operation, { targets, absent, selfName: station.selfName });
    if (work.input) passInput(operation, context);
    const partials = operation.partials();
    for (;;) {
      const { done, value } = await partials.next();
      signal.throwIfAborted();
      const part = report.add(value);
      complete = done === true;
      if (done) return report.finish(part);
      yield part;
    }
  } finally {
    signal.removeEventListener("abort", stop);
    resender.stop();
    if (!complete) operation.cancel();
  }
}

/** To all but those that are not there. */
function send(
  operation: Operation,
  { targets, absent, selfName }: {
    readonly targets: ReadonlyMap<number, string>;
    readonly absent: Absent;
    readonly selfName: string;
  },
): void {
  if (absent.names.size === 0) return operation.send();
  const isAbsent = ([, name]: readonly [number, string]) => absent.names.has(name);
  const indices = [...targets].filter(isAbsent).map(([index]) => index);
  const reason = unseenReason(selfName);
  operation.fail(indices, { reason, ran: "never", since: absent.since });
  operation.send(new Map([...targets].filter((target) => !isAbsent(target))));
}

/** Who is meant depends on who is there: all, groups, patterns. */
function asksMesh(targets: string): boolean {
  return targets === "" || /[@*?]/.test(targets);
}

/** Of whom the caller expects: who is not there, which is no mistake. */
interface Absent {
  readonly names: ReadonlySet<string>;
  /** Unix ms. */
  readonly since: number;
  /** The mesh has just heard of others, which the picture will show soon. */
  readonly isAhead: boolean;
}

const NOBODY: Absent = { names: new Set(), since: 0, isAhead: false };

/** `named`: who is meant; undefined: that depends on who is there. */
async function absentOf(
  { picture, unheard }: OriginStation,
  { named, expected = "" }: {
    readonly named: readonly string[] | undefined;
    readonly expected: string | undefined;
  },
  { signal }: Pick<Context, "signal">,
): Promise<Absent> {
  const isUnknown = (name: string) => picture.byName(name) === undefined;
  if (named !== undefined && !named.some(isUnknown)) return NOBODY;
  const mayMiss = readNames(() => listNodeset(expected, { namesMax: GROUP_TARGETS_MAX }));
  const unknown = (named ?? mayMiss).filter(isUnknown).slice(0, GROUP_TARGETS_MAX);
  if (unknown.length === 0) return NOBODY;
  const answer = await unheard(unknown, signal);
  const isAhead = (answer.coming ?? []).length > 0;
  const nowhere = new Set(answer.names);
  const names = new Set(mayMiss.filter((name) => nowhere.has(name)));
  return { names, since: answer.since, isAhead };
}

/** Of those that are there; "" means all of them. Throws CallError "invalid". */
function namesThere(text: string, picture: MeshPicture): readonly string[] {
  const present = picture.nodes.filter(({ state }) => state !== "left");
  return text === "" ? sortedNames(present.map(({ name }) => name)) : namesIn(text, present);
}

function namesIn(text: string, nodes: readonly NodeView[]): readonly string[] {
  return readNames(() => parseNodeset(text, sourceOf(nodes), { namesMax: NAMES_EXPANDED_MAX }));
}

/** The list that all indices mean from now on. Throws CallError "invalid". */
function freeze(
  names: readonly string[],
  { picture, absent }: { readonly picture: MeshPicture; readonly absent: ReadonlySet<string> },
): readonly string[] {
  const unknown = names.filter((name) => picture.byName(name) === undefined && !absent.has(name));
  if (unknown.length > 0) throw unknownNames(unknown, picture);
  if (names.length === 0) throw new CallError("invalid", "No node is selected");
  if (names.length <= GROUP_TARGETS_MAX) return names;
  throw new CallError("invalid", `${names.length} nodes are more than ${GROUP_TARGETS_MAX}`);
}

/** What is wrong with a set is the caller's mistake. */
function readNames(read: () => readonly string[]): readonly string[] {
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError) throw new CallError("invalid", error.message);
    throw error;
  }
}

function unknownNames(unknown: readonly string[], picture: MeshPicture): CallError {
  const shown = foldNodeset(unknown.slice(0, UNKNOWN_NAMES_SHOWN_MAX));
  const hidden = unknown.length - UNKNOWN_NAMES_SHOWN_MAX;
  const more = hidden > 0 ? ` and ${hidden} more` : "";
  const known = picture.nodes.map(({ name }) => name);
  const hint = unknown.length === 1 ? didYouMean(unknown[0] as string, known) : "";
  return new CallError("invalid", `The mesh has no node "${shown}"${more}${hint}`, {
    detail: { unknown: unknown.slice(0, UNKNOWN_NAMES_SHOWN_MAX) },
  });
}

function workOf(
  args: GroupCall,
  { clock, random }: Environment,
  { peer }: Pick<Context, "peer">,
): Work {
  const now = clock.now();
  // Whoever comes from another machine goes by another clock.
  const offsetMs = "clockOffsetMs" in peer ? peer.clockOffsetMs : 0;
  const startBy = args.startBy === undefined
    ? now + GROUP_START_MS_DEFAULT
    : args.startBy - offsetMs;
  if (startBy > now + GROUP_START_MS_MAX) {
    const text = `Latest start is ${
      startBy - now
    } ms from now, ${GROUP_START_MS_MAX} ms is the most`;
    throw new CallError("invalid", text);
  }
  const { steps, signed, listed, reduce, stream, input } = args;
  return {
    id: args.id ?? toHex(random.bytes(ID_BYTES)),
    ...(steps === undefined ? {} : { steps }),
    ...(signed === undefined ? {} : { signed }),
    ...(listed === undefined ? {} : { listed }),
    ...(stream === true ? { stream } : {}),
    ...(input === true ? { input } : {}),
    reduce,
    startBy,
    bytesPerNodeMax: args.bytesPerNodeMax ?? GROUP_NODE_BYTES_DEFAULT,
  };
}

/** For the targets: early enough that their account reaches a caller who has a deadline of its own. */
function deadlineOf(args: GroupCall, context: Pick<Context, "deadlineMs">): number {
  const asked = args.deadlineMs ?? GROUP_MS_DEFAULT;
  if (context.deadlineMs === 0) return asked;
  const left = Math.max(context.deadlineMs - 2 * GROUP_SLACK_MS, context.deadlineMs / 2);
  return Math.max(1, Math.min(asked, Math.ceil(left)));
}

/** Turns partials into parts with names, and keeps the totals. */
class Report {
  readonly #work: Work;
  readonly #names: readonly string[];
  readonly #totals: Reducer;
  readonly #counts = { answered: 0, failed: 0, refused: 0, unreachable: 0, timedOut: 0 };
  /** The next place in the stream of each target. */
  readonly #places = new Map<number, number>();
  #firstError: { index: number; set: FailureSet; reason: string } | undefined;

  constructor(work: Work, names: readonly string[]) {
    this.#work = work;
    this.#names = names;
    this.#totals = createReducer(work.reduce);
  }

  add(body: PartialBody): GroupPart {
    const answered = fromRanges(body.answered ?? []);
    this.#counts.answered += answered.length;
    const account = { failed: [], refused: [], unreachable: [], timedOut: [] } as Record<
      FailureSet,
      Failure[]
    >;
    for (const set of FAILURE_SETS) {
      for (const [ranges, detail] of body[set] ?? []) {
        const indices = fromRanges(ranges);
        this.#counts[set] += indices.length;
        this.#noteError(set, indices[0] as number, detail.reason);
        account[set].push(publicFailure(this.#nodeset(indices), detail));
      }
    }
    return {
      account: { answered: this.#nodeset(answered), ...account },
      values: this.#values(body.state, answered),
      ...(body.items === undefined ? {} : { items: this.#items(body.items) }),
    };
  }

  /** What came again by another way is left out. */
  #items(items: readonly Item[]): [string, unknown, number][] {
    return items.flatMap(([index, place, value]) => {
      const next = this.#places.get(index) ?? 0;
      if (place < next) return [];
      this.#places.set(index, place + 1);
      return [[this.#names[index] as string, value, place - next]];
    });
  }

  finish(part: GroupPart): GroupReply {
    return {
      ...part,
      id: this.#work.id,
      targets: foldNodeset(this.#names),
      counts: { asked: this.#names.length, ...this.#counts },
      ...this.#reduced(),
    };
  }

  #values(state: unknown, answered: readonly number[]): [string, unknown][] {
    const { kind } = this.#work.reduce;
    if (kind !== "fold" && kind !== "list") {
      this.#totals.merge(state, answered);
      return [];
    }
    const folded = (state ?? []) as FoldedAnswers;
    if (kind === "fold") {
      return folded.map(([ranges, answer]) => [this.#nodeset(fromRanges(ranges)), answer]);
    }
    return folded
      .flatMap(([ranges, answer]) => fromRanges(ranges).map((index) => ({ index, answer })))
      .sort((a, b) => a.index - b.index)
      .map(({ index, answer }) => [this.#names[index] as string, answer]);
  }

  #reduced(): { reduced?: unknown } {
    if (this.#work.reduce.kind !== "first-error") {
      const reduced = this.#totals.result(this.#names);
      return reduced === undefined ? {} : { reduced };
    }
    const first = this.#firstError;
    if (first === undefined) return { reduced: null };
    return { reduced: { node: this.#names[first.index], set: first.set, reason: first.reason } };
  }

  #noteError(set: FailureSet, index: number, reason: string): void {
    if (this.#firstError !== undefined && this.#firstError.index <= index) return;
    this.#firstError = { index, set, reason };
  }

  #nodeset(indices: readonly number[]): string {
    return foldNodeset(indices.map((index) => this.#names[index] as string));
  }
}

function publicFailure(nodes: string, { reason, ran, at, since, step }: Detail): Failure {
  return {
    nodes,
    reason,
    ...(ran === undefined ? {} : { ran }),
    ...(at === undefined ? {} : { at }),
    ...(since === undefined ? {} : { since }),
    ...(step === undefined ? {} : { step }),
  };
}
