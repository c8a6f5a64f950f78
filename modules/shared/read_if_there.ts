/** A file that need not be there. */

import { type Environment, NotFoundError } from "../../core/mod.ts";

/** Its content, or undefined when there is none. */
export async function readIfThere(
  { files }: Pick<Environment, "files">,
  path: string,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await files.read(path);
  } catch (error) {
    if (error instanceof NotFoundError) return undefined;
    throw error;
  }
}
