/**
 * Many hosts on one machine for system tests: network namespaces around a switch, each host with
 * its own address, name, homes, /tmp, /run, processes and sshd, and an origin from where ssh leads
 * to all of them. The machine's own network and mounts stay untouched, and rigs of different
 * processes do not meet. Disposing takes down what this rig made, also after a failed start; what
 * a killed test run left is removed by the next start.
 */

import { accountsOf, makeClients, makeHomes, makeKey, makeKeys } from "./accounts.ts";
import type { Account } from "./accounts.ts";
import { borrow, minimeCommand } from "./binary.ts";
import type { MinimeCommand } from "./binary.ts";
import { Holder } from "./holder.ts";
import { Host } from "./host.ts";
import type { SpawnOptions } from "./host.ts";
import { makeFolder, removeFolder, removeLeftovers } from "./leftovers.ts";
import { hostBatch, hostsFile, ORIGIN, planNetwork, switchBatch } from "./network.ts";
import type { NetworkPlan } from "./network.ts";
import { runTool } from "./process.ts";
import type { Process, RunOptions, RunResult } from "./process.ts";

export interface RigOptions {
  readonly hosts: readonly string[];
  /** Segment name to its hosts; a gateway is in several. @default one segment "lan" with all hosts */
  readonly segments?: Readonly<Record<string, readonly string[]>>;
  /** @default the first segment */
  readonly originSegments?: readonly string[];
  /** @default false */
  readonly ipv6?: boolean;
  /** Unix accounts beside root, on all hosts and the origin. */
  readonly users?: readonly string[];
}

export class Rig implements AsyncDisposable {
  /** Where the user sits: ssh keys and configuration, no sshd. */
  readonly origin: Host;
  /** In the order of the options. */
  readonly hosts: readonly Host[];
  /** The machine's pid for entering the switch's network. */
  readonly switchPid: number;
  readonly folder: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(folder: string, made: Made, stack: AsyncDisposableStack) {
    this.folder = folder;
    this.origin = made.origin;
    this.hosts = made.hosts;
    this.switchPid = made.switchPid;
    this.#stack = stack;
  }

  static async start(options: RigOptions): Promise<Rig> {
    const segments = options.segments ?? { lan: options.hosts };
    const plan = planNetwork({
      hosts: options.hosts,
      segments,
      originSegments: options.originSegments ?? Object.keys(segments).slice(0, 1),
      ipv6: options.ipv6 ?? false,
    });
    const accounts = accountsOf(options.users ?? []);
    await removeLeftovers();
    const folder = await makeFolder();
    await using stack = new AsyncDisposableStack();
    stack.defer(() => removeFolder(folder));
    await makeKeys(folder, accounts);
    const made = await startHosts(folder, { plan, accounts, stack });
    return new Rig(folder, made, stack.move());
  }

  /** A host by its name. */
  host(name: string): Host {
    const host = this.hosts.find((one) => one.name === name);
    if (host === undefined) throw new TypeError(`The rig has no host '${name}'`);
    return host;
  }

  /** How the origin starts the program under test: append the arguments. */
  minimeCommand(): MinimeCommand {
    return minimeCommand(this.origin.folder);
  }

  /** Runs the program under test on the origin and collects its output. */
  async minime(
    args: readonly string[],
    options: SpawnOptions & RunOptions = {},
  ): Promise<RunResult> {
    await using process = this.spawnMinime(args, options);
    return await process.finish(options);
  }

