/**
 * From rows to a mesh: expands nodesets, pairs names with addresses, resolves groups, and finds what
 * only shows when all hosts are known. The mesh file and LAM's boot schema both end here.
 */
import { isName, UsageError } from "../../core/mod.ts";
import { MESH_HOSTS_MAX } from "./limits.ts";
import type {
  MeshBoot,
  MeshFile,
  MeshGroup,
  MeshHooks,
  MeshHost,
  MeshPolicy,
} from "./mesh_file.ts";
import { describeValue, type MeshFileProblems } from "./mesh_file_errors.ts";
import { checkJumps } from "./mesh_file_jumps.ts";
import { isAddress, NAME_RULE, type Settings } from "./mesh_file_schema.ts";
import { compareNames, sortedNames } from "./names.ts";
import { type NodesetSource, readNodeset } from "./nodeset_parse.ts";
import { plural } from "./plural.ts";
import { didYouMean } from "./suggest.ts";

/** A host, the offset of what named it, and of what says through which others it is reached. */
export type HostDraft = {
  readonly host: MeshHost;
  readonly offset: number;
  readonly viaOffset?: number;
};
/** A group as written, and the offset of its value. */
export type GroupDraft = {
  readonly name: string;
  readonly nodeset: string;
  readonly offset: number;
};

export type HostRow = Settings & {
  readonly names: string;
  readonly address?: string | undefined;
  readonly inner_address?: string | undefined;
};

/** Offsets of the values of a row. */
export interface RowPlaces {
  readonly names: number;
  readonly address: number;
  readonly innerAddress?: number;
  readonly via?: number;
}

/** Groups that refer to groups that refer to groups. */
const GROUP_DEPTH_MAX = 32;

/** One draft for each name of a row; none when its nodesets cannot be read. */
export function draftHosts(
  row: HostRow,
  places: RowPlaces,
  problems: MeshFileProblems,
): HostDraft[] {
  const before = problems.count;
  const { names: offset, via: viaOffset = offset } = places;
  const names = readList(row.names, offset, problems) ?? [];
  if (problems.count === before && names.length === 0) problems.add(offset, "Names are empty");
  const addresses = readAddresses(row.address, { offset: places.address, names, problems });
  const inner = readAddresses(row.inner_address, {
    offset: places.innerAddress ?? offset,
    names,
    problems,
  });
  const via = row.via === undefined ? [] : readList(row.via, viaOffset, problems) ?? [];
  // Of a row one bad name is told: the others are bad in the same way.
  const badName = names.find((name) => !isName(name));
  if (badName !== undefined) {
    problems.add(offset, `${describeValue(badName)} is no name (${NAME_RULE})`);
  }
  if (problems.count > before) return [];
  const otherwise = (name: string) => row.launcher === "local" ? "127.0.0.1" : name;
  return names.map((name, i) => {
    const address = addresses?.[i] ?? otherwise(name);
    const innerAddress = inner?.[i];
    const host = {
      ...hostOf(name, address, row),
      ...(innerAddress === undefined ? {} : { innerAddress }),
      ...(via.length === 0 ? {} : { via: [...new Set(via)] }),
    };
    return { host, offset, viaOffset };
  });
}

/** As many as names, in their order. */
function readAddresses(
  text: string | undefined,
  row: {
    readonly offset: number;
    readonly names: readonly string[];
    readonly problems: MeshFileProblems;
  },
): readonly string[] | undefined {
  const { offset, names, problems } = row;
  if (text === undefined) return undefined;
  const addresses = readList(withoutBrackets(text), offset, problems);
  if (addresses === undefined || names.length === 0) return undefined;
  const bad = addresses.find((address) => !isAddress(address));
  if (bad !== undefined) problems.add(offset, `${describeValue(bad)} is no address`);
  else if (addresses.length !== names.length) {
    const are = addresses.length === 1 ? "is" : "are";
    const given = count(addresses, "address", "addresses");
    problems.add(offset, `There ${are} ${given} for ${count(names, "name")}`);
  }
  return addresses;
}

