/**
 * What boot and grow have in common: boots hosts into a mesh whose keys are there, prints what
 * happens, keeps the list of nodes in the home, and asks the mesh in the end whether it sees them.
 */

import { type Environment, type Primitives, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import type { Authority } from "../shared/authority.ts";
import { formatDuration } from "../shared/duration.ts";
import { exitCodeOf } from "../shared/exit_code.ts";
import { INSTALLED_NODE_MS } from "../shared/limits.ts";
import type { MeshFile, MeshHost } from "../shared/mesh_file.ts";
import { jumpsTo, lonelySegments } from "../shared/mesh_file_jumps.ts";
import type { KnownNode, MeshHome } from "../shared/mesh_home.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { REGISTRAR_GROUP } from "../shared/roles.ts";
import { Binaries } from "./binary.ts";
import { bootHosts, type HostOutcome } from "./boot.ts";
import type { growOptions } from "./commands.ts";
import { endpointsFor } from "./dialling.ts";
import { HostError } from "./host_error.ts";
import { type JumpOptions, Jumps } from "./jumps.ts";
import { KnownNodes } from "./known_nodes.ts";
import { lastingParts } from "./lasting.ts";
import type { Launcher } from "./launcher.ts";
import { LocalLauncher } from "./local_launcher.ts";
import { NodeClients } from "./node_clients.ts";
import { Registrar } from "./registrar.ts";
import { BootReport } from "./report.ts";
import { Sources } from "./sources.ts";
import { SshLauncher } from "./ssh_launcher.ts";
import { knownNode, sightNodes } from "./verify.ts";

/** A mesh that can admit nodes. */
export interface MeshSetup {
  readonly mesh: MeshFile;
  /** Those to boot. */
  readonly hosts: readonly MeshHost[];
  readonly home: MeshHome;
  readonly authority: Authority;
  /** The signed document. */
  readonly policy: Uint8Array;
  readonly primitives: Primitives;
  readonly living: readonly KnownNode[];
  /** Nodes that come back by themselves some time. */
  readonly away: readonly KnownNode[];
}

type Options = OptionsOf<typeof growOptions>;

/** Returns the exit code: whether all, some or none are up. */
export async function bootIntoMesh(
  context: CommandContext,
  setup: MeshSetup,
  options: Options,
): Promise<number> {
  const { env, out, signal } = context;
  const { mesh, hosts, home } = setup;
  for (const segment of lonelySegments(mesh.hosts)) {
    out.warn(`Segment "${segment}" has no gateway: its nodes will not link with other segments`);
  }
  const begun = env.clock.monotonic();
  const report = new BootReport(out, {
    names: hosts.map(({ name }) => name),
    json: options.json,
  });
  const known = await KnownNodes.load(home);
  for (const node of setup.living) known.add(node);
  await using clients = new NodeClients(context, home.name);
  const byName = new Map(mesh.hosts.map((host) => [host.name, host]));
  await using jumps = new Jumps(env, jumpOptions(mesh, options));
  const isUp = new Set(setup.living.map(({ name }) => name));
  const lasting = options.install ? await lastingParts(mesh, home) : undefined;
  // Whether one that is up is installed only its host knows.
  const isDone = ({ name }: MeshHost) => lasting === undefined && isUp.has(name);
  const outcomes = hosts.filter(isDone)
    .map((host): HostOutcome => ({ host, state: "already", ms: 0 }));
  for (const outcome of outcomes) report.outcome(outcome);
  const rest = inBootOrder(hosts.filter((host) => !isDone(host)), byName);
  if (lasting === undefined) {
    warnOfRegistrars(context, rest);
    warnOfInstalled(context, rest, setup.away);
  }
  const places = mesh.hosts.map((host) => ({ ...host, jumps: jumpsTo(host, byName) }));
  const sources = new Sources(places, rest.map(({ name }) => name));
  for (const name of isUp) if (byName.has(name)) sources.up(name);
  // Before anything is up: who interrupts a boot and halts means this mesh, and not the one before.
  await storeBoot(context, { home, file: options.hosts, results: [] });
  try {
    const booted = await bootHosts({
      env,
      mesh: home.name,
      hosts: rest,
      signal,
      window: options.window ?? mesh.boot.window,
      timeoutMs: options.timeout ?? mesh.boot.timeoutMs,
      launcherOf: await launchers(context, { ...setup, hosts: rest }, options, {
        sources,
        jumps,
        open: async (name, hash, to) => {
          await known.store();
          const node = known.require(name);
          const endpoints = endpointsFor(to, node, byName.get(name)?.innerAddress);
          return await clients.open(node, { hash, endpoints });
        },
      }),
      registrar: new Registrar({
        ...setup,
        env,
        mesh: home.name,
        hosts: mesh.hosts,
        living: [...setup.living, ...setup.away],
        lasting,
      }),
      sources,
      onStep: (host, step) => report.step(host.name, step),
      onOutcome: async (outcome) => {
        report.outcome(outcome);
        if (outcome.state === "up") known.add(outcome.node);
        await known.store();
      },
    });
    outcomes.push(...booted);
  } finally {
    out.progress(undefined);
  }
  const results = await verified(context, { setup, outcomes, known, report });
  const up = results.filter(({ state }) => state !== "failed").map(({ host }) => host.name);
  await storeBoot(context, { home, file: options.hosts, results });
  const ms = env.clock.monotonic() - begun;
  report.sum(up, ms);
  if (lasting !== undefined && up.length > 0) {
    out.note(
      'They start with their machines from now on; there, "minime init uninstall" ends that',
    );
    warnOfExpiry(context, mesh);
  }
  if (options.json) {
    out.json({ mesh: home.name, ms: Math.round(ms), ...resultsForPrograms(results, known) });
  }
  return exitCodeOf(hosts.length, hosts.length - up.length);
}

/** What makes a registrar is an issuer's key, and that lies in a file. */
function warnOfRegistrars({ out }: CommandContext, hosts: readonly MeshHost[]): void {
  const names = hosts.filter(({ groups }) => groups.includes(REGISTRAR_GROUP))
    .map(({ name }) => name);
  if (names.length === 0) return;
  out.warn(
    `${foldNodeset(names)} will admit and renew nobody: only a registrar that is installed has a ` +
      "key to sign with, see --install",
  );
}

/** Their machines would start other ones of the same names. */
function warnOfInstalled(
  { out }: CommandContext,
  hosts: readonly MeshHost[],
  away: readonly KnownNode[],
): void {
  const installed = new Set(away.map(({ name }) => name));
  const names = hosts.map(({ name }) => name).filter((name) => installed.has(name));
  if (names.length === 0) return;
  out.warn(
    `${foldNodeset(names)} is installed, and a node of that name is started beside it until its ` +
      "machine stops; with --install the installed one is started",
  );
}

/** Of nodes that are to last for years. */
function warnOfExpiry({ out }: CommandContext, { hosts }: MeshFile): void {
  if (hosts.some(({ groups }) => groups.includes(REGISTRAR_GROUP))) return;
  out.warn(
    `Nobody renews their certificates, which end after ${formatDuration(INSTALLED_NODE_MS)}: ` +
      `give a host groups = ["${REGISTRAR_GROUP}"] and install again, or install again in time`,
  );
}

/** Who is not seen by the mesh has failed, whatever its daemon said. */
async function verified(
  context: CommandContext,
  parts: {
    readonly setup: MeshSetup;
    readonly outcomes: readonly HostOutcome[];
    readonly known: KnownNodes;
    readonly report: BootReport;
  },
): Promise<HostOutcome[]> {
  const { setup, outcomes, known, report } = parts;
  const names = outcomes.filter(({ state }) => state !== "failed").map(({ host }) => host.name);
  if (names.length === 0) return [...outcomes];
  report.linking();
  const { seen, unreachable } = await sightNodes(context, { mesh: setup.home.name, names });
  const now = Math.floor(context.env.clock.now());
  const results = outcomes.map((outcome): HostOutcome => {
    const { host, ms } = outcome;
    if (outcome.state === "failed") return outcome;
    const view = seen.get(host.name);
    if (view !== undefined) {
      known.add(knownNode(view, now));
      return outcome;
    }
    const error = notLinked(outcome, unreachable);
    report.notLinked(host.name, error.text);
    return { host, ms, state: "failed", error };
  });
  await known.store();
  return results;
}

function notLinked(outcome: HostOutcome, unreachable: string | undefined): HostError {
  if (outcome.state === "already") {
    return new HostError(
      "running",
      'a daemon of this name runs there, and this mesh does not see it; "minime wipe" ends it',
      { detail: unreachable },
    );
  }
  return new HostError("not-linked", "it started, and the mesh does not see it", {
    detail: unreachable,
  });
}

/** What stands between us and others first, so that those can use it; gateways serve the others. */
function inBootOrder(
  hosts: readonly MeshHost[],
  all: ReadonlyMap<string, MeshHost>,
): readonly MeshHost[] {
  const rank = (host: MeshHost) => 2 * jumpsTo(host, all) + (host.gateway ? 0 : 1);
  return hosts.toSorted((a, b) => rank(a) - rank(b));
}

function jumpOptions({ hosts, boot }: MeshFile, options: Options): JumpOptions {
  return {
    hosts,
    connectTimeoutMs: options.connectTimeout ?? boot.connectTimeoutMs,
    strictHostKey: options.acceptNew ? "accept-new" : boot.strictHostKey,
    timeoutMs: options.timeout ?? boot.timeoutMs,
  };
}

async function launchers(
  { env }: CommandContext,
  { hosts, mesh, primitives }: MeshSetup,
  options: Options,
  copying: Pick<ConstructorParameters<typeof SshLauncher>[0], "sources" | "jumps" | "open">,
): Promise<(host: MeshHost) => Launcher> {
  const local = new LocalLauncher(env);
  if (hosts.every(({ launcher }) => launcher === "local")) return () => local;
  const path = options.binary ?? env.processes.executable;
  if (path === undefined) {
    throw new UsageError("This program runs from source, so it cannot copy itself to hosts", {
      hint: 'Name an executable made by "deno task build": --binary dist/minime',
    });
  }
  const ssh = new SshLauncher({
    env,
    install: options.install,
    replace: options.replace,
    ...copying,
    ...jumpOptions(mesh, options),
    binaries: await Binaries.open(env, primitives, path),
  });
  return (host) => host.launcher === "local" ? local : ssh;
}

async function storeBoot(
  { env }: CommandContext,
  parts: {
    readonly home: MeshHome;
    readonly file: string | undefined;
    readonly results: readonly HostOutcome[];
  },
): Promise<void> {
  const { home, file, results } = parts;
  const before = await home.lastBoot();
  const path = file === undefined ? before?.file : absolutePath(env, file);
  await home.storeLastBoot({
    at: Math.floor(env.clock.now()),
    ...(path === undefined ? {} : { file: path }),
    up: results.filter(({ state }) => state !== "failed").map(({ host }) => host.name),
    failed: results.flatMap((outcome) =>
      outcome.state === "failed" ? [{ name: outcome.host.name, reason: outcome.error.text }] : []
    ),
  });
}

/** Undefined for what cannot be read again: stdin, or a file in a folder that nobody knows. */
function absolutePath(
  { processes }: Pick<Environment, "processes">,
  file: string,
): string | undefined {
  if (file === "-" || file.startsWith("/dev/")) return undefined;
  const folder = processes.variable("PWD");
  return file.startsWith("/") ? file : folder === undefined ? undefined : `${folder}/${file}`;
}

function resultsForPrograms(
  results: readonly HostOutcome[],
  known: KnownNodes,
): { up: unknown[]; failed: unknown[] } {
  return {
    up: results.filter(({ state }) => state !== "failed").map((outcome) => ({
      name: outcome.host.name,
      already: outcome.state === "already",
      ms: Math.round(outcome.ms),
      endpoints: known.require(outcome.host.name).endpoints,
      ...(outcome.state === "up" && outcome.text !== undefined ? { text: outcome.text } : {}),
    })),
    failed: results.flatMap((outcome) => {
      if (outcome.state !== "failed") return [];
      const { reason, message, detail } = outcome.error;
      return [{ name: outcome.host.name, reason, message, detail, ms: Math.round(outcome.ms) }];
    }),
  };
}
