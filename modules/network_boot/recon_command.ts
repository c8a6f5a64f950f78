/**
 * `minime recon`: would a boot work, and if not, why not, with everything that can be seen from here.
 * It changes nothing, on no host: hosts are looked at through one ssh connection each, without
 * `accept-new`, so that not even known_hosts grows.
 */

import { parseEndpoint } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { exitCodeOf } from "../shared/exit_code.ts";
import type { MeshHost } from "../shared/mesh_file.ts";
import { probe } from "../shared/probe.ts";
import type { reconOptions } from "./commands.ts";
import { HOST_REASONS, type HostReason } from "./host_error.ts";
import { type Visit, visitHosts } from "./host_visits.ts";
import { readHostsFile, selectHosts } from "./hosts_file.ts";
import { FIREWALL_MS_MAX } from "./limits.ts";
import { type HostFacts, parseHostFacts } from "./recon_facts.ts";
import { BINARY_BYTES_TYPICAL, type Finding, judgeHost } from "./recon_judge.ts";
import { formatRecon, reconJson, type ReconReport } from "./recon_report.ts";
import { reconScript } from "./recon_script.ts";

/** The program that boot would copy, as far as it is known without reading it. */
interface Program {
  readonly bytes: number;
  /** CPUs for which there is one; undefined when nobody can tell. */
  readonly cpus: readonly string[] | undefined;
}

/** Exit code: of the hosts asked, whether some or all cannot be booted. */
export async function runRecon(
  context: CommandContext,
  options: OptionsOf<typeof reconOptions>,
): Promise<number> {
  const { out } = context;
  const mesh = await readHostsFile(context, options);
  const hosts = await selectHosts(context, mesh, options);
  const program = await programOf(context, options.binary);
  const probes = new Map(hosts.map((host) => [host.name, probePorts(context, host)]));
  // What is interrupted ends the visits too, and they say so.
  for (const each of probes.values()) each.catch(() => {});
  const visits = await visitHosts(context, hosts, {
    // A key that is not known yet is something to tell, and learning it would be a change.
    mesh: { hosts: mesh.hosts, boot: { ...mesh.boot, strictHostKey: "yes" } },
    timeoutMs: options.timeout ?? mesh.boot.connectTimeoutMs + mesh.boot.timeoutMs,
    doing: "Looking at",
    script: (host) =>
      reconScript({
        mesh: mesh.name,
        node: host.name,
        home: host.home,
        ports: portsOf(host),
        binaryBytes: program.bytes,
      }),
  });
  const reports: ReconReport[] = [];
  for (const visit of visits) {
    const silentPorts = await probes.get(visit.host.name) ?? [];
    const report = reportOf(visit, { program, silentPorts });
    const { facts } = report;
    if (facts !== undefined) out.detail(`${visit.host.name}: ${factsText(facts)}`);
    reports.push(report);
  }
  if (options.json) out.json(reconJson(mesh.name, reports));
  else out.print(formatRecon(reports, (style, text) => out.paint(style, text)));
  return exitCodeOf(reports.length, reports.filter((report) => !report.isReady).length);
}

function reportOf(
  visit: Visit,
  { program, silentPorts }: { readonly program: Program; readonly silentPorts: readonly number[] },
): ReconReport {
  const { host } = visit;
  if (visit.lines === undefined) {
    const { reason, text } = visit.error;
    return report(host, undefined, [{ reason, text: afterReason(reason, text), isWarning: false }]);
  }
  const facts = parseHostFacts(visit.lines);
  if (facts === undefined) {
    const text = "the login shell did not run it to its end";
    return report(host, undefined, [{ reason: "script", text, isWarning: false }]);
  }
  const findings = judgeHost(facts, {
    binaryBytes: program.bytes,
    cpus: program.cpus,
    asked: visit.asked,
    isLocal: host.launcher === "local",
  });
  for (const port of silentPorts) {
    const text = `port ${port} does not answer from here, a firewall may drop what comes to it`;
    findings.push({ reason: "firewall", text, isWarning: true });
  }
  return report(host, facts, findings);
}

/** The report names the reason itself: "name unknown (…)" and "timed out: …" lose theirs. */
function afterReason(reason: HostReason, text: string): string {
  const words = HOST_REASONS[reason];
  if (!text.startsWith(words)) return text;
  return text.slice(words.length).replace(/^: /, "").replace(/^ \((.*)\)$/, "$1");
}

function report(
  host: MeshHost,
  facts: HostFacts | undefined,
  findings: readonly Finding[],
): ReconReport {
  const isReady = findings.every(({ isWarning }) => isWarning);
  return { name: host.name, address: host.address, facts, findings, isReady };
}

/** The TCP ports on which its daemon will listen; without those that are free to choose. */
function portsOf(host: MeshHost): number[] {
  const ports = host.listen.length === 0 ? [host.port] : host.listen.flatMap((endpoint) => {
    const address = parseEndpoint(endpoint);
    return address.transport === "tcp" ? [address.port] : [];
  });
  return [...new Set(ports)].filter((port) => port !== 0);
}

/** Ports that neither take a connection nor refuse one. */
async function probePorts(
  { env, signal }: CommandContext,
  host: MeshHost,
): Promise<readonly number[]> {
  // What lies behind others is dialled by nodes there alone.
  if (host.launcher === "local" || host.via !== undefined) return [];
  const silent: number[] = [];
  for (const port of portsOf(host)) {
    const address = { transport: "tcp", host: host.address, port } as const;
    // Refused is what is expected; a name may be known to ssh alone.
    const answer = await probe(env, address, { ms: FIREWALL_MS_MAX, signal });
    if (answer === "timeout") silent.push(port);
  }
  return silent;
}

async function programOf({ env }: CommandContext, given: string | undefined): Promise<Program> {
  const path = given ?? env.processes.executable;
  if (path === undefined) return { bytes: BINARY_BYTES_TYPICAL, cpus: undefined };
  const facts = await env.files.facts(path);
  const own = given === undefined ? (await env.host()).architecture : undefined;
  if (own === undefined) return { bytes: facts?.size ?? BINARY_BYTES_TYPICAL, cpus: undefined };
  const folder = path.slice(0, path.lastIndexOf("/"));
  const cpus = [own];
  for (const name of await env.files.list(folder)) {
    const other = /^minime-([a-z0-9_]+?)(-unknown-linux-gnu)?$/.exec(name)?.[1];
    if (other !== undefined) cpus.push(other);
  }
  return { bytes: facts?.size ?? BINARY_BYTES_TYPICAL, cpus };
}

function factsText(facts: HostFacts): string {
  const where = facts.address === undefined ? "" : ` at ${facts.address}`;
  const binary = facts.binary === undefined ? "no binary yet" : `binary ${facts.binary}`;
  return `${facts.user}${where}, host name ${facts.hostName}, ${facts.cpu}, ${facts.libc}, ` +
    `home ${facts.home}, ${binary}`;
}
