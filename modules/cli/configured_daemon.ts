/**
 * A daemon that starts with its machine: it finds itself in the mesh file, takes its keys from the
 * folder that was made for it, and goes on where its earlier lives ended.
 */

import {
  type AuthenticationError,
  choosePrimitives,
  type Environment,
  errorText,
  isNewer,
  type MeshSecrets,
  type Minimed,
  MinimeError,
  NO_REVOCATIONS,
  POLICY_LIMITS_DEFAULT,
  type Primitives,
  raiseFileLimit,
  type RevocationList,
  type Revocations,
  type SignedPolicy,
  type Trust,
  verifyMeshSecrets,
  verifyPolicy,
  verifyRevocations,
} from "../../core/mod.ts";
import { hasJoined, joinByToken, readToken, requireTokenFor } from "../init_boot/mod.ts";
import { findHelpers } from "../discovery/mod.ts";
import type { CommandContext } from "../shared/command.ts";
import { trustOf } from "../shared/credentials.ts";
import { EXIT } from "../shared/exit_code.ts";
import { listenEndpoints } from "../shared/host_endpoints.ts";
import type { DaemonLogLevel } from "../shared/log_level.ts";
import type { MeshFile, MeshHost } from "../shared/mesh_file.ts";
import { identify, loadNodeKeys, type NodeKeys } from "../shared/node_keys.ts";
import { readPrivateFile } from "../shared/private_folder.ts";
import { installedStateRoot, statePaths } from "../shared/state_folder.ts";
import { othersOf, type OwnFile, readOwnFile } from "./configured_file.ts";
import { fileTarget, startLog, stderrTarget } from "./daemon_log.ts";
import { DaemonPlace } from "./daemon_place.ts";
import { serve } from "./daemon_service.ts";
import { FileReload, LOG_LEVEL_DEFAULT } from "./file_reload.ts";
import { HangUps } from "./hang_ups.ts";
import {
  encodeChain,
  revived,
  reviveOnce,
  type ReviveParts,
  withNewestChain,
} from "./node_certificate.ts";
import { type KeptDocument, NodeState } from "./node_state.ts";
import { openIssuer, openRegistrar } from "./registrar_desk.ts";
import { toldEndpoints } from "./told_endpoints.ts";
import { WaitingDaemon, type WaitOptions } from "./waiting_daemon.ts";
import { Replacement } from "./replacement.ts";
import { Presence } from "./presence.ts";
import { plural } from "../shared/plural.ts";

/** As on the command line. */
export interface ConfiguredOptions {
  /** The mesh file. */
  readonly config: string;
  /** @default the host that this machine is by its host name or address */
  readonly name?: string;
  /** The folder of keys. @default the one that holds the mesh file */
  readonly keys?: string;
  /** Holds a token, with which to become a node unless we are one. @default none */
  readonly tokenFile?: string;
  /** @default what the file says */
  readonly logLevel?: DaemonLogLevel;
  /** Where the log goes. @default stderr */
  readonly log?: string;
  /** Holds our pid from when we run until we stop. @default none */
  readonly pidFile?: string;
}

