/** Brings the files of an installation onto the disk, and leaves alone what is as it should be. */

import { type Environment, equalBytes, MinimeError, NotFoundError } from "../../core/mod.ts";

/** A file that shall be there. */
export interface PlannedFile {
  readonly path: string;
  readonly mode: number;
  readonly data: Uint8Array | string;
  /** What a dry run says of it instead of its content. */
  readonly from?: string;
}

/** Returns those that were not like that already. */
export async function writeFiles(
  env: Pick<Environment, "files">,
  files: readonly PlannedFile[],
): Promise<PlannedFile[]> {
  const written: PlannedFile[] = [];
  for (const file of files) {
    if (await writeFile(env, file)) written.push(file);
  }
  return written;
}

async function writeFile(
  { files }: Pick<Environment, "files">,
  { path, data, mode }: PlannedFile,
): Promise<boolean> {
  const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
  try {
    const facts = await files.facts(path);
    if (facts?.mode === mode && equalBytes(await files.read(path), bytes)) return false;
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
  const folder = path.slice(0, path.lastIndexOf("/"));
  const folderFacts = await files.facts(folder);
  if (folderFacts === undefined) await files.makeFolder(folder, { mode: 0o755 });
  else if (folderFacts.kind === "file") {
    throw new MinimeError(`"${folder}" is a file, and a folder is wanted`);
  }
  await files.write(path, bytes, { mode });
  return true;
}
