/** The half of the enrolment that is a node's own, up to its certificate: see enrolment.ts. */

import { MinimeError } from "../../core/mod.ts";
import type { CommandContext } from "./command.ts";
import { type Admit, type Csr, formatEnrolment, parseEnrolment } from "./enrolment.ts";
import { ADMIT_MS_MAX } from "./limits.ts";
import { readLines } from "./lines.ts";

/** Whoever boots us does not give us a certificate. */
export class NotAdmittedError extends MinimeError {}

/** Sends the request and waits for the answer. Rejects with NotAdmittedError. */
export async function requestAdmission(
  { env, out, stdin }: Pick<CommandContext, "env" | "out" | "stdin">,
  csr: Csr,
): Promise<Admit> {
  out.write(formatEnrolment({ word: "csr", value: csr }));
  const late = new AbortController();
  const timer = env.clock.after(ADMIT_MS_MAX, () => late.abort());
  const expired = new Promise<never>((_, reject) => {
    late.signal.addEventListener("abort", () => {
      reject(new NotAdmittedError(`No certificate came within ${ADMIT_MS_MAX} ms`));
    });
  });
  const read = async (): Promise<Admit> => {
    for await (const line of readLines(stdin.bytes)) {
      const message = parseEnrolment(line);
      if (message?.word === "admit") return message.value;
      if (message?.word === "fail") throw new NotAdmittedError(message.value.message);
    }
    throw new NotAdmittedError("Whoever boots us went away before it sent a certificate");
  };
  try {
    return await Promise.race([read(), expired]);
  } finally {
    timer.cancel();
  }
}
