/**
 * What a person sees of an error, and the exit code it stands for. No stack for something that went
 * wrong in the world; a bug asks to be reported. MINIME_DEBUG=1 shows the stack of anything.
 */

import {
  AuthenticationError,
  CallError,
  ConnectionError,
  errorText,
  FileError,
  MinimeError,
  NotFoundError,
  UsageError,
} from "../../core/mod.ts";
import { EXIT } from "../shared/exit_code.ts";
import { printable } from "../shared/text.ts";

/** Causes shown below a message; deeper ones say nothing new to a person. */
const CAUSES_SHOWN_MAX = 5;

export function exitCodeFor(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (error instanceof ConnectionError) return EXIT.unreachable;
  if (error instanceof AuthenticationError) {
    // A clock that is behind will be set: a service manager starts the daemon again.
    return error.reason === "not-yet-valid" ? EXIT.someFailed : EXIT.refused;
  }
  if (error instanceof CallError) {
    if (error.class === "refused") return EXIT.refused;
    return error.class === "unreachable" ? EXIT.unreachable : EXIT.someFailed;
  }
  return error instanceof MinimeError ? EXIT.someFailed : EXIT.bug;
}

/** Lines for stderr, without colours; nothing in them can move a terminal's cursor. */
export function failureText(error: unknown, options: { debug: boolean }): string {
  const lines = [errorText(error), ...causes(error)];
  if (error instanceof UsageError && error.hint !== undefined) lines.push(error.hint);
  if (!(error instanceof MinimeError)) {
    lines[0] = `This is a bug: ${lines[0]}`;
    if (!options.debug) {
      lines.push(
        "Please report it: run the same command with MINIME_DEBUG=1 and send what it prints, " +
          'with the output of "minime version"',
      );
    }
  }
  if (options.debug && error instanceof Error && error.stack !== undefined) lines.push(error.stack);
  return lines.flatMap((each) => each.split("\n")).map((each) => printable(each)).join("\n");
}

/** What the runtime said below an error that already tells it in our words adds nothing. */
function causes(error: unknown): string[] {
  const lines: string[] = [];
  let above = error;
  while (above instanceof Error && above.cause !== undefined && lines.length < CAUSES_SHOWN_MAX) {
    const cause = above.cause;
    if (!(cause instanceof MinimeError) && speaksForTheSystem(above)) break;
    const text = errorText(cause);
    if (!above.message.includes(text)) lines.push(`  because: ${text.split("\n", 1)[0] ?? ""}`);
    above = cause;
  }
  return lines;
}

function speaksForTheSystem(error: Error): boolean {
  return error instanceof NotFoundError || error instanceof FileError ||
    error instanceof ConnectionError;
}
