/**
 * Who has which address in a rig, as pure functions: segments are bridges, segment number s is
 * 10.77.s.0/24 and fd77:s::/64 (fd77::/64 for the first). The origin is .1, the k-th host .(10+k).
 */

export interface Interface {
  /** The name inside the host: eth0, eth1, ... in the order of the segments. */
  readonly name: string;
  readonly segment: string;
  /** The other end, in the switch. */
  readonly port: string;
  readonly bridge: string;
  readonly ipv4: string;
  readonly ipv6?: string;
}

export interface NetworkPlan {
  /** Of the segments that somebody is on. */
  readonly bridges: readonly string[];
  /** Host name (and the origin's) to its interfaces. */
  readonly interfaces: ReadonlyMap<string, readonly Interface[]>;
}

export const ORIGIN = "origin";
const HOSTS_MAX = 240;
const FIRST_HOST_NUMBER = 11;

export function planNetwork(options: {
  hosts: readonly string[];
  segments: Readonly<Record<string, readonly string[]>>;
  originSegments: readonly string[];
  ipv6: boolean;
}): NetworkPlan {
  const { hosts, segments, originSegments, ipv6 } = options;
  if (hosts.length > HOSTS_MAX) {
    throw new RangeError(`A rig has at most ${HOSTS_MAX} hosts, got ${hosts.length}`);
  }
  for (const name of hosts) checkName(name, hosts);
  const names = Object.keys(segments);
  for (const name of originSegments) {
    if (!names.includes(name)) throw new TypeError(`Unknown segment '${name}' of the origin`);
  }
  for (const name of Object.values(segments).flat()) {
    if (!hosts.includes(name)) throw new TypeError(`A segment names the unknown host '${name}'`);
  }
  const interfaces = new Map<string, Interface[]>();
  [ORIGIN, ...hosts].forEach((host, index) => {
    const number = index === 0 ? 1 : FIRST_HOST_NUMBER + index - 1;
    const mine = names.filter((name) =>
      host === ORIGIN ? originSegments.includes(name) : segments[name]?.includes(host)
    );
    interfaces.set(
      host,
      mine.map((segment, nth) => {
        const s = names.indexOf(segment);
        return {
          name: `eth${nth}`,
          segment,
          port: `h${index}s${s}`,
          bridge: `br${s}`,
          ipv4: `10.77.${s}.${number}`,
          ...(ipv6 ? { ipv6: `fd77${s === 0 ? "" : `:${s}`}::${number}` } : {}),
        };
      }),
    );
  });
  const used = [...interfaces.values()].flat().map(({ bridge }) => bridge);
  return { bridges: [...new Set(used)], interfaces };
}

/** The switch's `ip -batch` text, which also moves the far ends into the hosts' namespaces. */
export function switchBatch(plan: NetworkPlan, pids: ReadonlyMap<string, number>): string {
  const lines = plan.bridges.flatMap((bridge) => [
    `link add ${bridge} type bridge`,
    `link set ${bridge} up`,
  ]);
  for (const [host, interfaces] of plan.interfaces) {
    for (const { name, port, bridge } of interfaces) {
      lines.push(
        `link add ${port} type veth peer name ${name} netns ${pids.get(host)}`,
        `link set ${port} master ${bridge} up`,
      );
    }
  }
  return lines.join("\n") + "\n";
}

/** A host's `ip -batch` text. */
export function hostBatch(interfaces: readonly Interface[]): string {
  const lines = ["link set lo up"];
  for (const { name, ipv4, ipv6 } of interfaces) {
    lines.push(`addr add ${ipv4}/24 broadcast + dev ${name}`);
    // Duplicate address detection would keep the address unusable for a second or two.
    if (ipv6 !== undefined) lines.push(`addr add ${ipv6}/64 dev ${name} nodad`);
    lines.push(`link set ${name} up`);
  }
  return lines.join("\n") + "\n";
}

/** A host's /etc/hosts: everybody by an address on a shared segment where there is one. */
export function hostsFile(plan: NetworkPlan, viewer: string): string {
  const mine = (plan.interfaces.get(viewer) ?? []).map((one) => one.segment);
  const lines = ["127.0.0.1 localhost", "::1 ip6-localhost"];
  for (const [host, interfaces] of plan.interfaces) {
    const shared = interfaces.find((one) => mine.includes(one.segment)) ?? interfaces[0];
    if (shared === undefined) continue;
    lines.push(`${shared.ipv4} ${host}`);
    if (shared.ipv6 !== undefined) lines.push(`${shared.ipv6} ${host}-v6`);
  }
  return lines.join("\n") + "\n";
}

function checkName(name: string, all: readonly string[]): void {
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(name)) throw new TypeError(`Bad host name '${name}'`);
  if (name === ORIGIN || name === "switch") throw new TypeError(`Host name '${name}' is reserved`);
  if (all.filter((one) => one === name).length > 1) {
    throw new TypeError(`Host name '${name}' is given twice`);
  }
}
