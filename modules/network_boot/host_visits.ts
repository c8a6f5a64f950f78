/**
 * One script on each of many hosts, a window of them at a time: over ssh, or on this machine for
 * hosts of the launcher "local". What recon and wipe have in common.
 */

import { errorText } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import type { MeshFile, MeshHost } from "../shared/mesh_file.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { inWindow } from "../shared/window.ts";
import { HostError } from "./host_error.ts";
import { Jumps } from "./jumps.ts";
import { LineProcess } from "./line_process.ts";
import { answerOf, type AnswerOptions, runScript, type SshWay } from "./ssh.ts";
import { plural } from "../shared/plural.ts";

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
  /** Also the hosts on the way to others. */
  readonly mesh: Pick<MeshFile, "hosts" | "boot">;
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
    out.progress(`${options.doing} ${plural(hosts.length, "host")}: ${done} done${left}`);
  };
  show();
  const { boot } = options.mesh;
  await using jumps = new Jumps(env, { ...boot, hosts: options.mesh.hosts });
  try {
    return await inWindow(hosts, boot.window, async (host) => {
      signal.throwIfAborted();
      const from = env.clock.now();
      const answer = await visit(context, host, { ...options, jumps });
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
  options: VisitOptions & { readonly jumps: Jumps },
): Promise<{ lines: readonly string[] } | { error: HostError }> {
  const { mesh: { boot }, timeoutMs, jumps } = options;
  const script = options.script(host);
  try {
    if (host.launcher === "local") {
      return { lines: await runHere(env, { script, timeoutMs, signal }) };
    }
    const { connectTimeoutMs, strictHostKey } = boot;
    const ssh = { connectTimeoutMs, strictHostKey, script, timeoutMs, signal };
    const run = (way: SshWay) => runScript(env, host, { ...ssh, way });
    return { lines: await jumps.reach(host, signal, run) };
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
