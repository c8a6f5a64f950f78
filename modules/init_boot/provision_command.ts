/** `minime mesh provision`: keys and certificates of nodes, made here and copied by whoever asked. */

import {
  choosePrimitives,
  keyIdOf,
  type Primitives,
  type Random,
  UsageError,
} from "../../core/mod.ts";
import {
  type Authority,
  issueNode,
  KEY_BYTES,
  needsNow,
  publicKeysOf,
  rootSeedOf,
} from "../shared/authority.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { lockHome } from "../shared/home_lock.ts";
import { formatDuration } from "../shared/duration.ts";
import { dialEndpoints } from "../shared/host_endpoints.ts";
import { makeIssuer, registrarGroups } from "../shared/issuer.ts";
import { INSTALLED_NODE_MS } from "../shared/limits.ts";
import type { MeshFile, MeshHost } from "../shared/mesh_file.ts";
import { meshSource } from "../shared/mesh_file_build.ts";
import type { KnownNode, MeshHome } from "../shared/mesh_home.ts";
import { prepareKeys, preparePolicy } from "../shared/mesh_setup.ts";
import { type NodeFiles, writePrivateFiles } from "../shared/node_folder.ts";
import { foldNodeset, parseNodeset } from "../shared/nodeset.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import { certificateGroups, REGISTRAR_GROUP } from "../shared/roles.ts";
import { didYouMean } from "../shared/suggest.ts";
import type { provisionOptions } from "./commands.ts";
import { type ConfigFile, homeConfigFile, readConfigFile } from "./config_file.ts";

interface Parts {
  readonly authority: Authority;
  readonly home: MeshHome;
  readonly config: ConfigFile;
  readonly primitives: Primitives;
}

/** Writes nothing at all when one of the folders is there already. */
export async function runProvision(
  context: CommandContext,
  options: OptionsOf<typeof provisionOptions>,
  args: readonly string[],
): Promise<void> {
  const { env, out } = context;
  const folder = options.out;
  if (folder === undefined) {
    throw new UsageError("Option --out is missing", { hint: "It names a folder: --out nodes" });
  }
  if (options.valid > INSTALLED_NODE_MS) {
    throw new UsageError(
      `A certificate is valid for ${formatDuration(INSTALLED_NODE_MS)} at most, not ${
        formatDuration(options.valid)
      }`,
    );
  }
  const given = options.config === undefined
    ? undefined
    : await readConfigFile(context, options.config);
  const home = given === undefined
    ? await context.home()
    : (await context.homes.choose(given.mesh.name)).home;
  using _lock = await lockHome(context, home);
  const config = given ?? await homeConfigFile(home);
  const hosts = selectHosts(config.mesh, args);
  for (const { name } of hosts) await refuseExisting(context, `${folder}/${name}`);
  using primitives = await choosePrimitives();
  const authority = await prepareKeys(env, primitives, home);
  const parts = { authority, home, config, primitives };
  if (given !== undefined) await home.store("mesh.toml", given.text);
  const shared = await sharedFiles(context, parts);
  const made: KnownNode[] = [];
  for (const host of hosts) {
    const { files, node } = nodeFiles(context, parts, { host, validityMs: options.valid });
    await writePrivateFiles(env, `${folder}/${host.name}`, { ...shared, ...files });
    made.push(node);
  }
  await rememberNodes(home, made);
  warnOfPorts(context, config.mesh, hosts);
  warnOfExpiry(context, config.mesh, options.valid);
  if (options.json) {
    const nodes = made.map(({ name, keyId, groups }) => ({
      name,
      keyId,
      groups,
      folder: `${folder}/${name}`,
    }));
    return out.json({ mesh: home.name, nodes });
  }
  const names = hosts.map(({ name }) => name);
  const [first = ""] = names;
  out.print(`Keys of ${foldNodeset(names)} are in "${folder}", one folder for each node`);
  out.note(
    `Copy each to its machine, with the program, and remove it here: scp -rp ${
      shellQuoted(`${folder}/${first}`)
    } minime root@${first}:`,
  );
  out.note(`There, as root: ./minime init install --config ${first}/mesh.toml`);
}

function selectHosts(mesh: MeshFile, args: readonly string[]): MeshHost[] {
  const known = new Map(mesh.hosts.map((host) => [host.name, host]));
  const names = new Set(args.flatMap((text) => parseNodeset(text, meshSource(mesh))));
  if (names.size === 0) throw new UsageError("No host is selected");
  return [...names].map((name) => {
    const host = known.get(name);
    if (host !== undefined) return host;
    const suggestion = didYouMean(name, known.keys());
    throw new UsageError(`There is no host "${name}" in the file${suggestion}`, {
      hint: "Add it to the mesh file first, and name that file: --config mesh.toml",
    });
  });
}

