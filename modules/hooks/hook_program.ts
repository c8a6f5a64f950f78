/**
 * Runs the administrator's program for one event: with an environment of its own, the event as JSON
 * on stdin, and an end. It runs in a process group of its own, which is killed as a whole.
 */

import { type Child, type Environment, errorText, type Log } from "../../core/mod.ts";
import type { MeshHooks } from "../shared/mesh_file.ts";
import { printable } from "../shared/text.ts";
import { requireTrusted } from "../shared/trusted_file.ts";
import { HOOK_GRACE_MS, HOOK_STDERR_CHARACTERS_MAX, HOOK_STDERR_MS_MAX } from "./limits.ts";
import type { NodeEvent } from "./node_event.ts";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface HookProgramOptions {
  readonly env: Pick<Environment, "clock" | "files" | "processes">;
  readonly log: Log;
  /** Name of the mesh. */
  readonly mesh: string;
  /** Name of this node. */
  readonly self: string;
  readonly hooks: MeshHooks;
  /** Ends it before its time. */
  readonly signal: AbortSignal;
}

/** Resolves when it has ended, however; what became of it is in the log. Never rejects. */
export async function runHook(
  { event, node }: NodeEvent,
  options: HookProgramOptions,
): Promise<void> {
  const { env, log, mesh, self, hooks } = options;
  const { clock, processes } = env;
  const what = `Hook for ${event} of "${node.name}"`;
  const begun = clock.monotonic();
  let child: Child;
  try {
    // Somebody may have got at it since the daemon was started.
    await requireTrusted(env, hooks.program);
    child = await processes.spawn(hooks.program, {
      stdin: "piped",
      stderr: "piped",
      folder: "/",
      detached: true,
      clearEnvironment: true,
      environment: variablesOf({ event, node }, { mesh, self }),
    });
  } catch (error) {
    log("error", `${what} cannot be run: ${errorText(error)}`);
    return;
  }
  const stderr = readSome(child.stderr as ReadableStream<Uint8Array>);
  // With its links it might not fit into a pipe that nobody reads.
  const { links: _links, ...shown } = node;
  const told = tell(child, `${JSON.stringify({ event, mesh, self, node: shown })}\n`);
  const why = await endInTime(child, options);
  const ms = Math.round(clock.monotonic() - begun);
  const patience = clock.after(HOOK_STDERR_MS_MAX, () => stderr.cancel());
  const text = await stderr.text;
  patience.cancel();
  await told;
  const { code, signal } = await child.status;
  const end = signal === undefined ? `exit code ${code}` : signal;
  const fields = text === "" ? {} : { stderr: text };
  if (why !== undefined) log("warning", `${what} was ended: ${why}`, fields);
  else log(code === 0 ? "info" : "warning", `${what} ended with ${end} after ${ms} ms`, fields);
}

/** Resolves when the program has ended: why it was ended, or nothing. */
async function endInTime(
  child: Child,
  { env: { clock, processes }, hooks, signal }: HookProgramOptions,
): Promise<string | undefined> {
  let why: string | undefined;
  let killed: ReturnType<typeof clock.after> | undefined;
  const end = (text: string) => {
    if (why !== undefined) return;
    why = text;
    processes.signal(-child.pid, "SIGTERM");
    killed = clock.after(HOOK_GRACE_MS, () => processes.signal(-child.pid, "SIGKILL"));
  };
  const late = clock.after(hooks.timeoutMs, () => end(`it ran for ${hooks.timeoutMs} ms`));
  const stop = () => end("the daemon stops");
  signal.addEventListener("abort", stop);
  if (signal.aborted) stop();
  await child.status;
  late.cancel();
  killed?.cancel();
  signal.removeEventListener("abort", stop);
  // What it has started and left behind has no more time than itself.
  if (why !== undefined) processes.signal(-child.pid, "SIGKILL");
  return why;
}

function variablesOf(
  { event, node }: NodeEvent,
  { mesh, self }: { readonly mesh: string; readonly self: string },
): Record<string, string> {
  return {
    PATH,
    MINIME_EVENT: event,
    MINIME_NODE: node.name,
    MINIME_KEY: node.keyId,
    MINIME_SEGMENT: node.segment,
    MINIME_GROUPS: node.groups.join(","),
    MINIME_MESH: mesh,
    MINIME_SELF: self,
  };
}

/** Never rejects: a program need not read what it is told. */
async function tell(child: Child, text: string): Promise<void> {
  const writer = (child.stdin as WritableStream<Uint8Array>).getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // It has closed its stdin or has ended, which its exit code tells.
  }
}

/** The first of it as one line; the rest is read and forgotten, so that the program never waits. */
function readSome(stream: ReadableStream<Uint8Array>): {
  readonly text: Promise<string>;
  /** Ends the waiting for more. */
  cancel(): void;
} {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const shown = () => printable(text.trim().replaceAll("\n", " | "), HOOK_STDERR_CHARACTERS_MAX);
  const read = async () => {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return shown();
      if (text.length < HOOK_STDERR_CHARACTERS_MAX) text += decoder.decode(value, { stream: true });
    }
  };
  return {
    text: read(),
    cancel: () => void reader.cancel(),
  };
}
