/** `minime status` for people and for programs: the nodes by segment, the links, what is wrong. */

import { formatDuration } from "../shared/duration.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import type { Style } from "../shared/output.ts";
import type { Column } from "../shared/table.ts";
import { printable } from "../shared/text.ts";
import type { MeshStatus, Problem, StatusLink, StatusNode } from "./status.ts";
import { plural } from "../shared/plural.ts";

const NODE_COLUMNS: readonly Column[] = [
  { header: "SEGMENT" },
  { header: "NODES" },
  { header: "STATE" },
  { header: "FOR", align: "right" },
  { header: "LINKS", align: "right" },
  { header: "ROUND TRIP", align: "right", spare: true },
  { header: "ROLE", spare: true },
  { header: "VERSION", spare: true },
];
const STATE_COLUMN = 2;
const STYLES: Readonly<Record<string, Style>> = {
  "up": "green",
  "down": "red",
  "missing": "red",
  "no answer": "yellow",
  "left": "dim",
};

const LINK_COLUMNS: readonly Column[] = [
  { header: "FROM" },
  { header: "TO" },
  { header: "ROUND TRIP", align: "right" },
  { header: "FOR", align: "right" },
];

/** For Output.table. */
export interface StatusTable {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  readonly style: (row: number, column: number) => Style | undefined;
}

/**
 * One row for nodes of a segment that are alike in all but their times, missing ones last; `now` in
 * Unix ms.
 */
export function nodeTable(
  { nodes, missing }: Pick<MeshStatus, "nodes" | "missing">,
  now: number,
): StatusTable {
  const alike = [...Map.groupBy(nodes, (node) => JSON.stringify(factsOf(node))).values()];
  const rows = alike.map((members) => {
    const [first] = members as [StatusNode, ...StatusNode[]];
    const facts = factsOf(first);
    return [
      facts.segment,
      foldNodeset(members.map(({ view }) => view.name)),
      facts.state,
      agesOf(members, now),
      facts.links,
      rangeOf(members.flatMap(({ roundTripsMs }) => roundTripsMs), formatMs),
      first.isGateway ? "gateway" : "-",
      facts.version,
    ];
  });
  for (const [segment, members] of Map.groupBy(missing, ({ segment = "-" }) => segment)) {
    const names = foldNodeset(members.map(({ name }) => name));
    rows.push([segment, names, "missing", "-", "-", "-", "-", "-"]);
  }
  const style = (row: number, column: number) =>
    column === STATE_COLUMN ? STYLES[rows[row]?.[STATE_COLUMN] ?? ""] : undefined;
  return { columns: NODE_COLUMNS, rows, style };
}

/** Every link by itself. */
export function linkTable(links: readonly StatusLink[], now: number): StatusTable {
  const rows = links.map(({ from, to, roundTripMs, since }) => [
    from,
    to,
    roundTripMs === null ? "-" : formatMs(roundTripMs),
    since === null ? "-" : formatDuration(ageOf(since, now)),
  ]);
  return { columns: LINK_COLUMNS, rows, style: () => undefined };
}

/** One line for each thing that is wrong, the gravest first. */
export function problemLines({ problems, nodes }: MeshStatus, now: number): string[] {
  return problems.map((problem) => printable(problemText(problem, nodes, now)));
}

/** "healthy: 4 up, 6 links, round trip 0.21 to 0.34 ms"; "degraded: 3 up, 1 lost, …". */
export function statusSummary({ nodes, links, missing, problems }: MeshStatus): string {
  const count = (state: string) => nodes.filter((node) => stateOf(node) === state).length;
  const parts = [
    `${count("up")} up`,
    ...counted(count("no answer"), "without an answer"),
    ...counted(count("down"), "lost"),
    ...counted(missing.length, "missing"),
    ...counted(count("left"), "left"),
    plural(links.length, "link"),
  ];
  const roundTrips = links.flatMap(({ roundTripMs }) => roundTripMs ?? []);
  if (roundTrips.length > 0) parts.push(`round trip ${rangeOf(roundTrips, formatMs)}`);
  return `${problems.length === 0 ? "healthy" : "degraded"}: ${parts.join(", ")}`;
}

