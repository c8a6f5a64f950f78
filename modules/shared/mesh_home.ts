/**
 * The home of a mesh on the machine of the person who uses it: `$XDG_CONFIG_HOME/minime/MESH/`.
 * It holds the user's certificate and the list of nodes, and on the machine that booted the mesh
 * the root key too. It stores and loads; what keys mean is the business of others.
 *
 * Every write replaces a whole file at once: of two programs that write at the same time the later
 * one wins, and no reader ever sees half a file. Folders and files that are open to others are refused.
 */

import * as v from "valibot";
import {
  ConnectionError,
  type Environment,
  isName,
  MinimeError,
  UsageError,
} from "../../core/mod.ts";
import {
  baseFolder,
  checkPrivateFolder,
  makePrivateFolder,
  readPrivateFile,
  shellQuoted,
} from "./private_folder.ts";
import { didYouMean } from "./suggest.ts";

type Needs = Pick<Environment, "files" | "processes">;

/** The files that hold bytes. Their formats belong to core/security; mesh.toml and policy.toml are text. */
export const HOME_FILES = [
  "root.key",
  "root.pub",
  "psk",
  "user.key",
  "user.cert",
  "issuer.key",
  "issuer.cert",
  "revocations.signed",
  "secrets.signed",
  "policy.toml",
  "policy.signed",
  "mesh.toml",
] as const;
export type HomeFile = (typeof HOME_FILES)[number];

const Name = v.pipe(v.string(), v.check(isName, "this is no name"));
const UnixMs = v.pipe(v.number(), v.integer(), v.minValue(0));

const NodesSchema = v.array(v.object({
  name: Name,
  /** SHA-256 of the signing key, 64 hex digits. */
  keyId: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a key id has 64 hex digits")),
  /** "tcp:10.0.0.7:7117"; in the order in which to try them. */
  endpoints: v.array(v.string()),
  groups: v.array(Name),
  /** When it was last known to live. */
  seen: UnixMs,
  segment: v.optional(Name),
  /** False: it lies behind others, and is dialled from here only when nobody else answers. */
  direct: v.optional(v.boolean()),
  /** It starts with its machine, under the same key. */
  lasting: v.optional(v.boolean()),
}));
/** A node as this machine knows it. */
export type KnownNode = Readonly<v.InferOutput<typeof NodesSchema>[number]>;

const NodeKeysSchema = v.array(v.object({
  name: Name,
  keyId: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a key id has 64 hex digits")),
}));
/** A key that lies on a disk, and whose it is. */
export type NodeKey = Readonly<v.InferOutput<typeof NodeKeysSchema>[number]>;

const UsersSchema = v.array(v.object({
  name: Name,
  keyId: v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/, "a key id has 64 hex digits")),
  groups: v.array(Name),
  /** When the certificate was made. */
  made: UnixMs,
  /** The newest one, for another one like it; older programs kept none. */
  certificate: v.optional(v.pipe(v.string(), v.base64())),
}));
/** Somebody who got a certificate from here. */
export type KnownUser = Readonly<v.InferOutput<typeof UsersSchema>[number]>;

const LastBootSchema = v.object({
  at: UnixMs,
  /** The mesh file that was read, as an absolute path. */
  file: v.optional(v.string()),
  up: v.array(Name),
  failed: v.array(v.object({ name: Name, reason: v.string() })),
});
/** What became of the last boot of this mesh; of one that has only got its keys yet, when it did. */
export type LastBoot = Readonly<v.InferOutput<typeof LastBootSchema>>;

/** The homes of all meshes of this user. */
export class MeshHomes {
  readonly #env: Needs;

  constructor(env: Needs) {
    this.#env = env;
  }

  /** Throws when neither XDG_CONFIG_HOME nor HOME is set. */
  get folder(): string {
    return `${baseFolder(this.#env, "XDG_CONFIG_HOME", ".config")}/minime`;
  }

  /** Names of the meshes that have a home, sorted. */
  async list(): Promise<string[]> {
    const names: string[] = [];
    for (const name of await this.#env.files.list(this.folder)) {
      if (!isName(name)) continue;
      const facts = await this.#env.files.facts(`${this.folder}/${name}`);
      if (facts?.kind === "folder") names.push(name);
    }
    return names;
  }

