/** `minime __files`: what a daemon starts to copy on behalf of a user; see agent.ts. */

import * as v from "valibot";
import {
  ByteWriter,
  CallError,
  chooseSigning,
  type Clock,
  decodeValue,
  encodeCanonical,
  errorText,
  FileError,
  matchesPath,
  MinimeError,
  ProtocolError,
  type SigningPrimitives,
  type Timer,
} from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { FROM_AGENT } from "./agent.ts";
import { findDestination } from "./destination.ts";
import { framed, readFrames } from "./frames.ts";
import { Ground } from "./ground.ts";
import { joined } from "./names.ts";
import { type AgentOrder, AgentOrderSchema } from "./order.ts";
import { Problems } from "./problems.ts";
import { receiveFiles } from "./receiver.ts";
import { encodeNeed, type NeedRecord, readNeed } from "./records.ts";
import { sendFiles } from "./sender.ts";
import { TAKEN_MS } from "./limits.ts";
import type { Summary } from "./summary.ts";

/** Ends when the copy does. What went wrong is told to the daemon, and nobody else. */
export async function runFileAgent(context: CommandContext): Promise<void> {
  const { env, stdin, out } = context;
  env.processes.widenPipes();
  const frames = readFrames(stdin.lent, { lent: true });
  const first = await frames.next();
  if (first.done) throw new ProtocolError("There is no order");
  const order = v.parse(AgentOrderSchema, decodeValue(first.value));
  // Before it becomes somebody who may not read what they are made from.
  const primitives = await chooseSigning();
  using taken = new Taken(env.clock, (count) => {
    if (!order.taken) return;
    const number = new ByteWriter("Taken", 4).u32(count, "count").finish();
    out.write(framed(Uint8Array.of(FROM_AGENT.taken), number));
  });
  try {
    if (order.user !== undefined) env.processes.become(order.user);
    env.disk.exactModes();
    const copy = order.kind === "write"
      ? write(context, order, { primitives, input: untilEnd(frames, taken.add) })
      : read(context, order, { primitives, input: untilEnd(frames, taken.add) });
    for (;;) {
      const { done, value } = await copy.next();
      const kind = done ? FROM_AGENT.reply : FROM_AGENT.piece;
      out.write(framed(Uint8Array.of(kind), done ? encodeCanonical(value) : value));
      if (done) return;
      await out.ready();
    }
  } catch (error) {
    if (!(error instanceof MinimeError)) throw error;
    const kind = error instanceof CallError ? error.class : "failed";
    out.write(framed(Uint8Array.of(FROM_AGENT.error), encodeCanonical([kind, errorText(error)])));
  } finally {
    primitives[Symbol.dispose]();
  }
}

interface Needs {
  readonly primitives: SigningPrimitives;
  readonly input: AsyncGenerator<Uint8Array, void, void>;
}

async function* write(
  { env, signal }: CommandContext,
  order: Extract<AgentOrder, { kind: "write" }>,
  { primitives, input }: Needs,
): AsyncGenerator<Uint8Array, Summary, void> {
  const ground = new Ground(env.disk, { stands: true });
  const destination = findDestination(env.disk, order.path, order);
  checkPath(joined(destination.base, destination.rename ?? ""), order);
  const needs = receiveFiles(input, {
    ground,
    destination,
    key: order.key,
    uid: env.processes.uid,
    now: () => env.clock.now(),
    signal,
    startSha256: () => primitives.startSha256(),
  });
  for (;;) {
    const { done, value } = await needs.next();
    if (done) return value;
    yield encodeNeed(value);
  }
}

async function* read(
  { env }: CommandContext,
  order: Extract<AgentOrder, { kind: "read" }>,
  { primitives, input }: Needs,
): AsyncGenerator<Uint8Array, Summary, void> {
  const ground = new Ground(env.disk, { stands: true });
  const problems = new Problems();
  const startSha256 = () => primitives.startSha256();
  if (env.disk.followed(order.path) === undefined) {
    throw new CallError("failed", `There is no "${order.path}"`);
  }
  let bytes = 0;
  let files = 0;
  const pieces = sendFiles({
    ground,
    roots: [order],
    problems,
    check: (path) => checkPath(path, order),
    startSha256,
    ...(order.checksum ? { startSum: startSha256 } : {}),
    needs: (batch) => nextNeed(input, batch),
    onFile: () => void files++,
  });
  for await (const piece of pieces) {
    bytes += piece.length;
    yield piece;
  }
  const { count, shown, notes } = problems;
  return {
    ...{ files, bytes, same: 0, problems: count, shown: [...shown] },
    ...(notes.length > 0 ? { notes } : {}),
  };
}

async function nextNeed(
  input: AsyncGenerator<Uint8Array, void, void>,
  batch: number,
): Promise<NeedRecord[]> {
  const { done, value } = await input.next();
  if (done) throw new CallError("cancelled", "Nobody says which files are needed");
  const need = readNeed(decodeValue(value));
  if (need[1] !== batch) throw new ProtocolError("Needs are out of order");
  return [need];
}

/** Throws CallError "refused" when the path as it really is lies outside of what the rule allows. */
function checkPath(path: string, { paths, rule }: Pick<AgentOrder, "paths" | "rule">): void {
  if (paths === undefined || paths.some((pattern) => matchesPath(pattern, path))) return;
  throw new CallError("refused", `Rule ${rule} does not allow "${path}"`);
}

/** Counts what was done with, and tells it now and then. */
class Taken implements Disposable {
  readonly #clock: Pick<Clock, "after">;
  readonly #tell: (count: number) => void;
  #count = 0;
  #timer: Timer | undefined;

  constructor(clock: Pick<Clock, "after">, tell: (count: number) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  readonly add = (): void => {
    this.#count++;
    this.#timer ??= this.#clock.after(TAKEN_MS, () => {
      this.#timer = undefined;
      this.#tell(this.#count);
      this.#count = 0;
    });
  };

  [Symbol.dispose](): void {
    this.#timer?.cancel();
  }
}

/**
 * Whoever asks for the next one has done with the one before. Throws FileError when they break off: then
 * the daemon has died, or wants us to end.
 */
async function* untilEnd(
  frames: AsyncGenerator<Uint8Array, void, void>,
  onTaken: () => void,
): AsyncGenerator<Uint8Array, void, void> {
  for (;;) {
    onTaken();
    const { done, value } = await frames.next();
    if (done) throw new FileError("other", "The daemon has gone");
    if (value.length === 0) return;
    yield value;
  }
}
