/**
 * The client: reaches a mesh from wherever the user is. Through the daemon of this machine by its
 * unix socket if there is one, else by tcp to any living node of the mesh's home, nearest first; the
 * next one is tried when one has not answered soon, so dead nodes at the head of the list cost little.
 */

import {
  Calls,
  choosePrimitives,
  ConnectionError,
  encodeCanonical,
  errorText,
  MinimeError,
  type Primitives,
  type Self,
  signRequest,
  TcpFront,
  type Trust,
  UnixFront,
} from "../../core/mod.ts";
import type { ConnectOptions, MeshClient, SignOptions } from "../shared/command.ts";
import { loadUser } from "../shared/credentials.ts";
import type { KnownNode, MeshHome } from "../shared/mesh_home.ts";
import { findSocket, stateNodes, statePaths, stateRoot } from "../shared/state_folder.ts";
import type { ConnectNeeds } from "./context.ts";

/** How long to try, in all. */
const CONNECT_MS_MAX = 10_000;
/** A node that has not answered after this long is not waited for alone. */
const NEXT_NODE_MS = 250;
/** How long from now a signed request may be started. */
const START_MS_DEFAULT = 5_000;

/** A frozen daemon accepts a connection and never answers. */
const LOCAL_ANSWER_MS_MAX = 1_000;

interface Reached {
  readonly calls: Calls;
  readonly name: string;
  readonly endpoint: string;
}

/** Rejects with ConnectionError that says what was tried. */
export async function connect(
  needs: ConnectNeeds,
  options: ConnectOptions,
): Promise<MeshClient> {
  const home = await needs.home();
  const user = new User(needs, home);
  try {
    const reached = await reachLocal(needs, home, options.node) ??
      await reachRemote(needs, { home, user, options });
    const { clock, random } = needs.env;
    return new Client({ home, reached, user, clock, random });
  } catch (error) {
    user.dispose();
    throw error;
  }
}

/** The daemon of this machine, if one of this mesh runs here and is ours. */
async function reachLocal(
  needs: ConnectNeeds,
  home: MeshHome,
  wanted: string | undefined,
): Promise<Reached | undefined> {
  const { env } = needs;
  const root = stateRoot(env);
  const front = new UnixFront({ clock: env.clock, network: env.network, log: () => {} });
  for (const name of await stateNodes(env, root, home.name)) {
    if (wanted !== undefined && name !== wanted) continue;
    const socket = await findSocket(env, statePaths(root, home.name, name));
    if (socket === undefined) continue;
    const endpoint = `unix:${socket}`;
    let calls: Calls | undefined;
    try {
      const conduit = await front.dial(endpoint, { signal: needs.signal });
      calls = new Calls({ conduit, clock: env.clock, dialled: true });
      await calls.request("core.ping", {}, {
        deadlineMs: LOCAL_ANSWER_MS_MAX,
        signal: needs.signal,
      });
      return { calls, name, endpoint };
    } catch (error) {
      void calls?.close("no answer");
      needs.signal.throwIfAborted();
      needs.out.detail(`Daemon "${name}" of this machine: ${errorText(error)}`);
    }
  }
  return undefined;
}

async function reachRemote(
  needs: ConnectNeeds,
  parts: { readonly home: MeshHome; readonly user: User; readonly options: ConnectOptions },
): Promise<Reached> {
  const { home, user, options } = parts;
  const all = await home.nodes();
  const nodes = all.filter(({ name }) => options.node === undefined || name === options.node);
  if (nodes.length === 0) {
    const what = options.node === undefined ? "no node" : `no node "${options.node}"`;
    throw new ConnectionError("other", `Home of mesh "${home.name}" knows ${what}: boot it first`);
  }
  const front = await user.front();
  const reached = await race(needs, { front, nodes, options });
  const nearest = nodes.find(({ name }) => name === reached.name) as KnownNode;
  // Who asked for one node says nothing about which is nearest.
  if (options.node === undefined && all[0] !== nearest) {
    await home.storeNodes([nearest, ...all.filter((node) => node !== nearest)]);
  }
  return reached;
}

