/** What recon prints: hosts with the same findings together, and a line that sums up. */

import { Fold } from "../shared/fold.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import type { Style } from "../shared/output.ts";
import { printable } from "../shared/text.ts";
import { HOST_REASONS } from "./host_error.ts";
import type { HostFacts } from "./recon_facts.ts";
import type { Finding } from "./recon_judge.ts";
import { plural } from "../shared/plural.ts";

/** All that is known of one host. */
export interface ReconReport {
  readonly name: string;
  readonly address: string;
  /** Undefined when it could not be looked at. */
  readonly facts: HostFacts | undefined;
  readonly findings: readonly Finding[];
  /** Nothing stands in the way. */
  readonly isReady: boolean;
}

const OTHER_REASONS = { tools: "tools", home: "home", firewall: "firewall" } as const;

type Paint = (style: Style, text: string) => string;

/** Lines for people. */
export function formatRecon(reports: readonly ReconReport[], paint: Paint): string {
  const fold = new Fold<readonly string[]>();
  for (const report of reports) {
    fold.add(report.name, [
      String(report.isReady),
      ...report.findings.map((finding) => {
        const line = lineOf(finding);
        return finding.isWarning ? paint("yellow", `warning: ${line}`) : paint("red", line);
      }),
    ]);
  }
  const blocks = fold.groups()
    // The good news first: what is to be done stands last, where eyes are.
    .sort((a, b) => Number(b.value[0] === "true") - Number(a.value[0] === "true"))
    .map(({ nodeset, value: [ready, ...lines] }) => {
      const all = ready === "true" ? [paint("green", "ok"), ...lines] : lines;
      return all.length === 1 ? `${nodeset}: ${all[0]}` : `${nodeset}:\n  ${all.join("\n  ")}`;
    });
  return [...blocks, summary(reports)].join("\n");
}

/** For programs. */
export function reconJson(mesh: string, reports: readonly ReconReport[]): unknown {
  return {
    mesh,
    hosts: reports.map(({ name, address, facts, findings, isReady }) => ({
      name,
      address,
      ready: isReady,
      problems: findings.filter(({ isWarning }) => !isWarning).map(plain),
      warnings: findings.filter(({ isWarning }) => isWarning).map(plain),
      ...(facts === undefined ? {} : {
        hostName: facts.hostName,
        user: facts.user,
        cpu: facts.cpu,
        libc: facts.libc,
        home: facts.home,
        freeBytes: facts.cache.freeBytes ?? null,
        binary: facts.binary ?? null,
        daemonPid: facts.daemonPid ?? null,
      }),
    })),
  };
}

function plain({ reason, text }: Finding): { reason: string; text: string } {
  return { reason, text };
}

function lineOf({ reason, text }: Finding): string {
  const label = { ...HOST_REASONS, ...OTHER_REASONS }[reason];
  return printable(text === "" || text === label ? label : `${label}: ${text}`);
}

function summary(reports: readonly ReconReport[]): string {
  const bad = reports.filter(({ isReady }) => !isReady).map(({ name }) => name);
  const count = plural(reports.length, "host");
  if (bad.length === 0) {
    return reports.length === 1 ? "1 host is ready to boot" : `All ${count} are ready to boot`;
  }
  if (bad.length === reports.length) return `None of ${count} is ready to boot`;
  return `${reports.length - bad.length} of ${count} are ready to boot, not ready: ${
    foldNodeset(bad)
  }`;
}
