/**
 * What goes wrong on real hosts, one function a fault. Each makes the fault on a running host and
 * resolves to what undoes it (`await using fault = await fullDisk(host)`), so that faults nest.
 * Only the host named is hurt. Not to be had: a wrong wall clock under a daemon (the kernel has one
 * for all; {@link fakeClock} lies to shell scripts alone), packet loss and reordering.
 */

import type { Host } from "./host.ts";
import { runTool } from "./process.ts";
import { startProxy } from "./proxy_process.ts";
import type { Rig } from "./rig.ts";

const DISK_BYTES_DEFAULT = 1024 * 1024;

/** A fault; disposing undoes it once. */
export class Fault implements AsyncDisposable {
  #undo: (() => PromiseLike<unknown>) | undefined;

  constructor(undo: () => PromiseLike<unknown>) {
    this.#undo = undo;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const undo = this.#undo;
    this.#undo = undefined;
    await undo?.();
  }
}

/** An empty disk of `bytes` (rounded up to pages) over the home. @default 1 MiB on /root */
export async function fullDisk(
  host: Host,
  options: { bytes?: number; path?: string } = {},
): Promise<Fault> {
  return await mountOver(
    host,
    options.path ?? "/root",
    `size=${options.bytes ?? DISK_BYTES_DEFAULT}`,
  );
}

/** An empty home from which no program may be run. @default /root */
export async function noexecHome(host: Host, options: { path?: string } = {}): Promise<Fault> {
  return await mountOver(host, options.path ?? "/root", "noexec");
}

/** Nobody listens on port 22: connections are refused. */
export async function noSshd(host: Host): Promise<Fault> {
  await host.stopSshd();
  return new Fault(() => host.startSshd());
}

/** Port 22 takes connections and then says nothing, for ever. */
export async function hangingSshd(host: Host): Promise<Fault> {
  return await frozen(host, await host.sshdPid());
}

/** The origin's known_hosts files name another key than the host has. */
export async function wrongHostKey(rig: Rig, name: string): Promise<Fault> {
  const other = (await Deno.readTextFile(`${rig.folder}/keys/root.pub`)).split(" ").slice(0, 2);
  const files = await knownHostsOf(rig);
  const before = await Promise.all(files.map((file) => Deno.readTextFile(file)));
  for (const [index, file] of files.entries()) {
    const lines = (before[index] ?? "").split("\n").map((line) => {
      const [patterns = ""] = line.split(" ");
      return patterns.split(",").includes(name) ? [patterns, ...other].join(" ") : line;
    });
    await Deno.writeTextFile(file, lines.join("\n"));
  }
  return new Fault(() =>
    Promise.all(files.map((file, index) => Deno.writeTextFile(file, before[index] ?? "")))
  );
}

/** The host answers nobody on its segments: connecting to it ends in a timeout. */
export async function blackhole(host: Host): Promise<Fault> {
  // Two halves are more special than the interface's own route.
  const routes = host.interfaces.flatMap(({ ipv4, ipv6 }) => {
    const four = ipv4.slice(0, ipv4.lastIndexOf("."));
    const halves = [`${four}.0/25`, `${four}.128/25`];
    if (ipv6 === undefined) return halves;
    const six = [...ipv6.slice(0, ipv6.indexOf("::")).split(":"), "0", "0", "0"].slice(0, 4);
    return [...halves, `${six.join(":")}::/65`, `${six.join(":")}:8000::/65`];
  });
  const each = (verb: string) =>
    routes.map((route) => `route ${verb} blackhole ${route}`).join("\n");
  await ip(host.holderPid, each("add"));
  return new Fault(() => ip(host.holderPid, each("del")));
}

/** Somebody else listens on a TCP port of the host, on all addresses. */
export async function portTaken(host: Host, port: number): Promise<Fault> {
  const proxy = await startProxy({ host, listen: { hostname: "::", port } });
  return new Fault(() => proxy[Symbol.asyncDispose]());
}

/** The host's own interface is down. @default "eth0" */
export async function linkDown(host: Host, name = "eth0"): Promise<Fault> {
  await ip(host.holderPid, `link set ${name} down`);
  return new Fault(() => ip(host.holderPid, `link set ${name} up`));
}

/** The cable is pulled at the switch: the host sees its carrier lost. @default all its interfaces */
export async function unplugged(rig: Rig, host: Host, name?: string): Promise<Fault> {
  const ports = host.interfaces.filter((one) => name === undefined || one.name === name);
  const each = (state: string) => ports.map(({ port }) => `link set ${port} ${state}`).join("\n");
  await ip(rig.switchPid, each("down"));
  return new Fault(() => ip(rig.switchPid, each("up")));
}

