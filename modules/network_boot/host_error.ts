/**
 * Why something did not work on one host: a reason for programs, words for people, and the host's
 * own last words. Boot, recon and wipe speak of hosts in the same reasons.
 */

import { MinimeError } from "../../core/mod.ts";
import { printable } from "../shared/text.ts";

/** Grows only at the end. The text is what a person reads first. */
export const HOST_REASONS = {
  "unknown-name": "name unknown",
  refused: "connection refused",
  "no-route": "no route",
  timeout: "timed out",
  "host-key": "host key",
  denied: "permission denied",
  "no-space": "no space",
  noexec: "noexec",
  "wrong-cpu": "wrong CPU",
  "wrong-libc": "wrong libc",
  "hash-mismatch": "hash mismatch",
  "port-taken": "port taken",
  clock: "clock off",
  script: "script failed",
  daemon: "daemon failed",
  "not-linked": "not linked",
  running: "already running",
  ssh: "ssh failed",
  gateway: "gateway",
  "no-init": "no service manager",
  "not-installed": "not installed",
} as const;
export type HostReason = keyof typeof HOST_REASONS;

/** Characters of the host's own words that are shown. */
const DETAIL_CHARACTERS_MAX = 300;

export class HostError extends MinimeError {
  readonly reason: HostReason;
  /** The message without the reason. */
  readonly words: string;
  /** The host's, or ssh's, own last words. */
  readonly detail: string | undefined;

  /** `message` follows the reason and a colon; "" when the reason says it all. */
  constructor(
    reason: HostReason,
    message: string,
    options: ErrorOptions & { readonly detail?: string | undefined } = {},
  ) {
    const label = HOST_REASONS[reason];
    super(message === "" ? label : `${label}: ${message}`, options);
    this.reason = reason;
    this.words = message;
    const detail = printable(options.detail ?? "", DETAIL_CHARACTERS_MAX).trim();
    this.detail = detail === "" ? undefined : detail;
  }

  /** Reason, words, and what the host said, on one line. */
  get text(): string {
    const known = this.detail === undefined || this.message.includes(this.detail);
    return known ? this.message : `${this.message} (${this.detail})`;
  }
}
