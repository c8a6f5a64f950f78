/**
 * What the script on a host tells about it, and whether a daemon can live there. A fact that is
 * missing or makes no sense forbids nothing: what really happens decides then.
 */

import { formatDuration } from "../shared/duration.ts";
import { formatSize } from "../shared/size.ts";
import { HostError } from "./host_error.ts";
import { GLIBC_NEEDED, readLibc } from "./libc.ts";
import { CLOCK_OFFSET_MS_MAX, DISK_MARGIN_BYTES } from "./limits.ts";

/** "arch", "date", "free", "get", "init", "ipv6", "libc", "uid" as the script says them. */
export class ScriptFacts {
  readonly #facts = new Map<string, string>();

  note(name: string, value: string): void {
    this.#facts.set(name, value);
  }

  get(name: string): string | undefined {
    return this.#facts.get(name);
  }

  /** Undefined for what is no whole number. */
  number(name: string): number | undefined {
    const text = this.#facts.get(name) ?? "";
    return /^[0-9]{1,15}$/.test(text) ? Number(text) : undefined;
  }
}

/**
 * How far a clock that said `seconds` at some moment from `from` to `to` (unix ms) is off at least:
 * negative when it is behind.
 */
export function clockOffsetMs(
  seconds: number,
  { from, to }: { readonly from: number; readonly to: number },
): number {
  const earliest = seconds * 1_000;
  const latest = earliest + 999;
  if (earliest > to) return earliest - to;
  return latest < from ? latest - from : 0;
}

/** Certificates would not verify there. @throws HostError */
export function checkClock(
  facts: ScriptFacts,
  span: { readonly from: number; readonly to: number },
): void {
  const seconds = facts.number("date");
  if (seconds === undefined) return;
  const offset = clockOffsetMs(seconds, span);
  if (Math.abs(offset) <= CLOCK_OFFSET_MS_MAX) return;
  const direction = offset > 0 ? "ahead of" : "behind";
  throw new HostError(
    "clock",
    `by ${Math.round(Math.abs(offset) / 1_000)} s (${
      formatDuration(Math.abs(offset))
    } ${direction} ` +
      `this machine's); certificates would not verify, set one of the clocks`,
  );
}

/** @throws HostError */
export function checkLibc(facts: ScriptFacts): void {
  const libc = readLibc(facts.get("libc") ?? "");
  if (libc.kind !== "musl" && libc.kind !== "old") return;
  const has = libc.kind === "musl" ? "musl" : `glibc ${libc.found}`;
  throw new HostError("wrong-libc", `it has ${has}, ${GLIBC_NEEDED} is needed`);
}

/**
 * True when there is room for the compressed file too, which others could be served from.
 *
 * @throws HostError when the file itself does not fit
 */
export function checkSpace(facts: ScriptFacts, bytes: number): boolean {
  const kilobytes = facts.number("free");
  if (kilobytes === undefined) return false;
  const free = kilobytes * 1_024;
  const needed = bytes + DISK_MARGIN_BYTES;
  if (free < needed) {
    throw new HostError(
      "no-space",
      `${formatSize(free)} are free, ${formatSize(needed)} are needed`,
    );
  }
  return free >= needed + bytes;
}
