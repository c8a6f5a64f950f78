/** Daemons of this user on this machine, reached by their unix sockets: no key and no home are needed. */

import * as v from "valibot";
import {
  CallError,
  Calls,
  ConnectionError,
  type Environment,
  errorText,
  FirstSignal,
  isName,
  UnixFront,
  UsageError,
} from "../../core/mod.ts";
import type { Output } from "./output.ts";
import { livingProcess } from "./pid_file.ts";
import { readPrivateFile } from "./private_folder.ts";
import { findSocket, type LocalNode, localNodes, stateRoots } from "./state_folder.ts";

/** A frozen daemon accepts a connection and never answers. */
const LOCAL_ANSWER_MS_MAX = 1_000;
/** Who has not answered after this long is not waited for alone: a healthy one answers in a tenth of it. */
const HEAD_START_MS = 100;

/** What reaching one takes. */
export interface LocalNeeds {
  readonly env: Pick<Environment, "clock" | "files" | "network" | "processes">;
  readonly out: Pick<Output, "detail">;
  readonly signal: AbortSignal;
}

/** A connection to a daemon of this machine. The caller closes it. */
export interface LocalDaemon {
  readonly calls: Calls;
  readonly name: string;
  readonly endpoint: string;
  /** What of the protocol it knows that came to it later, see REVISION. */
  readonly revision: number;
}

/** Older daemons say nothing of it. */
const PongSchema = v.object({ revision: v.optional(v.number(), 0) });

/**
 * Those that answer, one after the other; with `node` only the one of that name. While nobody answers
 * ever more are asked beside those that were: many frozen ones cost hardly more time than one.
 */
export async function* localDaemons(
  needs: LocalNeeds,
  { mesh, node }: { readonly mesh: string; readonly node?: string | undefined },
): AsyncGenerator<LocalDaemon, void, void> {
  const all = await localNodes(needs.env, mesh);
  const unasked = all.filter(({ name }) => node === undefined || name === node);
  const enough = new AbortController();
  using either = new FirstSignal(needs.signal, enough.signal);
  const asked = new Set<Promise<Answer>>();
  const ask = (local: LocalNode) => {
    const answer: Promise<Answer> = reach({ ...needs, signal: either.signal }, local)
      .then((daemon) => ({ answer, daemon }));
    asked.add(answer);
  };
  let atOnce = 1;
  try {
    while (unasked.length + asked.size > 0) {
      unasked.splice(0, atOnce).forEach(ask);
      const next = await firstOf(needs.env, asked, unasked.length > 0);
      atOnce = next === undefined ? 2 * atOnce : 1;
      if (next === undefined) {
        needs.out.detail(`No answer from ${asked.size} of the daemons here yet: others are asked`);
        continue;
      }
      asked.delete(next.answer);
      if (next.daemon !== undefined) yield next.daemon;
    }
  } finally {
    enough.abort(new ConnectionError("closed", "Another daemon was faster"));
    for (const answer of await Promise.allSettled(asked)) {
      if (answer.status === "fulfilled") void answer.value.daemon?.calls.close("not needed");
    }
  }
}

/** What became of asking one. */
interface Answer {
  readonly answer: Promise<Answer>;
  /** Undefined: it does not answer. */
  readonly daemon: LocalDaemon | undefined;
}

/** Undefined when the head start is over before: only where somebody else could be asked. */
async function firstOf(
  { clock }: LocalNeeds["env"],
  asked: Iterable<Promise<Answer>>,
  isLimited: boolean,
): Promise<Answer | undefined> {
  const { promise: over, resolve } = Promise.withResolvers<undefined>();
  const timer = isLimited ? clock.after(HEAD_START_MS, () => resolve(undefined)) : undefined;
  try {
    return await Promise.race([...asked, over]);
  } finally {
    timer?.cancel();
  }
}

/** Names of the meshes that have a state folder here, whether anything runs or not. */
export async function localMeshes(
  env: Pick<Environment, "files" | "processes">,
): Promise<string[]> {
  const names = new Set<string>();
  for (const root of stateRoots(env)) {
    for (const name of (await env.files.list(root)).filter(isName)) names.add(name);
  }
  return [...names].sort();
}

/**
 * The mesh of which a daemon of this user runs here; of that name, where one is given. Undefined when
 * there is none. @throws UsageError when there are several
 */
