/** Makes what a command gets: see CommandContext in modules/shared/command.ts. */

import { ConnectionError, type Environment, UsageError } from "../../core/mod.ts";
import type { CommandContext, ConnectOptions, MeshClient } from "../shared/command.ts";
import { livingLocalMesh } from "../shared/local_daemon.ts";
import { LENT_BYTES_MAX } from "../shared/limits.ts";
import { type MeshHome, MeshHomes } from "../shared/mesh_home.ts";
import type { Output } from "../shared/output.ts";
import type { StandardInput, Terminal } from "../shared/terminal.ts";

/** What a pipe holds by itself (pipe(7)). */
const CHUNK_BYTES_MAX = 64 * 1024;

/** What a client of a mesh needs to find and reach it. */
export interface ConnectNeeds {
  readonly env: Environment;
  readonly out: Output;
  readonly signal: AbortSignal;
  home(): Promise<MeshHome>;
  /** As `out.warn`, but once for each topic: a command may make a hundred connections. */
  warnOnce(topic: string, text: string): void;
}

/** What is asked of {@link Connect}. */
export interface ConnectRequest extends ConnectOptions {
  /** End in `node` and nowhere else; requests are bound to the connection. @default false */
  readonly session?: boolean;
}

/** Rejects with ConnectionError when no node can be reached. */
export type Connect = (needs: ConnectNeeds, options: ConnectRequest) => Promise<MeshClient>;

export interface ContextParts {
  readonly env: Environment;
  readonly out: Output;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  takeHangUp(run: () => void): Disposable;
  takeSignals: CommandContext["takeSignals"];
  readonly meshName: string | undefined;
  readonly connect: Connect;
}

export function createContext(parts: ContextParts): CommandContext {
  const { env, out, terminal, signal, meshName } = parts;
  const homes = new MeshHomes(env);
  let chosen: Promise<MeshHome> | undefined;
  const home = () => chosen ??= chooseHome(homes, parts);
  const warned = new Set<string>();
  const warnOnce = (topic: string, text: string) => {
    if (!warned.has(topic)) out.warn(text);
    warned.add(topic);
  };
  const connect = (options: ConnectRequest) => {
    const { mesh } = options;
    const named = async () => (await homes.choose(mesh)).home;
    const needs = { env, out, signal, warnOnce };
    return parts.connect({ ...needs, home: mesh === undefined ? home : named }, options);
  };
  return {
    env,
    out,
    signal,
    meshName,
    homes,
    home,
    stdin: standardInput(terminal, signal),
    isTerminal: terminal.stdoutIsTerminal,
    stderrIsTerminal: terminal.stderrIsTerminal,
    takeHangUp: (run) => parts.takeHangUp(run),
    takeSignals: (run, which) => parts.takeSignals(run, which),
    get stderrIsJournal() {
      return terminal.stderrIsJournal;
    },
    get columns() {
      return terminal.stdoutIsTerminal ? terminal.size()?.columns : undefined;
    },
    get rows() {
      return terminal.stdoutIsTerminal ? terminal.size()?.rows : undefined;
    },
    connect: (options = {}) => connect(options),
    session: (node, options = {}) => connect({ ...options, node, session: true }),
  };
}

async function chooseHome(
  homes: MeshHomes,
  { env, out, meshName }: Pick<ContextParts, "env" | "out" | "meshName">,
): Promise<MeshHome> {
  let choice: { readonly home: MeshHome; readonly others: number };
  try {
    choice = await homes.choose(meshName);
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    // On a node its daemon answers those who own it, whether they have certificates or not.
    const mesh = await livingLocalMesh(env, meshName);
    if (mesh === undefined) throw error;
    return homes.of(mesh);
  }
  const { home, others } = choice;
  if (others > 0) {
    out.note(`Mesh "${home.name}": made or booted last of ${others + 1}; another one: --mesh NAME`);
  }
  return home;
}

function standardInput(terminal: Terminal, signal: AbortSignal): StandardInput {
  let taken = false;
  const take = (isLent = false): AsyncGenerator<Uint8Array> => {
    if (taken) throw new UsageError("Stdin can be read only once: use - in one place");
    taken = true;
    return chunksUntil(signal, terminal, isLent);
  };
  return {
    isTerminal: terminal.stdinIsTerminal,
    raw() {
      terminal.setRaw(true);
      return { [Symbol.dispose]: () => terminal.setRaw(false) };
    },
    bytes: { [Symbol.asyncIterator]: () => take() },
    lent: { [Symbol.asyncIterator]: () => take(true) },
    async text() {
      const decoder = new TextDecoder();
      let text = "";
      for await (const chunk of take()) text += decoder.decode(chunk, { stream: true });
      return text + decoder.decode();
    },
  };
}

/**
 * Somebody who waits for stdin must notice ^C. A lent chunk lies in memory that the next one takes.
 *
 * @throws the signal's reason; FileError
 */
async function* chunksUntil(
  signal: AbortSignal,
  terminal: Pick<Terminal, "readStdin">,
  isLent: boolean,
): AsyncGenerator<Uint8Array> {
  let memory = new Uint8Array(isLent ? LENT_BYTES_MAX : CHUNK_BYTES_MAX);
  let stop = (_reason: unknown) => {};
  const onAbort = () => stop(signal.reason);
  signal.addEventListener("abort", onAbort);
  try {
    while (true) {
      signal.throwIfAborted();
      const count = await new Promise<number | null>((resolve, reject) => {
        // The read itself cannot be stopped; it ends with the process.
        stop = reject;
        terminal.readStdin(memory).then(resolve, reject);
      });
      if (count === null) return;
      const isSmall = count <= memory.length / 2;
      yield isLent || !isSmall ? memory.subarray(0, count) : memory.slice(0, count);
      if (!isLent && !isSmall) memory = new Uint8Array(CHUNK_BYTES_MAX);
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
