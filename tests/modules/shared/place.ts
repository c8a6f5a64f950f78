/** A real folder of its own with the environment variables of a test, removed afterwards. */

import type { Environment, Processes } from "../../../core/environment/environment.ts";
import { createRealEnvironment } from "../../../core/environment/real.ts";

export interface Place extends Disposable {
  readonly folder: string;
  readonly env: Pick<Environment, "files" | "processes">;
}

/** `variables` may name the folder as `{folder}`. `uid` pretends to be somebody else. */
export function makePlace(
  variables: Readonly<Record<string, string>> = { HOME: "{folder}" },
  options: { uid?: number } = {},
): Place {
  const folder = Deno.makeTempDirSync({ prefix: "minime-test-" });
  const { files, processes: real } = createRealEnvironment();
  const processes: Processes = Object.create(real, {
    uid: { value: options.uid ?? real.uid },
    variable: { value: (name: string) => variables[name]?.replace("{folder}", folder) },
  });
  return {
    folder,
    env: { files, processes },
    [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
  };
}