  /** As {@link minime}, for a program that goes on. */
  spawnMinime(args: readonly string[], options: SpawnOptions = {}): Process {
    const { argv, env } = this.minimeCommand();
    return this.origin.spawn([...argv, ...args], { ...options, env: { ...env, ...options.env } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

interface Made {
  readonly origin: Host;
  readonly hosts: readonly Host[];
  readonly switchPid: number;
}

/**
 * In this order: 1. the folders, 2. all namespaces at once, 3. the cables, for which the switch has
 * to know everybody's pid, 4. addresses and sshd.
 */
async function startHosts(
  folder: string,
  options: { plan: NetworkPlan; accounts: readonly Account[]; stack: AsyncDisposableStack },
): Promise<Made> {
  const { plan, accounts, stack } = options;
  const names = [...plan.interfaces.keys()];
  const keys = await all(names.map((name) => makeHostFolder(folder, { name, plan, accounts })));
  const knownHosts = keys.join("");
  await makeClients(`${folder}/${ORIGIN}`, { keys: `${folder}/keys`, accounts, knownHosts });
  await borrow(`${folder}/${ORIGIN}`);
  await Deno.mkdir(`${folder}/switch`);
  await Deno.writeTextFile(`${folder}/switch/ip.batch`, "link set lo up\n");

  const held: Holder[] = [];
  stack.defer(async () => {
    await all(held.map((holder) => holder[Symbol.asyncDispose]()));
  });
  const hold = async (name: string) => {
    const kind = name === "switch" ? "switch" : "host";
    const holder = await Holder.start(`${folder}/${name}`, kind);
    held.push(holder);
    return holder;
  };
  const [hub, ...holders] = await all(["switch", ...names].map(hold));
  if (hub === undefined) throw new Error("The switch did not start");

  const pids = new Map(names.map((name, index) => [name, holders[index]?.pid ?? 0]));
  await hub.connect();
  // From outside of the switch, where the pids mean the same as here.
  await runTool(["nsenter", "-t", String(hub.pid), "-n", "ip", "-batch", "-"], {
    stdin: switchBatch(plan, pids),
  });
  await all(holders.map((holder) => holder.connect()));

  const [origin, ...hosts] = names.flatMap((name, index) => {
    const holder = holders[index];
    if (holder === undefined) return [];
    const interfaces = plan.interfaces.get(name) ?? [];
    return [new Host(name, { interfaces, folder: `${folder}/${name}`, holder, accounts })];
  });
  if (origin === undefined) throw new Error("The origin did not start");
  return { origin, hosts, switchPid: hub.pid };
}

/** Resolves to the host's lines for known_hosts. */
async function makeHostFolder(
  rig: string,
  options: { name: string; plan: NetworkPlan; accounts: readonly Account[] },
): Promise<string> {
  const { name, plan, accounts } = options;
  const folder = `${rig}/${name}`;
  const interfaces = plan.interfaces.get(name) ?? [];
  await Deno.mkdir(`${folder}/etc`, { recursive: true });
  await Deno.mkdir(`${folder}/hidden`);
  await makeHomes(folder, accounts);
  await Deno.writeTextFile(`${folder}/etc/hosts`, hostsFile(plan, name));
  await Deno.writeTextFile(`${folder}/etc/hostname`, `${name}\n`);
  await Deno.writeTextFile(`${folder}/etc/resolv.conf`, "");
  await Deno.writeTextFile(`${folder}/ip.batch`, hostBatch(interfaces));
  if (name === ORIGIN) return "";
  await makeKey(`${folder}/host_key`, name);
  await Deno.writeTextFile(`${folder}/sshd_config`, sshdConfig(rig, folder));
  await Deno.writeTextFile(`${folder}/sshd_start`, sshdStart(folder));
  await Deno.writeTextFile(`${folder}/sshd_stop`, SSHD_STOP);
  const patterns = interfaces.flatMap(({ ipv4, ipv6 }) =>
    ipv6 === undefined ? [ipv4] : [ipv4, ipv6, `${name}-v6`]
  );
  const key = await Deno.readTextFile(`${folder}/host_key.pub`);
  return `${[name, ...new Set(patterns)].join(",")} ${key}`;
}

function sshdConfig(rig: string, folder: string): string {
  return `Port 22
HostKey ${folder}/host_key
AuthorizedKeysFile ${rig}/authorized/%u
PidFile /run/sshd.pid
UsePAM no
UseDNS no
StrictModes no
MaxStartups 200
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
SetEnv PATH=/usr/bin:/bin:/usr/sbin:/sbin
Subsystem sftp internal-sftp
`;
}

/** sshd leaves for the background before it listens; it writes its pid after. */
function sshdStart(folder: string): string {
  return `set -eu
rm -f /run/sshd.pid
/usr/sbin/sshd -f ${folder}/sshd_config -E ${folder}/sshd.log
while [ ! -s /run/sshd.pid ]; do sleep 0.01; done
`;
}

const SSHD_STOP = `set -eu
pid=$(cat /run/sshd.pid)
kill -s KILL "$pid"
while kill -s 0 "$pid" 2>/dev/null; do sleep 0.01; done
rm -f /run/sshd.pid
`;

/** As Promise.all, but waits for all of them before it rejects, so that nothing starts unseen. */
async function all<T>(promises: readonly PromiseLike<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return await Promise.all(promises);
}