/** Returns when the daemon has stopped. */
export async function runConfigured(
  context: CommandContext,
  options: ConfiguredOptions,
): Promise<number> {
  raiseFileLimit();
  const { env } = context;
  const hangUps = new HangUps();
  const replacement = new Replacement(env);
  // From the beginning: it is no reason to stop.
  using _hangUp = context.takeHangUp(() => hangUps.came());
  const first = await readOwnFile(env, options);
  const { name } = first.host;
  using primitives = await choosePrimitives();
  const folder = options.keys ?? folderOf(options.config);
  const { tokenFile } = options;
  if (tokenFile !== undefined && !await hasJoined(env, folder)) {
    const { signal } = context;
    const token = await readToken(context, tokenFile);
    requireTokenFor(token, { mesh: first.mesh.name, name });
    await joinByToken(env, primitives, { token, folder, signal });
  }
  const folderKeys = await loadNodeKeys(env, primitives, folder);
  const place = await DaemonPlace.claim(
    env,
    statePaths(installedStateRoot(env), first.mesh.name, name),
  );
  const target = options.log === undefined ? stderrTarget(context) : fileTarget(env, options.log);
  const logging = await startLog(
    env,
    target,
    options.logLevel ?? first.host.logLevel ?? LOG_LEVEL_DEFAULT,
  );
  let ended: AuthenticationError | undefined;
  try {
    const reload = new FileReload({ ...options, env, keys: folder, logging, file: first });
    const state = await NodeState.open(env, place.paths.folder);
    const log = logging.log("daemon");
    const warn = (text: string) => log("warning", text);
    const trust = await loadTrust(env, primitives, { keys: folderKeys, state, warn });
    const { revocations } = trust;
    const newest = await withNewestChain(env, primitives, {
      keys: folderKeys,
      state,
      revocations,
      warn,
    });
    const stateFolder = place.paths.folder;
    const issuer = await openIssuer(env, primitives, { keys: newest, revocations, stateFolder });
    const reviving = {
      file: () => reload.file,
      trust,
      signal: context.signal,
      ...(issuer === undefined ? {} : { own: () => issuer.authority }),
      find: finder(env, primitives, { file: () => reload.file, meshId: trust.meshId }),
    };
    await using presence = new Presence(env, {
      ...(options.pidFile === undefined ? {} : { pidFile: options.pidFile }),
      waiting: place.paths.waiting,
      goesOn: () => replacement.next !== undefined,
    });
    const keys = await certified(env, primitives, {
      ...reviving,
      keys: newest,
      state,
      warn,
      waits: (text) => presence.waits(text),
      log,
      hangUps,
      read: () => reload.early(),
    });
    // Told to stop before there was one.
    if (keys === undefined) return EXIT.ok;
    const { mesh, host } = reload.file;
    const belief = { trust: () => trust };
    const self = identify(env, primitives, { keys, name, revocations });
    for (const endpoint of await ownEndpoints(env, host)) await place.bind(endpoint);
    const told = () => toldEndpoints(reload.file, { bound: place.endpoints, network: env.network });
    const registrar = issuer && await openRegistrar(env, primitives, {
      issuer,
      mesh: mesh.name,
      keyId: self.identity.keyId,
      endpoints: told,
      stateFolder,
    });
    log("info", `Life ${state.incarnation} of "${name}" in mesh "${mesh.name}"`);
    await serve(context, {
      self,
      trust,
      primitives,
      place,
      logging,
      modules: {
        mesh: {
          segment: host.segment,
          endpoints: told,
          incarnation: state.incarnation,
          onTwin: (error) => ended = error,
          expectsOthers: mesh.discover === true || othersOf(reload.file).length > 0,
        },
        upgrade: {
          folder: place.paths.folder,
          goOnAs: (next) => replacement.goOnAs(next),
        },
        documents: {
          keep: (kind, bytes) => state.keep(`${kind}.signed`, bytes),
          onRevoked: (error) => ended = error,
        },
        hooks: {
          mesh: mesh.name,
          ...(mesh.hooks === undefined ? {} : { hooks: mesh.hooks }),
        },
        discovery: {
          primitives,
          meshId: trust.meshId,
          discover: mesh.discover,
          segment: host.segment,
        },
        initBoot: {
          hosts: othersOf(reload.file),
          ...(registrar === undefined ? {} : { desk: registrar.desk }),
          reload: () => reload.run(),
        },
        keys: {
          enrolment: { primitives, mesh: mesh.name },
          ...(registrar === undefined
            ? {}
            : { office: registrar.office, issuer: registrar.issuer }),
          revive: (signal) => {
            const trust = belief.trust();
            return reviveOnce(env, primitives, { ...reviving, keys, trust, signal });
          },
          keep: (chain) => state.keep("node.chain", encodeChain(chain)),
        },
      },
      journal: state.journal,
      comesBack: true,
      // A machine that lost its power may have lost the end of the journal too.
      requestsSinceMs: (await env.host()).booted,
      onUp: (daemon) => {
        reload.up(daemon);
        belief.trust = () => daemon.trust;
        return whileUp({ daemon, hangUps, what: whatOf(mesh, host), presence });
      },
    });
  } finally {
    await logging.close();
    await place.leave();
  }
  // So a service manager shows it as one that needs a person, and why.
  if (ended !== undefined) throw ended;
  if (!context.signal.aborted) await replacement.run();
  return EXIT.ok;
}

