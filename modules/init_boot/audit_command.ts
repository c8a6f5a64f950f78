/** `minime audit`: what was asked of the nodes of this machine, by whom, and whether it was allowed. */

import { type Environment, UsageError } from "../../core/mod.ts";
import type { CommandContext, OptionsOf } from "../shared/command.ts";
import { formatDuration } from "../shared/duration.ts";
import { localMeshes } from "../shared/local_daemon.ts";
import { localNodes } from "../shared/state_folder.ts";
import { type AuditLine, parseAuditLine } from "./audit_line.ts";
import type { auditOptions } from "./commands.ts";
import { plural } from "../shared/plural.ts";

type Options = OptionsOf<typeof auditOptions>;

/** Read from disk: the daemon need not run. */
export async function runAudit(context: CommandContext, options: Options): Promise<void> {
  const { env, out, meshName } = context;
  const meshes = meshName === undefined ? await localMeshes(env) : [meshName];
  const lines: AuditLine[] = [];
  let nodes = 0;
  let broken = 0;
  for (const mesh of meshes) {
    for (const { name, paths } of await localNodes(env, mesh)) {
      if (options.name !== undefined && name !== options.name) continue;
      nodes++;
      const read = await readFolder(env, paths.audit);
      lines.push(...read.lines);
      broken += read.broken;
    }
  }
  if (nodes === 0) {
    throw new UsageError("There are no audit records of yours on this machine", {
      hint: "They lie on the node itself, and only the user of its daemon may read them",
    });
  }
  const now = env.clock.now();
  const wanted = lines.filter((line) => fits(line, options, now))
    .sort((a, b) => a.time - b.time)
    .slice(-options.last);
  if (broken > 0) out.warn(`Left out ${plural(broken, "line")} that had been cut short`);
  if (options.json) return out.json(wanted);
  if (wanted.length === 0) return out.note("The audit has nothing like that");
  out.table(
    [
      { header: "AGO", align: "right" },
      { header: "NODE" },
      { header: "WHO" },
      { header: "VERB" },
      { header: "AS" },
      { header: "DECISION" },
      { header: "REQUEST", spare: true },
    ],
    wanted.map((line) => [
      formatDuration(Math.max(0, now - line.time)),
      line.node,
      line.principal,
      line.destination === undefined ? line.verb : `${line.verb} ${line.destination}`,
      line.as === undefined || line.as === "" ? "-" : line.as,
      decisionText(line),
      line.request.slice(0, 16),
    ]),
  );
}

function fits(line: AuditLine, options: Options, now: number): boolean {
  const { user, verb, refused, since } = options;
  if (user !== undefined && line.principal !== user) return false;
  if (verb !== undefined && line.verb !== verb && !line.verb.startsWith(`${verb}.`)) return false;
  if (refused && !isRefusal(line)) return false;
  return since === undefined || line.time >= now - since;
}

/** By the policy; or by a limit of the rule that allowed it, as the verb found out. */
function isRefusal({ allowed, outcome }: AuditLine): boolean {
  return allowed === false || outcome?.startsWith("refused: ") === true;
}

function decisionText({ allowed, rule, why, outcome }: AuditLine): string {
  if (outcome !== undefined) return outcome;
  return allowed === true ? `allowed by ${rule ?? "?"}` : `refused: ${why ?? "?"}`;
}

async function readFolder(
  { files }: Pick<Environment, "files">,
  folder: string,
): Promise<{ readonly lines: readonly AuditLine[]; readonly broken: number }> {
  const lines: AuditLine[] = [];
  let broken = 0;
  for (const file of await files.list(folder)) {
    if (!file.endsWith(".jsonl")) continue;
    for (const text of (await files.readText(`${folder}/${file}`)).split("\n")) {
      if (text === "") continue;
      const line = parseAuditLine(text);
      if (line === undefined) broken++;
      else lines.push(line);
    }
  }
  return { lines, broken };
}
