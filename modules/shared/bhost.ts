/**
 * LAM's boot schema (bhost): one host on a line, with attributes, and comments after `#`.
 *
 *   node1.example.com  cpu=2 user=guest
 *   head.example.com   schedule=no
 *
 * As in LAM a host that is listed again has one more processor for each line (or as many as cpu= says).
 * A host's name is written in small letters; a line may also hold a nodeset.
 */
import { isUnixUser } from "../../core/mod.ts";
import { BOOT_DEFAULTS, type MeshFile } from "./mesh_file.ts";
import { buildMesh, draftHosts, type HostDraft, type HostRow } from "./mesh_file_build.ts";
import { describeValue, MeshFileProblems } from "./mesh_file_errors.ts";
import { digitsEnd } from "./names.ts";
import { didYouMean } from "./suggest.ts";

/** A word of a line and its offset in the file. */
type Word = { readonly text: string; readonly offset: number };
type Attributes = { user?: string; cpus?: number; schedule?: boolean };

const ATTRIBUTES = ["cpu", "user", "schedule"];

/** @throws UsageError with every problem as `file:line:column: what`, the line and a caret */
export function parseBhost(text: string, options: { file: string; name: string }): MeshFile {
  const problems = new MeshFileProblems(options.file, text);
  const drafts = new Map<string, HostDraft>();
  for (const [host, ...rest] of linesOf(text)) {
    if (host === undefined) continue;
    const attributes = readAttributes(rest, problems);
    const row: HostRow = { ...attributes, names: host.text.toLowerCase(), address: host.text };
    for (const draft of draftHosts(row, { names: host.offset, address: host.offset }, problems)) {
      const earlier = drafts.get(draft.host.name);
      drafts.set(draft.host.name, earlier === undefined ? draft : again(earlier, draft, problems));
    }
  }
  if (drafts.size === 0) problems.add(text.length, "A mesh needs at least one host");
  const parts = { drafts: [...drafts.values()], groups: [], boot: BOOT_DEFAULTS, policy: {} };
  return buildMesh({ name: options.name, ...parts }, problems);
}

/** The host with the processors of both lines, which must agree in the rest. */
function again(earlier: HostDraft, later: HostDraft, problems: MeshFileProblems): HostDraft {
  const { host } = earlier;
  for (const key of ["user", "schedule"] as const) {
    if (host[key] === later.host[key]) continue;
    const line = problems.lineOf(earlier.offset);
    problems.add(later.offset, `Host "${host.name}" has another ${key} in line ${line}`);
  }
  const cpus = (host.cpus ?? 1) + (later.host.cpus ?? 1);
  return { host: { ...host, cpus }, offset: earlier.offset };
}

function readAttributes(words: readonly Word[], problems: MeshFileProblems): Attributes {
  const attributes: Attributes = {};
  for (const { text, offset } of words) {
    const equals = text.indexOf("=");
    const key = equals < 0 ? text : text.slice(0, equals);
    const value = equals < 0 ? "" : text.slice(equals + 1);
    const shown = describeValue(value);
    const valueOffset = offset + equals + 1;
    if (!ATTRIBUTES.includes(key)) {
      const suggestion = didYouMean(key, ATTRIBUTES);
      problems.add(offset, `Unknown attribute ${describeValue(key)}${suggestion}`);
    } else if (equals < 0) {
      problems.add(offset, `Attribute "${key}" has no value, write ${key}=…`);
    } else if (key === "cpu") {
      const cpus = digitsEnd(value, 0) === value.length && value.length <= 5 ? Number(value) : 0;
      if (cpus >= 1) attributes.cpus = cpus;
      else {problems.add(
          valueOffset,
          `Attribute "cpu" must be a number of at least 1, not ${shown}`,
        );}
    } else if (key === "user") {
      if (isUnixUser(value)) attributes.user = value;
      else problems.add(valueOffset, `Attribute "user" must be a user's name, not ${shown}`);
    } else if (value === "yes" || value === "no") attributes.schedule = value === "yes";
    else problems.add(valueOffset, `Attribute "schedule" must be "yes" or "no", not ${shown}`);
  }
  return attributes;
}

/** The words of each line, without comments. */
function* linesOf(text: string): Generator<Word[]> {
  let start = 0;
  for (const line of text.split("\n")) {
    const words: Word[] = [];
    const comment = line.indexOf("#");
    const end = comment < 0 ? line.length : comment;
    for (let at = 0; at < end;) {
      if (" \t\r".includes(line.charAt(at))) {
        at++;
        continue;
      }
      const from = at;
      while (at < end && !" \t\r".includes(line.charAt(at))) at++;
      words.push({ text: line.slice(from, at), offset: start + from });
    }
    yield words;
    start += line.length + 1;
  }
}