  /** Makes the home when it is missing, and opens it. */
  async create(name: string): Promise<MeshHome> {
    const home = this.#home(name);
    await makePrivateFolder(this.#env, home.folder);
    return home;
  }

  /** Undefined when this user has no such mesh. */
  async open(name: string): Promise<MeshHome | undefined> {
    const home = this.#home(name);
    return await checkPrivateFolder(this.#env, home.folder) ? home : undefined;
  }

  /**
   * The mesh of that name; without a name the only one, else the one made or booted last. `others` is how
   * many more it was chosen from, so that the caller can say which one it took.
   *
   * @throws ConnectionError when there is none
   */
  async choose(name?: string): Promise<{ home: MeshHome; others: number }> {
    const names = await this.list();
    if (name !== undefined) {
      const home = await this.open(name);
      if (home !== undefined) return { home, others: 0 };
      const known = names.length === 0 ? "" : `; there are ${names.join(", ")}`;
      throw new ConnectionError(
        "unknown-name",
        `No mesh "${name}" in "${this.folder}"${didYouMean(name, names) || known}`,
      );
    }
    if (names.length === 0) {
      throw new ConnectionError(
        "unknown-name",
        `No mesh in "${this.folder}": boot one with "minime boot --hosts FILE", or ` +
          'make the keys of one by "minime mesh init --config FILE"',
      );
    }
    const homes = names.map((each) => this.#home(each));
    const booted = await Promise.all(homes.map((home) => this.#bootedAt(home, names.length)));
    const latest = booted.indexOf(Math.max(...booted));
    const home = homes[latest] as MeshHome;
    await checkPrivateFolder(this.#env, home.folder);
    return { home, others: names.length - 1 };
  }

  /** Its home, which need not be there: the daemon of this machine is reached without one. */
  of(name: string): MeshHome {
    return this.#home(name);
  }

  /** A home that cannot be read is no reason not to find the others: it counts as never booted. */
  async #bootedAt(home: MeshHome, of: number): Promise<number> {
    if (of === 1) return 0;
    try {
      return (await home.lastBoot())?.at ?? 0;
    } catch (error) {
      if (error instanceof MinimeError) return 0;
      throw error;
    }
  }

  #home(name: string): MeshHome {
    if (!isName(name)) {
      throw new UsageError(`"${name}" is no name of a mesh`, {
        hint: "A name has 1 to 63 of a-z 0-9 . _ - and starts with a letter or digit",
      });
    }
    return new MeshHome(this.#env, name, `${this.folder}/${name}`);
  }
}

/** One mesh's home. Made by {@link MeshHomes}. */
export class MeshHome {
  readonly #env: Needs;
  readonly name: string;
  readonly folder: string;

  constructor(env: Needs, name: string, folder: string) {
    this.#env = env;
    this.name = name;
    this.folder = folder;
  }

  path(file: HomeFile): string {
    return `${this.folder}/${file}`;
  }

  /** Undefined when there is no such file. */
  async load(file: HomeFile): Promise<Uint8Array<ArrayBuffer> | undefined> {
    return await readPrivateFile(this.#env, this.path(file));
  }

  /** @throws MinimeError that names what is missing */
  async require(file: HomeFile): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = await this.load(file);
    if (bytes !== undefined) return bytes;
    throw new MinimeError(`The home of mesh "${this.name}" has no ${file} ("${this.path(file)}")`);
  }

  async store(file: HomeFile, data: Uint8Array | string): Promise<void> {
    await this.#env.files.write(this.path(file), data, { mode: 0o600 });
  }

  /** Nearest first; empty when none are known. */
  async nodes(): Promise<readonly KnownNode[]> {
    return await this.#loadJson("nodes.json", NodesSchema) ?? [];
  }

  async storeNodes(nodes: readonly KnownNode[]): Promise<void> {
    await this.rememberKeys(nodes.filter(({ lasting }) => lasting === true));
    await this.#storeJson("nodes.json", NodesSchema, nodes);
  }

  /**
   * Keys of nodes that were ever made for their disks, those that have a successor too: to revoke a
   * name is to revoke all of them. The oldest first.
   */
  async nodeKeys(): Promise<readonly NodeKey[]> {
    return await this.#loadJson("node_keys.json", NodeKeysSchema) ?? [];
  }

  /** Adds those that are not there. */
  async rememberKeys(keys: readonly NodeKey[]): Promise<void> {
    if (keys.length === 0) return;
    const known = await this.nodeKeys();
    const present = new Set(known.map(({ keyId }) => keyId));
    const added = keys.filter(({ keyId }) => !present.has(keyId));
    if (added.length === 0) return;
    const all = [...known, ...added.map(({ name, keyId }) => ({ name, keyId }))];
    await this.#storeJson("node_keys.json", NodeKeysSchema, all);
  }

  /** In the order in which they got their certificates. */
  async users(): Promise<readonly KnownUser[]> {
    return await this.#loadJson("users.json", UsersSchema) ?? [];
  }

  async storeUsers(users: readonly KnownUser[]): Promise<void> {
    await this.#storeJson("users.json", UsersSchema, users);
  }

  async lastBoot(): Promise<LastBoot | undefined> {
    return await this.#loadJson("boot.json", LastBootSchema);
  }

  async storeLastBoot(boot: LastBoot): Promise<void> {
    await this.#storeJson("boot.json", LastBootSchema, boot);
  }

  async #loadJson<S extends v.GenericSchema>(
    file: string,
    schema: S,
  ): Promise<v.InferOutput<S> | undefined> {
    const path = `${this.folder}/${file}`;
    const bytes = await readPrivateFile(this.#env, path);
    if (bytes === undefined) return undefined;
    let parsed: unknown;
    try {
      parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    } catch (cause) {
      throw new MinimeError(`"${path}" is not JSON: ${removal(path)}`, { cause });
    }
    const result = v.safeParse(schema, parsed);
    if (result.success) return result.output;
    const issue = result.issues[0];
    const place = v.getDotPath(issue) ?? "its top level";
    throw new MinimeError(`"${path}" is wrong at ${place} (${issue.message}): ${removal(path)}`);
  }

  async #storeJson<S extends v.GenericSchema>(
    file: string,
    schema: S,
    value: unknown,
  ): Promise<void> {
    const text = JSON.stringify(v.parse(schema, value), undefined, 1) + "\n";
    await this.#env.files.write(`${this.folder}/${file}`, text, { mode: 0o600 });
  }
}

function removal(path: string): string {
  return `it is made again when you remove it: rm ${shellQuoted(path)}`;
}
