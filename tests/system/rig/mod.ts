/** The door of the rig: what system tests and benches import. */

export { minimeCommand } from "./binary.ts";
export type { MinimeCommand } from "./binary.ts";
export { FastBinary, livedMs, setPace } from "./fast_binary.ts";
export * from "./faults.ts";
export { Host, HOST_PATH } from "./host.ts";
export type { HostProcess, SpawnOptions } from "./host.ts";
export { ownFiles } from "./own_files.ts";
export { removeLeftovers, usersOf } from "./leftovers.ts";
export type { Interface } from "./network.ts";
export { Process } from "./process.ts";
export type { RunOptions, RunResult } from "./process.ts";
export { Proxy } from "./proxy.ts";
export type { ProxyControl, ProxyCounters, ProxyOptions } from "./proxy.ts";
export { startProxy } from "./proxy_process.ts";
export { requirements, systemTest } from "./requirements.ts";
export { Rig } from "./rig.ts";
export type { RigOptions } from "./rig.ts";
export { OUTSIDE, segmentsFile, startSegments } from "./segments.ts";
export type { SegmentOptions } from "./segments.ts";
export { SystemdMachine, systemdRequirements } from "./systemd_machine.ts";
export { throttled, trafficOf } from "./traffic.ts";
export type { Traffic } from "./traffic.ts";
export { until } from "./wait.ts";
