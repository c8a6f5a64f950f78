/** Which of the two service managers a machine has, and what they call a node. */

import { type Environment, NotFoundError, UsageError } from "../../core/mod.ts";
import { runProgram } from "./run_program.ts";

/** What starts services: systemd, or scripts in /etc/init.d. */
export type ServiceKind = "systemd" | "sysv";

/** As the options --systemd and --sysv say, or as the machine has it. */
export async function chooseKind(
  env: Pick<Environment, "files">,
  options: { readonly systemd: boolean; readonly sysv: boolean },
): Promise<ServiceKind> {
  if (options.systemd && options.sysv) {
    throw new UsageError("Options --systemd and --sysv exclude each other");
  }
  if (options.systemd || options.sysv) return options.systemd ? "systemd" : "sysv";
  return await isSystemdRunning(env) ? "systemd" : "sysv";
}

/** As systemd's own sd_booted(3) finds out. */
export async function isSystemdRunning({ files }: Pick<Environment, "files">): Promise<boolean> {
  return (await files.facts("/run/systemd/system"))?.kind === "folder";
}

/** Undefined where there is none. */
export async function systemdVersion(
  env: Pick<Environment, "processes">,
): Promise<number | undefined> {
  try {
    const { stdout } = await runProgram(env, "systemctl", ["--version"]);
    const version = Number(/^systemd (\d+)/.exec(stdout)?.[1]);
    return Number.isInteger(version) ? version : undefined;
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}

/** Also the name of the unit and of the script. */
export function serviceName(mesh: string): string {
  return `minime-${mesh}`;
}

/** Where its file lies, in the machine's own root. */
export function servicePath(kind: ServiceKind, mesh: string): string {
  const name = serviceName(mesh);
  return kind === "systemd" ? `/etc/systemd/system/${name}.service` : `/etc/init.d/${name}`;
}
