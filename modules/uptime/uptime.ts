/** What `uptime.get` answers, and the same rounded so far that nodes in the same state say the same. */

import * as v from "valibot";

export const UptimeSchema = v.object({
  /** As the host calls itself; empty in a coarse answer. */
  host: v.string(),
  /** Unix ms by the host's clock; 0 in a coarse answer: see {@link isCoarse}. */
  bootedMs: v.number(),
  upMs: v.number(),
  /** Over 1, 5 and 15 minutes. */
  load: v.tuple([v.number(), v.number(), v.number()]),
  cores: v.number(),
  memory: v.object({ totalBytes: v.number(), freeBytes: v.number() }),
  /** Sessions; null where the host does not tell. */
  users: v.nullable(v.number()),
  daemon: v.object({
    version: v.string(),
    upMs: v.number(),
    links: v.number(),
    /** Requests executed since its start. */
    messages: v.number(),
    residentBytes: v.number(),
    cpuMs: v.number(),
  }),
});
export type Uptime = v.InferOutput<typeof UptimeSchema>;

const UNITS_MS = [86_400_000, 3_600_000, 60_000] as const;
const GIGABYTE = 1e9;
/** Memory of which a gigabyte is no more than a tenth. */
const LARGE_MEMORY = 10 * GIGABYTE;
/** Free memory in steps that do not change at every look. */
const MEMORY_STEPS = 10;

/** Durations to one unit, loads to whole numbers, memory in tenths; what always differs is 0. */
export function coarseUptime({ upMs, load, cores, memory, users, daemon }: Uptime): Uptime {
  const unit = memory.totalBytes < LARGE_MEMORY ? GIGABYTE / 10 : GIGABYTE;
  const totalBytes = roundTo(memory.totalBytes, unit);
  const freeTenths = Math.round(MEMORY_STEPS * memory.freeBytes / Math.max(1, memory.totalBytes));
  return {
    host: "",
    bootedMs: 0,
    upMs: coarseMs(upMs),
    load: [Math.round(load[0]), Math.round(load[1]), Math.round(load[2])],
    cores,
    memory: { totalBytes, freeBytes: totalBytes * freeTenths / MEMORY_STEPS },
    users,
    daemon: {
      version: daemon.version,
      upMs: coarseMs(daemon.upMs),
      links: daemon.links,
      messages: 0,
      residentBytes: 0,
      cpuMs: 0,
    },
  };
}

/** Whether its numbers are rounded: a host that has booted did so after 1970. */
export function isCoarse({ bootedMs }: Uptime): boolean {
  return bootedMs === 0;
}

/** Down to the largest unit that fits: 3 days, 5 hours, 7 minutes, and below a minute none. */
function coarseMs(ms: number): number {
  const unit = UNITS_MS.find((each) => ms >= each);
  return unit === undefined ? 0 : Math.floor(ms / unit) * unit;
}

function roundTo(value: number, step: number): number {
  return Math.round(value / step) * step;
}
