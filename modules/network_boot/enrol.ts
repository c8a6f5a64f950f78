/** From a daemon that was launched to a node that is up: the dialogue of shared/enrolment.ts. */

import {
  AuthenticationError,
  type Clock,
  errorText,
  ProtocolError,
  UsageError,
} from "../../core/mod.ts";
import { formatDuration } from "../shared/duration.ts";
import { type Fail, formatEnrolment, parseEnrolment } from "../shared/enrolment.ts";
import type { MeshHost } from "../shared/mesh_file.ts";
import type { KnownNode } from "../shared/mesh_home.ts";
import { printable } from "../shared/text.ts";
import { HostError, type HostReason } from "./host_error.ts";
import type { LaunchedProcess } from "./launcher.ts";
import { GOODBYE_MS_MAX, NOISE_LINES_MAX } from "./limits.ts";
import type { Registrar } from "./registrar.ts";

const REASONS: Readonly<Record<Fail["reason"], HostReason>> = {
  "port-taken": "port-taken",
  "no-space": "no-space",
  "state-folder": "daemon",
  refused: "daemon",
  "self-test": "daemon",
  running: "running",
  other: "daemon",
  "not-installed": "not-installed",
};

/** A node that is up. */
export interface Enrolled {
  readonly node: KnownNode;
  /** What was done there, for people; where it was installed. */
  readonly text?: string;
}

/** Characters of what a host says that are shown, on one line. */
const TEXT_CHARACTERS_MAX = 300;

/** Resolves when the daemon is up. Rejects with HostError, reason "running" if one was there before. */
export async function enrol(
  process: LaunchedProcess,
  options: {
    readonly host: MeshHost;
    readonly registrar: Registrar;
    readonly clock: Clock;
    readonly timeoutMs: number;
  },
): Promise<Enrolled> {
  const { clock, timeoutMs } = options;
  let late = false;
  const timer = clock.after(timeoutMs, () => {
    late = true;
    process.kill();
  });
  try {
    return await talk(process, options);
  } catch (error) {
    const limit = formatDuration(timeoutMs);
    if (late) throw new HostError("timeout", `the daemon was not up within ${limit}`);
    // What a host sends may be anything; it must not end the boot of the others.
    const isIts = error instanceof ProtocolError || error instanceof UsageError ||
      error instanceof AuthenticationError;
    if (isIts) {
      throw new HostError("daemon", errorText(error), { cause: error });
    }
    throw error;
  } finally {
    timer.cancel();
  }
}

async function talk(
  process: LaunchedProcess,
  { host, registrar }: { readonly host: MeshHost; readonly registrar: Registrar },
): Promise<Enrolled> {
  let node: KnownNode | undefined;
  for (let lines = 0; lines < NOISE_LINES_MAX; lines++) {
    const line = await process.next();
    if (line === undefined) throw await process.failure();
    const message = parseEnrolment(line);
    switch (message?.word) {
      case "csr": {
        const admitted = registrar.admit(host, message.value);
        node = admitted.node;
        await process.write(formatEnrolment({ word: "admit", value: admitted.admit }));
        break;
      }
      case "up":
        if (node !== undefined) {
          const { text } = message.value;
          return {
            node,
            ...(text === undefined ? {} : { text: printable(text, TEXT_CHARACTERS_MAX) }),
          };
        }
        throw new HostError("daemon", "it says that it is up and has no certificate");
      case "fail":
        throw failed(message.value);
    }
  }
  throw new HostError("daemon", `it printed more than ${NOISE_LINES_MAX} lines of its own`);
}

function failed({ reason, message }: Fail): HostError {
  return new HostError(REASONS[reason], printable(message, TEXT_CHARACTERS_MAX));
}

/** Lets the launcher's own process end by itself, so that nothing on the host is cut in the middle. */
export async function partFrom(process: LaunchedProcess, clock: Clock): Promise<void> {
  const timer = clock.after(GOODBYE_MS_MAX, () => process.kill());
  try {
    while (await process.next() !== undefined); // What it still says is of no interest.
  } finally {
    timer.cancel();
  }
}