/** Undefined: we are to stop before there was a certificate. */
async function certified(
  env: Environment,
  primitives: Primitives,
  { log, hangUps, read, ...parts }:
    & Omit<Parameters<typeof revived>[2], "pause">
    & Pick<WaitOptions, "log" | "hangUps" | "read">,
): Promise<NodeKeys | undefined> {
  const { signal } = parts;
  await using waiting = new WaitingDaemon({ clock: env.clock, hangUps, log, read, signal });
  return await revived(env, primitives, { ...parts, pause: (ms) => waiting.pause(ms) });
}

/** Asks the networks of this machine for who can get us a certificate. */
function finder(
  env: Environment,
  primitives: Primitives,
  { file, meshId }: { readonly file: () => OwnFile; readonly meshId: Uint8Array },
): ReviveParts["find"] {
  return (signal) => {
    const { segment, gateway } = file().host;
    return findHelpers(env, { primitives, meshId, circle: { segment, gateway }, signal });
  };
}

function whatOf(mesh: MeshFile, host: MeshHost): string {
  return `"${host.name}" in mesh "${mesh.name}"`;
}

/** What the daemon does for those who manage it, from its start to its stop. */
async function whileUp(
  parts: {
    readonly daemon: Minimed;
    readonly hangUps: HangUps;
    readonly what: string;
    readonly presence: Presence;
  },
): Promise<AsyncDisposable> {
  const { daemon, hangUps, what, presence } = parts;
  const initBoot = daemon.caller("init_boot");
  hangUps.take(() => {
    initBoot.request("init_boot.reload").catch(() => {
      // The module has logged why the file stays as it was.
    });
  });
  const module = daemon.caller("mesh");
  await presence.runs(async () => {
    const links = await module.request("mesh.links") as readonly unknown[];
    return `${what}, ${plural(links.length, "link")}`;
  });
  return presence;
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash < 0 ? "." : slash === 0 ? "/" : path.slice(0, slash);
}

/** The newest of what was given and of what this node has seen since. */
async function loadTrust(
  env: Environment,
  primitives: Primitives,
  { keys, state, warn }: {
    readonly keys: NodeKeys;
    readonly state: NodeState;
    readonly warn: (text: string) => void;
  },
): Promise<Trust> {
  const { meshId, rootPublicKey, psk } = keys;
  const read = async <T extends { version: number; hash: Uint8Array }>(
    name: KeptDocument,
    verify: (bytes: Uint8Array) => T,
  ): Promise<T | undefined> => {
    const given = await readPrivateFile(env, `${keys.folder}/${name}`);
    const newest = given === undefined ? undefined : verify(given);
    const kept = await state.document(name);
    if (kept === undefined) return newest;
    try {
      const later = verify(kept);
      return newest === undefined || isNewer(later, newest) ? later : newest;
    } catch (error) {
      // Of another mesh whose node had this name: the folder of keys is what counts.
      if (!(error instanceof MinimeError)) throw error;
      warn(`"${name}" in the state folder is not used: ${errorText(error)}`);
      return newest;
    }
  };
  const list = await read<RevocationList>(
    "revocations.signed",
    (bytes) => verifyRevocations(primitives, { bytes, meshId, rootPublicKey }),
  );
  const revocations: Revocations = list ?? NO_REVOCATIONS;
  const now = env.clock.now();
  const skewMs = POLICY_LIMITS_DEFAULT.clockSkewMs;
  const policy = await read<SignedPolicy>(
    "policy.signed",
    (bytes) => verifyPolicy(primitives, { bytes, meshId, rootPublicKey, now, revocations, skewMs }),
  );
  const secrets = await read<MeshSecrets>(
    "secrets.signed",
    (bytes) => verifyMeshSecrets(primitives, { bytes, meshId, rootPublicKey }),
  );
  return trustOf({
    primitives,
    rootPublicKey,
    psk,
    secretsDocument: secrets,
    policy: policy?.policy ?? { rules: [], limits: POLICY_LIMITS_DEFAULT },
    ...(policy === undefined ? {} : { policyDocument: policy }),
    revocationList: list,
  });
}

/** On a machine without IPv6 there are fewer addresses. */
async function ownEndpoints({ files }: Environment, host: MeshHost): Promise<readonly string[]> {
  const hasIpv6 = await files.facts("/proc/net/if_inet6") !== undefined;
  return listenEndpoints(host).map((endpoint) =>
    hasIpv6 ? endpoint : endpoint.replace(/^tcp:\[::\]:/, "tcp:0.0.0.0:")
  );
}
