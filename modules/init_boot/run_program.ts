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
 * aborts: then it is killed.
 */
export async function runProgram(
  { processes }: Pick<Environment, "processes">,
  program: string,
  args: readonly string[],
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<ProgramResult> {
  const child = await processes.spawn(program, { args, stdout: "piped", stderr: "piped" });
  const end = () => child.kill("SIGKILL");
  signal?.addEventListener("abort", end);
  if (signal?.aborted) end();
  const [stdout, stderr, { code }] = await Promise.all([
    textOf(child.stdout as ReadableStream<Uint8Array>),
    textOf(child.stderr as ReadableStream<Uint8Array>),
    child.status,
  ]);
  signal?.removeEventListener("abort", end);
  signal?.throwIfAborted();
  return { code, stdout, stderr };
}

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of stream) {
    if (text.length < PROGRAM_TEXT_CHARACTERS_MAX) text += decoder.decode(chunk, { stream: true });
  }
  return text;
}
