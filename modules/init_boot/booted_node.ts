/** A node that boot has started on a machine on which the same node is to be installed. */

import { type Environment, MinimeError } from "../../core/mod.ts";
import { livingProcess } from "../shared/pid_file.ts";
import { statePaths, stateRoot } from "../shared/state_folder.ts";

/** Its key would be another one, and its port is taken. @throws MinimeError */
export async function refuseBooted(
  env: Environment,
  { mesh, name }: { readonly mesh: string; readonly name: string },
): Promise<void> {
  const { pid } = statePaths(stateRoot(env), mesh, name);
  const other = await livingProcess(env, pid);
  if (other === undefined) return;
  throw new MinimeError(
    `A daemon that boot has started runs there, as process ${other.pid}; ` +
      `end it first: minime shrink -w ${name}`,
  );
}