/** Checks what concerns several hosts, then freezes. @throws UsageError with all problems found so far */
export function buildMesh(
  parts: {
    name: string;
    /** @default false */
    discover?: boolean;
    drafts: readonly HostDraft[];
    groups: readonly GroupDraft[];
    boot: MeshBoot;
    policy: MeshPolicy;
    hooks?: MeshHooks;
  },
  problems: MeshFileProblems,
): MeshFile {
  const allHostsKnown = problems.count === 0;
  const drafts = uniqueHosts(parts.drafts, problems);
  const members = resolveGroups(drafts, parts.groups, allHostsKnown, problems);
  if (allHostsKnown) checkJumps(drafts, problems);
  problems.throwIfAny();
  const groupsOf = new Map<string, string[]>();
  for (const group of members) {
    for (const name of group.members) {
      const own = groupsOf.get(name);
      if (own === undefined) groupsOf.set(name, [group.name]);
      else own.push(group.name);
    }
  }
  const hosts = drafts
    .map(({ host }) => ({ ...host, groups: groupsOf.get(host.name) ?? [] }))
    .sort((a, b) => compareNames(a.name, b.name));
  const { name, discover = false, boot, policy, hooks } = parts;
  const given = hooks === undefined ? {} : { hooks };
  return frozen({ name, discover, hosts, groups: members, boot, policy, ...given });
}

/** What a mesh file knows, for `parseNodeset`. An unknown group is an error with a suggestion. */
export function meshSource(mesh: Pick<MeshFile, "hosts" | "groups">): NodesetSource {
  return {
    all: () => mesh.hosts.map((host) => host.name),
    resolve: (wanted) => {
      const group = mesh.groups.find((each) => each.name === wanted);
      if (group !== undefined) return group.members;
      throw unknownGroup(wanted, mesh.groups.map((each) => each.name));
    },
  };
}

function hostOf(name: string, address: string, row: HostRow): MeshHost {
  return {
    name,
    address,
    ...(row.user === undefined ? {} : { user: row.user }),
    ...(row.ssh_port === undefined ? {} : { sshPort: row.ssh_port }),
    ...(row.identity_file === undefined ? {} : { identityFile: row.identity_file }),
    port: row.port ?? 0,
    groups: row.groups ?? [],
    segment: row.segment ?? "default",
    gateway: row.gateway ?? false,
    listen: row.listen ?? [],
    launcher: row.launcher ?? "ssh",
    ...(row.home === undefined ? {} : { home: row.home }),
    schedule: row.schedule ?? true,
    ...(row.cpus === undefined ? {} : { cpus: row.cpus }),
    ...(row.log_level === undefined ? {} : { logLevel: row.log_level }),
  };
}

/** Each name once, and each address and port; a problem is told once for a row. */
function uniqueHosts(drafts: readonly HostDraft[], problems: MeshFileProblems): HostDraft[] {
  const byName = new Map<string, HostDraft>();
  const byListener = new Map<string, HostDraft>();
  const told = new Set<number>();
  const tell = (draft: HostDraft, message: string) => {
    if (!told.has(draft.offset)) problems.add(draft.offset, message);
    told.add(draft.offset);
  };
  for (const draft of drafts) {
    const { name, address, port, segment, via } = draft.host;
    const same = byName.get(name);
    if (same !== undefined) {
      tell(draft, `Host "${name}" is named twice, first in line ${problems.lineOf(same.offset)}`);
      continue;
    }
    if (byName.size === MESH_HOSTS_MAX) {
      problems.add(draft.offset, `A mesh has at most ${MESH_HOSTS_MAX} hosts`);
      break;
    }
    byName.set(name, draft);
    // Segments that are reached through others may have the same addresses.
    const listener = `${via === undefined ? "" : segment} ${address} ${port}`;
    const other = port === 0 ? undefined : byListener.get(listener);
    if (other !== undefined) {
      const both = `Hosts "${other.host.name}" and "${name}" have the same address "${address}"`;
      tell(draft, `${both} and the same port ${port}; without a port each takes a free one`);
    }
    byListener.set(listener, draft);
  }
  return [...byName.values()];
}

