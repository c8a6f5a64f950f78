/**
 * What stands in the way of a boot on one host, judged from what the host said about itself. Pure,
 * and told in the reasons that boot itself would give, all of them: a person fixes a host once.
 */

import { formatDuration } from "../shared/duration.ts";
import { formatSize } from "../shared/size.ts";
import type { HostReason } from "./host_error.ts";
import { GLIBC_NEEDED, readLibc } from "./libc.ts";
import { CLOCK_OFFSET_MS_MAX, DISK_MARGIN_BYTES } from "./limits.ts";
import type { HostFacts, PlaceFacts } from "./recon_facts.ts";
import { TOOLS_NEEDED } from "./recon_script.ts";
import { clockOffsetMs } from "./script_facts.ts";

/** Something that would make boot fail, or (`isWarning`) that somebody should know. */
export interface Finding {
  readonly reason: HostReason | "tools" | "home" | "firewall";
  readonly text: string;
  readonly isWarning: boolean;
}

/** What a judgement needs to know besides the host's own words. */
export interface ReconNeeds {
  /** Bytes that the binary takes on a host that has none. */
  readonly binaryBytes: number;
  /** CPUs for which there is a binary; undefined when nobody can tell. */
  readonly cpus: readonly string[] | undefined;
  /** On this machine nothing is copied: the program runs where it is. */
  readonly isLocal: boolean;
  /** Unix ms by our clock: before the host was asked and after it answered. */
  readonly asked: { readonly from: number; readonly to: number };
}

/** Of the program when it runs from source and so has no file. */
export const BINARY_BYTES_TYPICAL = 95_000_000;

const CPUS = ["x86_64", "aarch64"];

/** In the order in which boot would meet them. */
export function judgeHost(facts: HostFacts, needs: ReconNeeds): Finding[] {
  const copied = needs.isLocal ? [] : [
    ...judgeMachine(facts, needs.cpus),
    ...judgeTools(facts),
    ...judgeBinaryPlace(facts, needs.binaryBytes),
  ];
  return [
    ...copied,
    ...judgeStatePlace(facts, needs.isLocal),
    ...judgeState(facts),
    ...judgePorts(facts),
    ...judgeClock(facts, needs.asked),
  ];
}

function judgeMachine(
  { system, cpu, libc }: HostFacts,
  available: readonly string[] | undefined,
): Finding[] {
  const found: Finding[] = [];
  if (system !== "Linux") {
    found.push(problem("wrong-cpu", `system is ${quoted(system)}, minime runs on Linux`));
  }
  if (!CPUS.includes(cpu)) {
    found.push(problem("wrong-cpu", `CPU is ${quoted(cpu)}, minime runs on ${CPUS.join(" and ")}`));
  } else if (available !== undefined && !available.includes(cpu)) {
    found.push(
      problem("wrong-cpu", `CPU is ${cpu}, there is no "minime-${cpu}" beside the program`),
    );
  }
  return [...found, ...judgeLibc(libc)];
}

function judgeLibc(text: string): Finding[] {
  const libc = readLibc(text);
  const needed = `minime needs ${GLIBC_NEEDED}`;
  switch (libc.kind) {
    case "fits":
      return [];
    case "old":
      return [problem("wrong-libc", `glibc ${libc.found}, ${needed}`)];
    case "musl":
      return [problem("wrong-libc", `C library is musl, ${needed}`)];
    case "unknown":
      return [warning("wrong-libc", `C library is unknown (${quoted(text)}), ${needed}`)];
  }
}

function judgeTools({ missing }: HostFacts): Finding[] {
  const needed = missing.filter((tool) => (TOOLS_NEEDED as readonly string[]).includes(tool));
  const wanted = missing.filter((tool) => !needed.includes(tool));
  return [
    ...needed.length === 0 ? [] : [problem("tools", `missing programs: ${needed.join(", ")}`)],
    ...wanted.map((tool) =>
      warning("tools", `no ${tool}: the binary can come from the booting machine only`)
    ),
  ];
}

