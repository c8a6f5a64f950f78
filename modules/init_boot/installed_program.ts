/**
 * The program that the services of a machine run, and whether another one may take its place. While
 * they run, `minime upgrade` does that with more care than an installation that many machines get at
 * once: so boot leaves it to that. An older program may not understand what a newer one has left.
 */

import * as v from "valibot";
import {
  type Environment,
  equalBytes,
  MinimeError,
  VERSION,
  withTimeLimit,
} from "../../core/mod.ts";
import { readIfThere } from "../shared/read_if_there.ts";
import type { PlannedFile } from "./install_files.ts";
import { installedMeshes } from "./installed_mesh.ts";
import { PROGRAM_VERSION_MS_MAX } from "./limits.ts";
import { runProgram } from "./run_program.ts";
import { ServiceControl } from "./service_control.ts";
import type { ServiceKind } from "./service_kind.ts";

/** Where installed machines have it. */
export const PROGRAM_PATH = "/usr/local/bin/minime";

/** Where a program can stay: it is there at boot, and no service manager hides it. */
const PROGRAM_FOLDERS = /^\/(usr|opt|bin|sbin)\//;

const VersionSchema = v.object({
  version: v.pipe(v.string(), v.regex(/^\d{1,9}(\.\d{1,9}){2}(-[0-9A-Za-z.-]{1,64})?$/)),
});

/** What a service runs. */
export interface PlannedProgram {
  /** It and its first arguments. */
  readonly words: readonly string[];
  /** The copy that is made of this program; undefined: the service can run it where it lies. */
  readonly copy: (PlannedFile & { readonly data: Uint8Array }) | undefined;
}

/** From source the words name the runtime and our main file: there is nothing to be copied. */
export async function planProgram(
  { files, processes }: Pick<Environment, "files" | "processes">,
  root: string,
): Promise<PlannedProgram> {
  const { executable, self } = processes;
  if (executable === undefined || (root === "" && PROGRAM_FOLDERS.test(executable))) {
    return { words: self, copy: undefined };
  }
  const data = await files.read(executable);
  const from = `a copy of ${executable}`;
  return { words: [PROGRAM_PATH], copy: { path: root + PROGRAM_PATH, mode: 0o755, data, from } };
}

/** @throws MinimeError when what is there must stay, which `replace` overrules */
export async function requireReplaceable(
  env: Environment,
  { program: { copy }, kind, isRemote, replace }: {
    readonly program: PlannedProgram;
    readonly kind: ServiceKind;
    /** Of many machines, and nobody sits before this one. */
    readonly isRemote: boolean;
    readonly replace: boolean;
  },
): Promise<void> {
  if (replace || copy === undefined) return;
  const present = await readIfThere(env, PROGRAM_PATH);
  if (present === undefined || equalBytes(present, copy.data)) return;
  const version = await versionOf(env, PROGRAM_PATH);
  if (isRemote && await isInUse(env, kind)) {
    const runs = version === undefined
      ? `Another program runs on this machine, and this is ${VERSION}`
      : version === VERSION
      ? `Another build of minime ${version} runs on this machine`
      : `minime ${version} runs on this machine, and this is ${VERSION}`;
    throw new MinimeError(
      `${runs}: "minime upgrade" tries it and takes one node after the other, --replace takes it ` +
        "at once",
    );
  }
  if (version === undefined || !isOlder(VERSION, version)) return;
  throw new MinimeError(
    `minime ${version} is installed on this machine, and this is ${VERSION}, an older one: ` +
      "--replace takes it all the same",
  );
}

async function isInUse(env: Environment, kind: ServiceKind): Promise<boolean> {
  for (const mesh of await installedMeshes(env, { kind, root: "" })) {
    const { running } = await new ServiceControl(env, { kind, mesh, root: "" }).state();
    if (running) return true;
  }
  return false;
}

/** Undefined for one that does not say, such as one that does not run here at all. */
export async function versionOf(
  env: Pick<Environment, "clock" | "processes">,
  program: string,
): Promise<string | undefined> {
  let text: string;
  try {
    const ran = await withTimeLimit(
      (signal) => runProgram(env, program, ["version", "--json"], { signal }),
      {
        clock: env.clock,
        ms: PROGRAM_VERSION_MS_MAX,
        late: () => new MinimeError(`"${program}" does not say its version`),
      },
    );
    text = ran.stdout;
  } catch (error) {
    if (error instanceof MinimeError) return undefined;
    throw error;
  }
  try {
    const parsed = v.safeParse(VersionSchema, JSON.parse(text));
    return parsed.success ? parsed.output.version : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** By the three numbers; what stands behind them says nothing about age. */
export function isOlder(version: string, than: string): boolean {
  const [own, other] = [version, than].map((text) =>
    text.replace(/-.*/, "").split(".").map(Number)
  );
  const at = own?.findIndex((part, index) => part !== other?.[index]) ?? -1;
  return at >= 0 && (own?.[at] ?? 0) < (other?.[at] ?? 0);
}
