/**
 * Writes a mesh as a mesh file that reads back to the same mesh: `minime nodes --toml` can be fed to
 * boot. Hosts with equal settings fold into one row; what is built in is left out. Groups are written
 * in `[groups]` only, wherever they came from.
 */
import { stringify } from "smol-toml";
import { canonicalKey } from "./canonical.ts";
import { writeDuration } from "./duration.ts";
import {
  BOOT_DEFAULTS,
  HOOK_MS_DEFAULT,
  type MeshBoot,
  type MeshFile,
  type MeshHooks,
  type MeshHost,
} from "./mesh_file.ts";
import { HOOK_EVENTS } from "./mesh_file_schema.ts";
import { compareNames } from "./names.ts";
import { foldInOrder, foldNodeset, listNodeset } from "./nodeset.ts";

/** TOML that `parseMeshFile` reads back to an equal mesh. */
export function formatMeshFile(mesh: MeshFile): string {
  const groups = mesh.groups.map((group) => [group.name, foldNodeset(group.members)]);
  const boot = bootTable(mesh.boot);
  return stringify({
    name: mesh.name,
    ...(mesh.discover ? { discover: true } : {}),
    hosts: hostRows(mesh.hosts),
    ...(groups.length === 0 ? {} : { groups: Object.fromEntries(groups) }),
    ...(Object.keys(boot).length === 0 ? {} : { boot }),
    ...(mesh.hooks === undefined ? {} : { hooks: hooksTable(mesh.hooks) }),
    ...(Object.keys(mesh.policy).length === 0 ? {} : { policy: mesh.policy }),
  });
}

function hostRows(hosts: readonly MeshHost[]): Record<string, unknown>[] {
  const rows = new Map<string, MeshHost[]>();
  for (const host of hosts) {
    // Hosts without an address of their own fold apart from those that have one.
    const has = [hasOwnAddress(host), host.innerAddress !== undefined];
    const key = canonicalKey([settingsTable(host), ...has]);
    const row = rows.get(key);
    if (row === undefined) rows.set(key, [host]);
    else row.push(host);
  }
  return [...rows.values()].map((row) => {
    const first = row[0] as MeshHost;
    const names = foldNodeset(row.map((host) => host.name));
    const hostOf = new Map(row.map((host) => [host.name, host]));
    const inOrder = listNodeset(names).map((name) => hostOf.get(name) as MeshHost);
    return {
      names,
      ...(hasOwnAddress(first)
        ? { address: foldInOrder(inOrder.map(({ address }) => address)) }
        : {}),
      ...(first.innerAddress === undefined
        ? {}
        : { inner_address: foldInOrder(inOrder.map(({ innerAddress = "" }) => innerAddress)) }),
      ...settingsTable(first),
    };
  }).sort((a, b) => compareNames(a.names, b.names));
}

function hasOwnAddress(host: MeshHost): boolean {
  return host.address !== (host.launcher === "local" ? "127.0.0.1" : host.name);
}

/** The keys of `[[hosts]]` that differ from what is built in. */
function settingsTable(host: MeshHost): Record<string, unknown> {
  return {
    ...(host.user === undefined ? {} : { user: host.user }),
    ...(host.sshPort === undefined ? {} : { ssh_port: host.sshPort }),
    ...(host.identityFile === undefined ? {} : { identity_file: host.identityFile }),
    ...(host.port === 0 ? {} : { port: host.port }),
    ...(host.segment === "default" ? {} : { segment: host.segment }),
    ...(host.gateway ? { gateway: true } : {}),
    ...(host.via === undefined ? {} : { via: foldInOrder(host.via) }),
    ...(host.listen.length === 0 ? {} : { listen: host.listen }),
    ...(host.launcher === "ssh" ? {} : { launcher: host.launcher }),
    ...(host.home === undefined ? {} : { home: host.home }),
    ...(host.schedule ? {} : { schedule: false }),
    ...(host.cpus === undefined ? {} : { cpus: host.cpus }),
    ...(host.logLevel === undefined ? {} : { log_level: host.logLevel }),
  };
}

function hooksTable({ program, events, timeoutMs }: MeshHooks): Record<string, unknown> {
  return {
    program,
    ...(events.length === HOOK_EVENTS.length ? {} : { events: [...events] }),
    ...(timeoutMs === HOOK_MS_DEFAULT ? {} : { timeout: writeDuration(timeoutMs) }),
  };
}

function bootTable(boot: MeshBoot): Record<string, unknown> {
  const { window, connectTimeoutMs, timeoutMs, strictHostKey } = boot;
  return {
    ...(window === BOOT_DEFAULTS.window ? {} : { window }),
    ...(connectTimeoutMs === BOOT_DEFAULTS.connectTimeoutMs
      ? {}
      : { connect_timeout: writeDuration(connectTimeoutMs) }),
    ...(timeoutMs === BOOT_DEFAULTS.timeoutMs ? {} : { timeout: writeDuration(timeoutMs) }),
    ...(strictHostKey === BOOT_DEFAULTS.strictHostKey ? {} : { strict_host_key: strictHostKey }),
  };
}