function judgeBinaryPlace(facts: HostFacts, binaryBytes: number): Finding[] {
  const { cache, home, homeExists, binary } = facts;
  const found = judgeWriting(cache);
  if (!homeExists) found.push(problem("home", `home folder ${quoted(home)} does not exist`));
  if (cache.noexec !== undefined) {
    const words = "is mounted noexec, it is to hold the binary";
    found.push(problem("noexec", `${quoted(cache.noexec)} ${words}`));
  }
  return [...found, ...judgeSpace(cache, binary === undefined ? binaryBytes : 0)];
}

/** Mostly the binary's place too, and then there is nothing more to say. */
function judgeStatePlace({ cache, state }: HostFacts, isLocal: boolean): Finding[] {
  const isSame = cache.denied === state.denied && cache.readOnly === state.readOnly &&
    cache.freeBytes === state.freeBytes;
  return isSame && !isLocal ? [] : [...judgeWriting(state), ...judgeSpace(state, 0)];
}

function judgeSpace({ freeBytes, folder }: PlaceFacts, bytes: number): Finding[] {
  const wanted = bytes + DISK_MARGIN_BYTES;
  if (freeBytes === undefined || freeBytes >= wanted) return [];
  const sizes = `${formatSize(freeBytes)} free, ${formatSize(wanted)} needed`;
  return [problem("no-space", `${sizes} for ${quoted(folder)}`)];
}

function judgeWriting({ folder, denied, readOnly }: PlaceFacts): Finding[] {
  if (readOnly !== undefined) {
    return [
      problem(
        "denied",
        `${quoted(readOnly)} is mounted read-only, it is to hold ${quoted(folder)}`,
      ),
    ];
  }
  if (denied === undefined) return [];
  return [
    problem("denied", `nothing may be made in ${quoted(denied)}, it is to hold ${quoted(folder)}`),
  ];
}

/** The daemon refuses a folder that is not private. */
function judgeState({ stateFolder, state, uid, daemonPid }: HostFacts): Finding[] {
  const found: Finding[] = [];
  if (daemonPid !== undefined) {
    found.push(problem("running", "a daemon of this mesh and name runs there"));
  }
  if (stateFolder === undefined) return found;
  const [mode = "", , owner = ""] = stateFolder.split(/ +/);
  const where = `state folder in ${quoted(state.folder)}`;
  if (!mode.startsWith("d")) {
    found.push(problem("denied", `${where} is no folder (${mode})`));
  } else if (owner !== String(uid)) {
    found.push(problem("denied", `${where} belongs to user ${owner}, not to user ${uid}`));
  } else if (!/^d...------/.test(mode)) {
    found.push(problem("denied", `${where} is open to others (${mode}), it must be drwx------`));
  }
  return found;
}

/** A port that our own daemon holds is not taken by somebody else. */
function judgePorts({ daemonPid, takenPorts }: HostFacts): Finding[] {
  if (daemonPid !== undefined) return [];
  return takenPorts.map((port) => problem("port-taken", `somebody listens on port ${port}`));
}

function judgeClock(facts: HostFacts, asked: ReconNeeds["asked"]): Finding[] {
  if (facts.time === undefined) return [warning("clock", "the host does not tell its time")];
  // Its clock was read in whole seconds, at some moment while we waited.
  const offset = clockOffsetMs(facts.time / 1_000, asked);
  const most = formatDuration(CLOCK_OFFSET_MS_MAX);
  if (Math.abs(offset) <= CLOCK_OFFSET_MS_MAX) return [];
  const direction = offset > 0 ? "ahead of" : "behind";
  return [
    problem(
      "clock",
      `${formatDuration(Math.abs(offset))} ${direction} ours, at most ${most} is allowed`,
    ),
  ];
}

function problem(reason: Finding["reason"], text: string): Finding {
  return { reason, text, isWarning: false };
}

function warning(reason: Finding["reason"], text: string): Finding {
  return { reason, text, isWarning: true };
}

function quoted(text: string): string {
  return JSON.stringify(text);
}
