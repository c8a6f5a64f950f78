/**
 * Looks a program up as the kernel and execvp(3) would, before it is started through another one that
 * would only say that it failed.
 */

import type { Environment } from "../../core/mod.ts";
import { EXIT } from "../shared/exit_code.ts";

const EXECUTABLE = 0o111;
const LIKELY = "/usr/bin";

/** Why it cannot be started; undefined: as far as one can see, it can. */
export async function whyNotFound(
  files: Pick<Environment["files"], "facts">,
  program: string,
  options: { readonly path: string; readonly folder: string },
): Promise<{ readonly code: number; readonly error: string } | undefined> {
  let denied = false;
  for (const path of placesOf(program, options)) {
    const facts = await files.facts(path);
    if (facts === undefined) continue;
    // What a symbolic link leads to is left to the kernel.
    const isProgram = facts.kind === "other" ||
      (facts.kind === "file" && (facts.mode & EXECUTABLE) !== 0);
    if (isProgram) return undefined;
    denied = true;
  }
  const error = `Could not start "${program}": ` +
    (denied ? "permission denied" : "there is no such program");
  return { code: denied ? EXIT.cannotRun : EXIT.notFound, error };
}

function placesOf(
  program: string,
  { path, folder }: { readonly path: string; readonly folder: string },
): string[] {
  if (program.startsWith("/")) return [program];
  if (program.includes("/")) return [`${folder}/${program}`];
  const places = path.split(":").map((place) => place === "" ? folder : place);
  // Nearly all are there, and for whether there is one the order does not matter.
  const likely = places.filter((place) => place === LIKELY);
  const others = places.filter((place) => place !== LIKELY);
  return [...likely, ...others].map((place) => `${place}/${program}`);
}