/** Sorted groups with sorted members; groups may refer to each other. */
function resolveGroups(
  drafts: readonly HostDraft[],
  groups: readonly GroupDraft[],
  allHostsKnown: boolean,
  problems: MeshFileProblems,
): MeshGroup[] {
  const hostNames = new Set(drafts.map(({ host }) => host.name));
  const written = new Map(groups.map((group) => [group.name, group]));
  const fromHosts = new Map<string, string[]>();
  for (const { host } of drafts) {
    for (const group of host.groups) {
      const members = fromHosts.get(group);
      if (members === undefined) fromHosts.set(group, [host.name]);
      else members.push(host.name);
    }
  }
  const known = sortedNames([...written.keys(), ...fromHosts.keys()]);
  const done = new Map<string, readonly string[]>();
  const open: string[] = [];
  const resolve = (name: string): readonly string[] => {
    const finished = done.get(name);
    if (finished !== undefined) return finished;
    if (open.includes(name)) throw new UsageError(`Group "${name}" contains itself`);
    if (open.length === GROUP_DEPTH_MAX) {
      throw new UsageError(`Groups refer to each other more than ${GROUP_DEPTH_MAX} deep`);
    }
    const draft = written.get(name);
    const own = fromHosts.get(name);
    if (draft === undefined && own === undefined) throw unknownGroup(name, known);
    open.push(name);
    const named = draft === undefined
      ? []
      : readNodeset(draft.nodeset, { all: () => [...hostNames], resolve });
    open.pop();
    if (draft !== undefined && !Array.isArray(named)) {
      problems.addInNodeset(draft.offset, draft.nodeset, named);
    }
    const members = sortedNames([...(own ?? []), ...(Array.isArray(named) ? named : [])]);
    done.set(name, members);
    return members;
  };
  return known.map((name) => {
    const members = resolve(name);
    const strangers = members.filter((member) => !hostNames.has(member));
    const [stranger] = strangers;
    if (stranger !== undefined && allHostsKnown) {
      const others = strangers.length - 1;
      const rest = others === 0 ? "" : ` (and ${others} more)`;
      const text = `Group "${name}" names ${describeValue(stranger)}, which is no host${rest}`;
      problems.add(written.get(name)?.offset ?? 0, text + didYouMean(stranger, hostNames));
    }
    return { name, members };
  });
}

function unknownGroup(name: string, known: readonly string[]): UsageError {
  return new UsageError(`There is no group ${describeValue(name)}${didYouMean(name, known)}`);
}

function readList(
  nodeset: string,
  offset: number,
  problems: MeshFileProblems,
): string[] | undefined {
  const names = readNodeset(nodeset, {}, { list: true });
  if (Array.isArray(names)) return names;
  problems.addInNodeset(offset, nodeset, names);
  return undefined;
}

/**
 * `[fd00::1]` as in URLs: brackets around a whole address with colons are no range. The text without
 * such brackets, otherwise unchanged.
 */
function withoutBrackets(list: string): string {
  let depth = 0;
  let start = 0;
  let result = "";
  for (let at = 0; at <= list.length; at++) {
    const character = list[at] ?? ",";
    if (character === "[") depth++;
    else if (character === "]") depth--;
    else if (character === "," && (depth <= 0 || at === list.length)) {
      result += unwrapped(list.slice(start, at)) + list.slice(at, at + 1);
      start = at + 1;
    }
  }
  return result;
}

function unwrapped(address: string): string {
  const inside = address.trim().slice(1, -1);
  const isWrapped = inside.includes(":") && address.trim() === `[${inside}]`;
  // In `[1-2]::[3-4]` the first bracket closes before the end: those are two ranges.
  const opens = inside.indexOf("[");
  const closes = inside.indexOf("]");
  return isWrapped && (closes < 0 || (opens >= 0 && opens < closes)) ? inside : address;
}

function count(list: readonly string[], one: string, many = `${one}s`): string {
  return list.length === 0 ? `no ${many}` : plural(list.length, one, many);
}

/** Frozen to its leaves. The file's depth is bounded, so the recursion is. */
function frozen<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}