async function refuseExisting({ env }: CommandContext, folder: string): Promise<void> {
  if (await env.files.facts(folder) === undefined) return;
  throw new UsageError(`"${folder}" is there already, and its node would get another key`, {
    hint: `If that is what you want: rm -r ${shellQuoted(folder)}`,
  });
}

/** What all nodes get. */
async function sharedFiles(
  { env }: CommandContext,
  { authority, home, config, primitives }: Parts,
): Promise<NodeFiles> {
  const isRootHere = authority.rootSeed !== undefined;
  const policy = isRootHere
    ? await preparePolicy(env, primitives, { home, authority, mesh: config.mesh })
    : await home.require("policy.signed");
  const revocations = await home.load("revocations.signed");
  const secrets = await home.load("secrets.signed");
  return {
    "mesh.toml": config.text,
    "root.pub": authority.rootPublicKey,
    psk: authority.psk,
    "policy.signed": policy,
    ...(revocations === undefined ? {} : { "revocations.signed": revocations }),
    ...(secrets === undefined ? {} : { "secrets.signed": secrets }),
  };
}

/** What one node gets, and how others find it. */
function nodeFiles(
  { env }: CommandContext,
  { authority, config, primitives }: Parts,
  { host, validityMs }: { readonly host: MeshHost; readonly validityMs: number },
): { readonly files: NodeFiles; readonly node: KnownNode } {
  const { name } = host;
  const needs = needsNow(env, primitives);
  const key = newKey(env.random);
  const groups = certificateGroups(host);
  const keys = publicKeysOf(primitives, key);
  const [certificate, issuer] = issueNode(authority, {
    ...needs,
    ...keys,
    name,
    groups,
    validityMs,
  });
  const registrar = groups.includes(REGISTRAR_GROUP)
    ? registrarFiles(authority, needs, { name, mesh: config.mesh })
    : {};
  return {
    files: {
      "node.key": key,
      "node.cert": certificate,
      ...(issuer === undefined ? {} : { "issuer.cert": issuer }),
      ...registrar,
    },
    node: {
      name,
      keyId: keyIdOf(primitives, keys.signPublicKey),
      endpoints: dialEndpoints(host),
      groups,
      seen: needs.now,
      segment: host.segment,
      direct: host.via === undefined,
      lasting: true,
    },
  };
}

/** An issuer of its own for each: one that leaks is revoked alone. */
function registrarFiles(
  authority: Authority,
  needs: Parameters<typeof makeIssuer>[1],
  { name, mesh }: { readonly name: string; readonly mesh: MeshFile },
): NodeFiles {
  rootSeedOf(authority, `the issuer of registrar "${name}"`);
  const { key, certificate } = makeIssuer(authority, needs, {
    name,
    types: ["node"],
    groups: registrarGroups(mesh),
  });
  return { "registrar.key": key, "registrar.cert": certificate };
}

function newKey(random: Random): Uint8Array {
  return random.bytes(2 * KEY_BYTES);
}

/** So that commands reach the mesh from here; a name has one node. */
async function rememberNodes(home: MeshHome, made: readonly KnownNode[]): Promise<void> {
  await home.rememberKeys(made);
  // One that nobody knows how to reach takes nobody's place.
  const reachable = made.filter(({ endpoints }) => endpoints.length > 0);
  const names = new Set(reachable.map(({ name }) => name));
  const others = (await home.nodes()).filter(({ name }) => !names.has(name));
  await home.storeNodes([...others, ...reachable]);
}

function warnOfPorts(
  { out }: CommandContext,
  { discover, hosts: all }: MeshFile,
  hosts: readonly MeshHost[],
): void {
  const isPortless = (host: MeshHost) => dialEndpoints(host).length === 0;
  if (discover) {
    // Nodes look around; commands do not.
    if (!all.every(isPortless)) return;
    return out.warn(
      "Nodes will find each other, but commands find none from here: run them on a node, or give a " +
        "host an address and a port",
    );
  }
  const portless = hosts.filter(isPortless);
  if (portless.length === 0) return;
  const names = foldNodeset(portless.map(({ name }) => name));
  out.warn(
    `${names} would listen on any free port, where nobody finds it: write port = 7117 into the ` +
      "mesh file",
  );
}

/** As boot --install does. */
function warnOfExpiry({ out }: CommandContext, { hosts }: MeshFile, validityMs: number): void {
  if (hosts.some((host) => certificateGroups(host).includes(REGISTRAR_GROUP))) return;
  out.warn(
    `Nobody renews their certificates, which end after ${
      formatDuration(validityMs)
    }: give a host ` +
      `groups = ["${REGISTRAR_GROUP}"], or provision anew in time`,
  );
}
