/**
 * A rig of several segments, each with gateways, whose hosts the origin reaches only through those:
 * and the mesh file that says so. Segment "a" has the gateways ga1, ga2, ... and the hosts a1, a2, ...
 */

import { Rig } from "./rig.ts";

export interface SegmentOptions {
  /** One small letter each. */
  readonly segments: readonly string[];
  /** Of each segment. */
  readonly gateways: number;
  /** Of each segment, besides the gateways. */
  readonly hosts: number;
}

/** Where all gateways and the origin are. */
export const OUTSIDE = "outside";

export async function startSegments(options: SegmentOptions): Promise<Rig> {
  const members = new Map(options.segments.map((name) => [name, membersOf(name, options)]));
  const all = [...members.values()];
  return await Rig.start({
    hosts: all.flatMap(({ gateways, hosts }) => [...gateways, ...hosts]),
    segments: {
      [OUTSIDE]: all.flatMap(({ gateways }) => gateways),
      ...Object.fromEntries(
        [...members].map(([name, { gateways, hosts }]) => [name, [...gateways, ...hosts]]),
      ),
    },
  });
}

/** A mesh file for all hosts of such a rig. */
export function segmentsFile(
  rig: Rig,
  options: SegmentOptions & { readonly more?: string },
): string {
  const addresses = (hosts: readonly string[], segment: string) =>
    hosts.map((name) => rig.host(name).interfaces.find((one) => one.segment === segment)?.ipv4)
      .join(",");
  const rows = options.segments.map((segment) => {
    const { gateways, hosts } = membersOf(segment, options);
    return `
[[hosts]]
names = "${gateways.join(",")}"
address = "${addresses(gateways, OUTSIDE)}"
inner_address = "${addresses(gateways, segment)}"
segment = "${segment}"
gateway = true

[[hosts]]
names = "${hosts.join(",")}"
address = "${addresses(hosts, segment)}"
segment = "${segment}"
via = "${gateways.join(",")}"
`;
  });
  return `name = "lab"\nport = 7117\n${rows.join("")}${options.more ?? ""}`;
}

function membersOf(
  segment: string,
  options: SegmentOptions,
): { readonly gateways: string[]; readonly hosts: string[] } {
  const named = (head: string, count: number) =>
    Array.from({ length: count }, (_, i) => `${head}${i + 1}`);
  return {
    gateways: named(`g${segment}`, options.gateways),
    hosts: named(segment, options.hosts),
  };
}