/** The hosts named go on together, cut off from all others on their segments. */
export async function partition(rig: Rig, hosts: readonly Host[]): Promise<Fault> {
  const interfaces = hosts.flatMap((host) => host.interfaces);
  const bridges = [...new Set(interfaces.map(({ bridge }) => bridge))];
  const island = (bridge: string) => `${bridge}i${hosts[0]?.interfaces[0]?.port}`;
  await ip(
    rig.switchPid,
    [
      ...bridges.map((bridge) => `link add ${island(bridge)} type bridge`),
      ...bridges.map((bridge) => `link set ${island(bridge)} up`),
      ...interfaces.map(({ port, bridge }) => `link set ${port} master ${island(bridge)}`),
    ].join("\n"),
  );
  const heal = [
    ...interfaces.map(({ port, bridge }) => `link set ${port} master ${bridge}`),
    ...bridges.map((bridge) => `link del ${island(bridge)}`),
  ].join("\n");
  return new Fault(() => ip(rig.switchPid, heal));
}

/** SIGSTOP until undone; who was killed meanwhile stays dead. */
export async function frozen(host: Host, ...pids: readonly number[]): Promise<Fault> {
  await host.signal("STOP", ...pids);
  return new Fault(async () => {
    const alive = host.processes().map(({ pid }) => pid).filter((pid) => pids.includes(pid));
    if (alive.length > 0) await host.signal("CONT", ...alive);
  });
}

/** Another program stands at `path` (an existing one); the script finds the true one as "$TRUE". */
export async function fakeProgram(host: Host, path: string, script: string): Promise<Fault> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const folder = await Deno.makeTempDir({ dir: host.folder, prefix: "fake-" });
  await Deno.chmod(folder, 0o755);
  await Deno.copyFile(host.path(path), `${folder}/${name}`);
  await Deno.writeTextFile(`${folder}/fake`, `#!/bin/sh\nTRUE=${folder}/${name}\n${script}\n`);
  await Deno.chmod(`${folder}/fake`, 0o755);
  await host.must(["mount", "--bind", `${folder}/fake`, path]);
  return new Fault(() => host.must(["umount", "-l", path]));
}

/** `uname -m` tells of another CPU, for example "aarch64" or "armv7l". */
export async function fakeCpu(host: Host, machine: string): Promise<Fault> {
  return await fakeProgram(
    host,
    "/usr/bin/uname",
    `if [ "$*" = -m ]; then echo ${machine}; else exec "$TRUE" "$@"; fi`,
  );
}

/** `getconf GNU_LIBC_VERSION` and `ldd --version` tell of another glibc, or of musl with "musl". */
export async function fakeLibc(host: Host, version: string): Promise<Fault> {
  const musl = version === "musl";
  const getconf = await fakeProgram(
    host,
    "/usr/bin/getconf",
    musl
      ? `if [ "$1" = GNU_LIBC_VERSION ]; then echo "getconf: $1: unknown variable" >&2; exit 1; fi\n` +
        `exec "$TRUE" "$@"`
      : `if [ "$1" = GNU_LIBC_VERSION ]; then echo "glibc ${version}"; else exec "$TRUE" "$@"; fi`,
  );
  const ldd = await fakeProgram(
    host,
    "/usr/bin/ldd",
    musl
      ? `echo "musl libc (x86_64)" >&2; exit 1`
      : `if [ "$1" = --version ]; then echo "ldd (GNU libc) ${version}"; else exec "$TRUE" "$@"; fi`,
  );
  return new Fault(async () => {
    await ldd[Symbol.asyncDispose]();
    await getconf[Symbol.asyncDispose]();
  });
}

/** `date` is off by so many seconds, for shell scripts alone. */
export async function fakeClock(host: Host, seconds: number): Promise<Fault> {
  return await fakeProgram(
    host,
    "/usr/bin/date",
    `exec "$TRUE" -d "@$(($("$TRUE" +%s) + ${seconds}))" "$@"`,
  );
}

async function mountOver(host: Host, path: string, options: string): Promise<Fault> {
  const { mode, uid, gid } = await Deno.stat(host.path(path));
  const owner = `mode=${((mode ?? 0) & 0o7777).toString(8)},uid=${uid},gid=${gid}`;
  await host.must(["mount", "-t", "tmpfs", "-o", `${options},${owner}`, "tmpfs", path]);
  // Lazily: a daemon that was started there may still be using it.
  return new Fault(() => host.must(["umount", "-l", path], { cwd: "/" }));
}

async function knownHostsOf(rig: Rig): Promise<string[]> {
  const files = [rig.origin.path("/root/.ssh/known_hosts")];
  for await (const { name } of Deno.readDir(rig.origin.path("/home"))) {
    files.push(rig.origin.path(`/home/${name}/.ssh/known_hosts`));
  }
  return files;
}

/** Runs `ip` commands in the network of a holder, named by the machine's pid. */
async function ip(pid: number, batch: string): Promise<void> {
  await runTool(["nsenter", "-t", String(pid), "-n", "ip", "-batch", "-"], { stdin: batch + "\n" });
}
