/** The programs of one daemon, without the daemon: who may do what is the core's business. */

import { createRealEnvironment } from "../../../core/environment/real.ts";
import {
  type Context,
  type Environment,
  type ModuleHost,
  type Principal,
  type Self,
  verifyForModule,
} from "../../../core/mod.ts";
import type { RunEnd, RunOrder } from "../../../modules/exec/order.ts";
import { type Chunk, STDERR, STDOUT } from "../../../modules/exec/program.ts";
import { Programs } from "../../../modules/exec/programs.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

export interface Ran {
  readonly end: RunEnd;
  readonly stdout: string;
  readonly stderr: string;
}

export interface OrderOptions extends Partial<RunOrder> {
  readonly principal?: Partial<Extract<Principal, { kind: "signed" }>>;
  readonly signal?: AbortSignal;
  readonly input?: AsyncIterable<unknown>;
  readonly bound?: boolean;
}

export interface Scene extends AsyncDisposable {
  readonly env: Environment;
  readonly programs: Programs;
  readonly user: Self;
  /** Aborted: the daemon shuts down. */
  readonly stopping: AbortController;
  context(options?: OrderOptions): Context;
  order(argv: readonly string[], options?: OrderOptions): RunOrder;
  stream(argv: readonly string[], options?: OrderOptions): AsyncGenerator<Chunk, RunEnd, void>;
  /** Runs it to its end. */
  run(argv: readonly string[], options?: OrderOptions): Promise<Ran>;
  sh(line: string, options?: OrderOptions): Promise<Ran>;
}

export const RUN_ID = "5a".repeat(16);

export async function makeScene(given: Partial<Environment> = {}): Promise<Scene> {
  const env = { ...createRealEnvironment(), ...given };
  const primitives = await testPrimitives();
  const keys = new MeshKeys(primitives, { random: env.random, now: () => env.clock.now() });
  const user = keys.person({ name: "alice", type: "user" });
  const stopping = new AbortController();
  const host = {
    env,
    self: keys.person({ name: "n2" }).identity,
    stopping: stopping.signal,
    log: () => {},
    verify: (domain, signed) => verifyForModule(primitives, { domain, ...signed }),
  } satisfies Pick<ModuleHost, "env" | "log" | "self" | "stopping" | "verify">;
  const programs = new Programs(host);
  let runs = 0;
  const scene: Scene = {
    env,
    programs,
    user,
    stopping,
    context: (options = {}) => ({
      principal: {
        kind: "signed",
        identity: user.identity,
        requestId: "00".repeat(16),
        as: userName(),
        rule: "allow[0]",
        maxProcesses: undefined,
        commandsOnly: false,
        ...options.principal,
      },
      peer: { kind: "internal", module: "group" },
      signal: options.signal ?? new AbortController().signal,
      deadlineMs: 0,
      bound: options.bound ?? false,
      input: options.input ?? (async function* () {})(),
    }),
    order: (argv, { principal: _p, signal: _s, input: _i, bound: _b, ...more } = {}) => ({
      run: (++runs).toString(16).padStart(32, "0"),
      argv: [...argv],
      variables: [],
      ...more,
    }),
    stream: (argv, options) => programs.run(scene.order(argv, options), scene.context(options)),
    async run(argv, options) {
      const output = scene.stream(argv, options);
      const parts = { [STDOUT]: [] as Uint8Array[], [STDERR]: [] as Uint8Array[] };
      for (;;) {
        const { done, value } = await output.next();
        if (!done) parts[value[0]].push(value[1]);
        else return { end: value, stdout: textOf(parts[STDOUT]), stderr: textOf(parts[STDERR]) };
      }
    },
    sh: (line, options) => scene.run(["/bin/sh", "-c", line], options),
    [Symbol.asyncDispose]: () => programs.stop(),
  };
  return scene;
}

function textOf(parts: readonly Uint8Array[]): string {
  const decoder = new TextDecoder();
  return parts.map((part) => decoder.decode(part, { stream: true })).join("") + decoder.decode();
}

/** Who runs the tests. */
export function userName(): string {
  const uid = String(Deno.uid());
  const line = Deno.readTextFileSync("/etc/passwd").split("\n").find((each) =>
    each.split(":")[2] === uid
  );
  return line?.split(":")[0] as string;
}

/** Whether a process is there and has not ended. */
export function lives(pid: number): boolean {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