/** Stable for programs; times are Unix ms. */
export function statusJson(status: MeshStatus): Record<string, unknown> {
  return {
    healthy: status.problems.length === 0,
    nodes: status.nodes.map((node) => ({
      name: node.view.name,
      keyId: node.view.keyId,
      segment: node.view.segment,
      state: node.view.state,
      since: node.view.since,
      lostAt: node.view.lostAt ?? null,
      gateway: node.isGateway,
      version: node.view.version,
      answers: node.view.state === "up" && node.silence === undefined,
      silence: node.silence ?? null,
      links: node.links,
      linksWanted: node.wanted,
    })),
    links: status.links,
    missing: status.missing.map(({ name, keyId, segment = null }) => ({ name, keyId, segment })),
    problems: status.problems,
  };
}

interface Facts {
  readonly segment: string;
  readonly isGateway: boolean;
  readonly state: string;
  readonly links: string;
  readonly version: string;
}

function factsOf(node: StatusNode): Facts {
  const { view, isGateway, links, wanted } = node;
  return {
    segment: view.segment,
    isGateway,
    state: stateOf(node),
    links: view.state === "up" ? `${links} of ${wanted}` : "-",
    version: view.version,
  };
}

function stateOf({ view, silence }: StatusNode): string {
  return silence === undefined ? view.state : "no answer";
}

function problemText(problem: Problem, nodes: readonly StatusNode[], now: number): string {
  switch (problem.kind) {
    case "lost": {
      const at = problem.lostAt === null ? "" : ` at ${problem.lostAt}`;
      const lost = nodes.filter(({ view }) =>
        view.state === "down" && (view.lostAt ?? null) === problem.lostAt
      );
      return `${problem.nodes}: lost${at} ${agesOf(lost, now)} ago`;
    }
    case "missing": {
      const { via, since } = problem;
      const ago = since === null ? "" : ` ${formatDuration(ageOf(since, now))} ago`;
      return `${problem.nodes}: not seen since ${via} started${ago}`;
    }
    case "silent":
      return `${problem.nodes}: no answer: ${problem.why}`;
    case "no-link":
      return `${problem.node}: no link with ${problem.to}`;
    case "one-sided":
      return `${problem.node}: claims a link with ${problem.to}, which does not`;
    case "slow":
      return `${problem.node}: round trip to ${problem.to} takes ${formatMs(problem.roundTripMs)}` +
        `, more than ${formatMs(problem.limitMs)}`;
    case "gateways":
      return problem.left.length === 0
        ? `segment ${problem.segment}: no gateway is up`
        : `segment ${problem.segment}: only one gateway is left, ${problem.left.join(",")}`;
    case "certificate":
    case "protocol":
      return `${problem.node}: ${problem.text}`;
    case "name": {
      const keys = problem.keyIds.map((keyId) => keyId.slice(0, 16)).join(" and ");
      return `${problem.name}: two nodes live under this name, with keys ${keys}; revoke one of them`;
    }
    case "versions":
      return `versions differ: ${
        problem.versions.map(([version, names]) => `${names} has ${version}`).join(", ")
      }`;
  }
}

function counted(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count} ${what}`];
}

function agesOf(nodes: readonly StatusNode[], now: number): string {
  return rangeOf(nodes.map(({ view }) => ageOf(view.since, now)), formatDuration);
}

/** By the clock of the daemon that told us, which may be ahead of ours. */
function ageOf(since: number, now: number): number {
  return Math.max(0, now - since);
}

function formatMs(ms: number): string {
  return `${ms.toFixed(ms < 10 ? 2 : 0)} ms`;
}

function rangeOf(numbers: readonly number[], format: (number: number) => string): string {
  if (numbers.length === 0) return "-";
  const texts = [
    format(numbers.reduce((least, each) => Math.min(least, each))),
    format(numbers.reduce((most, each) => Math.max(most, each))),
  ];
  return texts[0] === texts[1] ? texts[0] as string : texts.join(" to ");
}