/** Dials one after the other, each with a head start; the first that answers wins. */
async function race(
  needs: ConnectNeeds,
  parts: {
    readonly front: TcpFront;
    readonly nodes: readonly KnownNode[];
    readonly options: ConnectOptions;
  },
): Promise<Reached> {
  const { clock } = needs.env;
  const timeoutMs = parts.options.timeoutMs ?? CONNECT_MS_MAX;
  const over = new AbortController();
  const stop = () => over.abort(needs.signal.reason);
  needs.signal.addEventListener("abort", stop);
  const timer = clock.after(timeoutMs, () => {
    over.abort(new ConnectionError("timeout", `No answer within ${timeoutMs} ms`));
  });
  const failures: string[] = [];
  const won = Promise.withResolvers<Reached>();
  let winner: Reached | undefined;
  const attempt = async (node: KnownNode): Promise<void> => {
    for (const endpoint of node.endpoints) {
      try {
        const conduit = await parts.front.dial(endpoint, {
          expect: { keyId: node.keyId },
          signal: over.signal,
        });
        if (winner !== undefined) return await conduit.close("another node was faster");
        winner = {
          calls: new Calls({ conduit, clock, dialled: true }),
          name: node.name,
          endpoint,
        };
        return won.resolve(winner);
      } catch (error) {
        if (winner !== undefined) return;
        failures.push(`${node.name} (${endpoint}): ${errorText(error)}`);
      }
    }
  };
  try {
    const attempts: Promise<void>[] = [];
    for (const node of parts.nodes) {
      const one = attempt(node);
      attempts.push(one);
      const { promise: patience, resolve } = Promise.withResolvers<void>();
      const headStart = clock.after(NEXT_NODE_MS, resolve);
      await Promise.race([one, won.promise, patience]);
      headStart.cancel();
      if (winner !== undefined || over.signal.aborted) break;
    }
    const none = Promise.all(attempts).then(() => undefined);
    const result = await Promise.race([won.promise, none]);
    needs.signal.throwIfAborted();
    if (result !== undefined) return result;
    throw unreachable(parts.nodes.length, failures);
  } finally {
    timer.cancel();
    needs.signal.removeEventListener("abort", stop);
    if (winner !== undefined) over.abort(new ConnectionError("closed", "Another node was faster"));
  }
}

function unreachable(count: number, failures: readonly string[]): ConnectionError {
  const shown = failures.slice(0, 4).join("; ");
  const more = failures.length > 4 ? `; and ${failures.length - 4} more` : "";
  return new ConnectionError(
    "other",
    `Cannot reach any of ${count} known nodes of the mesh: ${shown}${more}`,
  );
}

/** The user's keys, loaded when first needed: reading through the local daemon needs none. */
class User {
  readonly #needs: ConnectNeeds;
  readonly #home: MeshHome;
  #loaded: Promise<{ self: Self; trust: Trust; primitives: Primitives }> | undefined;
  #primitives: Primitives | undefined;

  constructor(needs: ConnectNeeds, home: MeshHome) {
    this.#needs = needs;
    this.#home = home;
  }

  load(): Promise<{ self: Self; trust: Trust; primitives: Primitives }> {
    this.#loaded ??= this.#load();
    return this.#loaded;
  }

  async front(): Promise<TcpFront> {
    const { env, out } = this.#needs;
    const { self, trust, primitives } = await this.load();
    const context = { clock: env.clock, random: env.random, primitives, trust, self };
    return new TcpFront({
      network: env.network,
      context: () => context,
      log: (_level, text) => out.detail(text),
    });
  }

  dispose(): void {
    this.#primitives?.[Symbol.dispose]();
    this.#primitives = undefined;
  }

  async #load(): Promise<{ self: Self; trust: Trust; primitives: Primitives }> {
    const { env } = this.#needs;
    const primitives = await choosePrimitives();
    this.#primitives = primitives;
    const needs = { primitives, random: env.random, now: env.clock.now() };
    return { ...await loadUser(this.#home, needs), primitives };
  }
}

class Client implements MeshClient {
  readonly meshName: string;
  readonly via: { readonly name: string; readonly endpoint: string };
  readonly request: MeshClient["request"];
  readonly stream: MeshClient["stream"];
  readonly #calls: Calls;
  readonly #user: User;
  readonly #clock: { now(): number };
  readonly #random: { bytes(length: number): Uint8Array };
  #closed: Promise<void> | undefined;

  constructor(
    parts: {
      readonly home: MeshHome;
      readonly reached: Reached;
      readonly user: User;
      readonly clock: { now(): number };
      readonly random: { bytes(length: number): Uint8Array };
    },
  ) {
    const { calls } = parts.reached;
    this.#calls = calls;
    this.meshName = parts.home.name;
    this.via = { name: parts.reached.name, endpoint: parts.reached.endpoint };
    this.#user = parts.user;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.request = (verb, args, options) => calls.request(verb, args, options);
    this.stream = (verb, args, options) => calls.stream(verb, args, options);
  }

  async sign(verb: string, args: unknown, options: SignOptions): Promise<Uint8Array> {
    const { self, trust, primitives } = await this.#user.load();
    if (options.targets.length === 0) {
      throw new MinimeError(`Request for "${verb}" has no targets`);
    }
    const issuedMs = Math.floor(this.#clock.now());
    return signRequest(primitives, {
      meshId: trust.meshId,
      requestId: this.#random.bytes(16),
      issuedMs,
      expiresMs: issuedMs + (options.ttlMs ?? START_MS_DEFAULT),
      targets: { kind: "names", names: options.targets },
      verb,
      as: options.as ?? "",
      arguments: args === undefined ? new Uint8Array(0) : encodeCanonical(args),
      seed: self.signSeed,
      chain: self.identity.chain,
    });
  }

  close(): Promise<void> {
    this.#closed ??= this.#calls.close("client is done").finally(() => this.#user.dispose());
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
