/**
 * `minime wipe`: cleans up hosts from the mesh file alone. No living mesh is needed and no keys, and
 * what is clean already stays so. The mesh's home is not touched but for its list of nodes.
 */

import { errorText, MinimeError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { exitCodeOf } from "../shared/exit_code.ts";
import { Fold } from "../shared/fold.ts";
import { lockHome } from "../shared/home_lock.ts";
import type { MeshHome } from "../shared/mesh_home.ts";
import { foldNodeset } from "../shared/nodeset.ts";
import { shellQuoted } from "../shared/private_folder.ts";
import { printable } from "../shared/text.ts";
import type { wipeOptions } from "./commands.ts";
import { type Visit, visitHosts } from "./host_visits.ts";
import { readHostsFile, selectHosts } from "./hosts_file.ts";
import { WIPE_KILL_SECONDS } from "./limits.ts";
import { parseWipeAnswer, WIPE_WORDS, wipeScript, type WipeWord } from "./wipe_script.ts";
import { plural } from "../shared/plural.ts";

/** Removing some hundred megabytes on a slow disk. */
const REMOVE_MS_MAX = 30_000;

/** What became of one host. */
interface WipeReport {
  readonly name: string;
  readonly isClean: boolean;
  readonly result: WipeWord | "unreachable";
  readonly text: string;
}

/** Exit code: of the hosts asked, whether some or all are not clean now. */
export async function runWipe(
  context: CommandContext,
  options: OptionsOf<typeof wipeOptions>,
): Promise<number> {
  const { out } = context;
  const mesh = await readHostsFile(context, options);
  const hosts = await selectHosts(context, mesh, options);
  const workMs = options.grace + WIPE_KILL_SECONDS * 1_000 + REMOVE_MS_MAX;
  const visits = await visitHosts(context, hosts, {
    mesh,
    timeoutMs: mesh.boot.connectTimeoutMs + workMs,
    doing: "Wiping",
    script: (host) =>
      wipeScript({
        mesh: mesh.name,
        node: host.name,
        home: host.home,
        binary: options.all,
        graceMs: options.grace,
      }),
  });
  const reports = visits.map(reportOf);
  const dirty = reports.filter(({ isClean }) => !isClean).map(({ name }) => name);
  const home = await openHome(context, mesh.name);
  if (home !== undefined) {
    // Only now: what hangs and holds the lock may be the very reason for a wipe.
    using _lock = await lockHome(context, home);
    await forgetNodes(home, reports);
  }
  if (options.json) {
    out.json({
      mesh: mesh.name,
      hosts: reports.map(({ name, isClean, result, text }) => (
        { name, clean: isClean, result, text }
      )),
      home: home?.folder ?? null,
    });
  } else {
    print(context, reports, dirty);
    if (home !== undefined && dirty.length === 0) {
      const command = `rm -r ${shellQuoted(home.folder)}`;
      out.note(
        `The keys of mesh "${mesh.name}" stay for its next boot; to remove them too: ${command}`,
      );
    }
  }
  return exitCodeOf(reports.length, dirty.length);
}

/** There is something still. */
const DIRTY: ReadonlySet<WipeWord> = new Set(["alive", "foreign", "left", "installed"]);

function moreOf(word: WipeWord, detail: string): string {
  if (word === "left") return `: ${detail}`;
  return word === "alive" || word === "foreign" ? ` (process ${detail})` : "";
}

function reportOf(visit: Visit): WipeReport {
  const { name } = visit.host;
  if (visit.lines === undefined) {
    return { name, isClean: false, result: "unreachable", text: visit.error.text };
  }
  const answer = parseWipeAnswer(visit.lines);
  if (answer === undefined) {
    const text = "script failed: the login shell did not run it to its end";
    return { name, isClean: false, result: "unreachable", text };
  }
  const { word, detail } = answer;
  const isClean = !DIRTY.has(word);
  return { name, isClean, result: word, text: WIPE_WORDS[word] + moreOf(word, printable(detail)) };
}

function print({ out }: CommandContext, reports: readonly WipeReport[], dirty: string[]): void {
  const fold = new Fold<Pick<WipeReport, "isClean" | "text">>();
  for (const { name, isClean, text } of reports) fold.add(name, { isClean, text });
  const groups = fold.groups().sort((a, b) => Number(b.value.isClean) - Number(a.value.isClean));
  for (const { nodeset, value: { isClean, text } } of groups) {
    out.print(`${nodeset}: ${isClean ? text : out.paint("red", text)}`);
  }
  const clean = reports.length - dirty.length;
  const count = plural(reports.length, "host");
  out.print(
    dirty.length === 0
      ? `${clean === 1 ? count : `All ${count}`} ${clean === 1 ? "is" : "are"} clean`
      : `${clean} of ${count} are clean, not clean: ${foldNodeset(dirty)}`,
  );
}

/** A home that cannot be used is no reason to leave daemons running. */
async function openHome(context: CommandContext, mesh: string): Promise<MeshHome | undefined> {
  try {
    return await context.homes.open(mesh);
  } catch (error) {
    if (!(error instanceof MinimeError)) throw error;
    context.out.warn(`The home of mesh "${mesh}" is left alone: ${errorText(error)}`);
    return undefined;
  }
}

/** So that later commands do not look for nodes that are gone. */
async function forgetNodes(home: MeshHome, reports: readonly WipeReport[]): Promise<void> {
  const clean = new Set(reports.filter(({ isClean }) => isClean).map(({ name }) => name));
  const nodes = await home.nodes();
  const left = nodes.filter(({ name }) => !clean.has(name));
  if (left.length < nodes.length) await home.storeNodes(left);
}
