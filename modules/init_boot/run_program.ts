/** Runs a program of the system and hears what it says. */

import type { Environment } from "../../core/mod.ts";
import { PROGRAM_TEXT_CHARACTERS_MAX } from "./limits.ts";

/** What a program left. */
export interface ProgramResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Rejects with NotFoundError when there is no such program, and with the signal's reason when that
 * aborts: then it is killed. What it has started may hold its output open, which is not waited for.
 */
export async function runProgram(
  { processes }: Pick<Environment, "processes">,
  program: string,
  args: readonly string[],
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<ProgramResult> {
  const child = await processes.spawn(program, { args, stdout: "piped", stderr: "piped" });
  const out = (child.stdout as ReadableStream<Uint8Array>).getReader();
  const err = (child.stderr as ReadableStream<Uint8Array>).getReader();
  const end = () => {
    child.kill("SIGKILL");
    for (const reader of [out, err]) void reader.cancel();
  };
  signal?.addEventListener("abort", end);
  if (signal?.aborted) end();
  const [stdout, stderr, { code }] = await Promise.all([textOf(out), textOf(err), child.status]);
  signal?.removeEventListener("abort", end);
  signal?.throwIfAborted();
  return { code, stdout, stderr };
}

async function textOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text;
    if (text.length < PROGRAM_TEXT_CHARACTERS_MAX) text += decoder.decode(value, { stream: true });
  }
}
