/**
 * Starts the daemon in a session of its own and passes the lines of the enrolment between it and our
 * stdin and stdout, until it is up or has failed. sshd ends a login when its direct child ends, so
 * the child must be somebody else than the daemon; keys never come here, only what crosses anyway.
 */

import type { Child } from "../../core/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { enrolArguments, parseEnrolment } from "../shared/enrolment.ts";
import { EXIT } from "../shared/exit_code.ts";
import { readLines } from "../shared/lines.ts";

export async function relayDetached(
  context: CommandContext,
  options: { readonly mesh: string; readonly name: string; readonly listen: readonly string[] },
): Promise<number> {
  const [program, ...first] = context.env.processes.self;
  const child = await context.env.processes.spawn(program as string, {
    args: [...first, "daemon", ...enrolArguments({ ...options, detach: false })],
    stdin: "piped",
    stdout: "piped",
    // A pipe that we leave behind would break, and the runtime dies when it cannot print a warning.
    stderr: "null",
    folder: "/",
    detached: true,
  });
  const over = new AbortController();
  passInput(context, child, over.signal).catch(() => {
    // It does not listen any more: its last line or its exit code says why.
  });
  let up = false;
  for await (const line of readLines(child.stdout as ReadableStream<Uint8Array>)) {
    context.out.write(`${line}\n`);
    const word = parseEnrolment(line)?.word;
    if (word === "up") up = true;
    if (word === "up" || word === "fail") break;
  }
  over.abort();
  if (up) {
    // It lives on without us: what it would print from here on goes nowhere.
    child.release();
    return EXIT.ok;
  }
  // Not waiting for our stdin: whoever boots us may keep it open until they hear from us.
  const { code, signal } = await child.status;
  context.out.writeError(`The daemon ended with ${signal ?? `exit code ${code}`}\n`);
  return EXIT.allFailed;
}

async function passInput(context: CommandContext, child: Child, over: AbortSignal): Promise<void> {
  const writer = (child.stdin as WritableStream<Uint8Array>).getWriter();
  for await (const chunk of context.stdin.bytes) {
    if (over.aborted) return;
    await writer.write(chunk);
  }
  // Whoever boots us is gone: the daemon must not wait for an answer.
  await writer.close();
}
