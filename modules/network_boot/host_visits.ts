/**
 * One script on each of many hosts, a window of them at a time: over ssh, or on this machine for
 * hosts of the launcher "local". What recon and wipe have in common.
 */

import { errorText } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import type { MeshBoot, MeshHost } from "../shared/mesh_file.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { inWindow } from "../shared/window.ts";
import { HostError } from "./host_error.ts";
import { LineProcess } from "./line_process.ts";
import { answerOf, type AnswerOptions, runScript } from "./ssh.ts";

/** What came back from one host. */
export type Visit =
  & {
    readonly host: MeshHost;
    /** Unix ms by our clock. */
    readonly asked: { readonly from: number; readonly to: number };
  }
  & (
    | { readonly lines: readonly string[]; readonly error?: never }
    | { readonly error: HostError; readonly lines?: never }
  );

/** Options of {@link visitHosts}. */
export interface VisitOptions {
  readonly boot: MeshBoot;
  /** For all of one host. */
  readonly timeoutMs: number;
  readonly script: (host: MeshHost) => string;
  /** What is being done, for the progress line: "Looking at". */
  readonly doing: string;
}

/** In the order of the hosts. Rejects only when it is interrupted. */
export async function visitHosts(
  context: CommandContext,
  hosts: readonly MeshHost[],
  options: VisitOptions,
): Promise<Visit[]> {
  const { out, env, signal } = context;
  const waiting = new Set(hosts.map(({ name }) => name));
  const show = () => {
    const done = hosts.length - waiting.size;
    const left = waiting.size === 0 ? "" : `, waiting for ${foldNodeset([...waiting])}`;
    out.progress(`${options.doing} ${hosts.length} hosts: ${done} done${left}`);
  };
  show();
  try {
    return await inWindow(hosts, options.boot.window, async (host) => {
      signal.throwIfAborted();
      const from = env.clock.now();
      const answer = await visit(context, host, options);
      waiting.delete(host.name);
      show();
      return { host, asked: { from, to: env.clock.now() }, ...answer };
    });
  } finally {
    out.progress(undefined);
  }
}

async function visit(
  { env, signal }: CommandContext,
  host: MeshHost,
  options: VisitOptions,
): Promise<{ lines: readonly string[] } | { error: HostError }> {
  const { boot, timeoutMs } = options;
  const script = options.script(host);
  try {
    if (host.launcher === "local") {
      return { lines: await runHere(env, { script, timeoutMs, signal }) };
    }
    const { connectTimeoutMs, strictHostKey } = boot;
    const ssh = { connectTimeoutMs, strictHostKey, script, timeoutMs, signal };
    return { lines: await runScript(env, host, ssh) };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HostError) return { error };
    return { error: new HostError("script", errorText(error), { cause: error }) };
  }
}

async function runHere(
  env: CommandContext["env"],
  options: AnswerOptions & { readonly script: string },
): Promise<readonly string[]> {
  await using process = await LineProcess.start(env, { program: "/bin/sh", args: [] });
  await process.write(options.script);
  return await answerOf(env, process, options);
}