export async function livingLocalMesh(
  env: LocalNeeds["env"],
  meshName: string | undefined,
): Promise<string | undefined> {
  const found: string[] = [];
  for (const mesh of meshName === undefined ? await localMeshes(env) : [meshName]) {
    const pids = (await localNodes(env, mesh)).map(({ paths }) => livingProcess(env, paths.pid));
    if ((await Promise.all(pids)).some((each) => each !== undefined)) found.push(mesh);
  }
  if (found.length <= 1) return found[0];
  throw new UsageError(`Daemons of several meshes run on this machine: ${found.join(", ")}`, {
    hint: `Say which: --mesh ${found[0]}`,
  });
}

/** One that lives and has to wait before it can run: it answers nobody yet. */
export interface WaitingLocalDaemon {
  readonly name: string;
  readonly mesh: string;
  readonly pid: number;
  /** In a line. */
  readonly what: string;
}

/** The one daemon that is meant: of that name, or the only one. @throws UsageError, ConnectionError */
export async function onlyLocalDaemon(
  needs: LocalNeeds & { readonly meshName: string | undefined },
  node: string | undefined,
): Promise<LocalDaemon> {
  const daemon = await onlyDaemon(needs, node);
  if ("calls" in daemon) return daemon;
  const { name, mesh, what } = daemon;
  throw new ConnectionError(
    "other",
    `The daemon "${name}" of this machine is not in mesh "${mesh}" yet: ${what}`,
  );
}

/** The same, and one that waits where none runs. */
export async function onlyDaemon(
  needs: LocalNeeds & { readonly meshName: string | undefined },
  node: string | undefined,
): Promise<LocalDaemon | WaitingLocalDaemon> {
  const { env, meshName } = needs;
  const meshes = meshName === undefined ? await localMeshes(env) : [meshName];
  const found: (LocalDaemon & { readonly mesh: string })[] = [];
  for (const mesh of meshes) {
    for await (const daemon of localDaemons(needs, { mesh, node })) found.push({ ...daemon, mesh });
  }
  const [first] = found;
  if (first !== undefined && found.length === 1) return first;
  for (const { calls } of found) void calls.close("client is done");
  const waiting = first === undefined ? await waitingDaemons(env, { meshes, node }) : [];
  const [waits] = waiting;
  if (waits !== undefined && waiting.length === 1) return waits;
  const one = first ?? waits;
  if (one === undefined) {
    const what = node === undefined ? "No daemon" : `No daemon "${node}"`;
    const where = meshName === undefined ? "" : ` in mesh "${meshName}"`;
    throw new ConnectionError(
      "other",
      `${what} that is yours answers on this machine${where}`,
    );
  }
  const names = [...found, ...waiting].map(({ name, mesh }) => `${name} of mesh "${mesh}"`)
    .join(", ");
  throw new UsageError(`Several daemons run on this machine: ${names}`, {
    hint: `Say which: --name ${one.name}, --mesh ${one.mesh}`,
  });
}

async function waitingDaemons(
  env: LocalNeeds["env"],
  { meshes, node }: { readonly meshes: readonly string[]; readonly node: string | undefined },
): Promise<WaitingLocalDaemon[]> {
  const found: WaitingLocalDaemon[] = [];
  for (const mesh of meshes) {
    for (const { name, paths } of await localNodes(env, mesh)) {
      if (node !== undefined && name !== node) continue;
      const process = await livingProcess(env, paths.pid);
      const text = process && await readPrivateFile(env, paths.waiting);
      if (process === undefined || text === undefined) continue;
      const what = new TextDecoder().decode(text).trim();
      found.push({ name, mesh, pid: process.pid, what });
    }
  }
  return found;
}

/** Throws CallError. */
function readPong(pong: unknown): v.InferOutput<typeof PongSchema> {
  const parsed = v.safeParse(PongSchema, pong, { abortEarly: true });
  if (parsed.success) return parsed.output;
  throw new CallError("failed", `Its answer is malformed: ${parsed.issues[0].message}`);
}

async function reach(
  { env, out, signal }: LocalNeeds,
  { name, paths }: LocalNode,
): Promise<LocalDaemon | undefined> {
  const socket = await findSocket(env, paths);
  if (socket === undefined) return undefined;
  const endpoint = `unix:${socket}`;
  const front = new UnixFront({ clock: env.clock, network: env.network, log: () => {} });
  let calls: Calls | undefined;
  try {
    const conduit = await front.dial(endpoint, { signal });
    calls = new Calls({ conduit, clock: env.clock, dialled: true });
    const pong = await calls.request("core.ping", {}, { deadlineMs: LOCAL_ANSWER_MS_MAX, signal });
    return { calls, name, endpoint, ...readPong(pong) };
  } catch (error) {
    void calls?.close("no answer");
    signal.throwIfAborted();
    out.detail(`Daemon "${name}" of this machine: ${errorText(error)}`);
    return undefined;
  }
}
