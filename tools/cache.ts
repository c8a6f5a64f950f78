/**
 * Files that the build fetched once and may use again, each under its own name and SHA-256. A cache
 * can be damaged or written by somebody else, so every use hashes the file again; what does not fit
 * is fetched anew. Files appear by rename, so that builds which run at once never see half a file.
 */

import { createHash } from "node:crypto";

export interface Pinned {
  name: string;
  bytes: number;
  /** Hex. */
  sha256: string;
}

/** Where fetched files are kept; `fallback` serves accounts without a home folder. */
export function cacheFolder(fallback: string): string {
  const base = Deno.env.get("XDG_CACHE_HOME");
  if (base !== undefined && base.startsWith("/")) return `${base}/minime-build`;
  const home = Deno.env.get("HOME");
  return home === undefined || home === "" ? fallback : `${home}/.cache/minime-build`;
}

/**
 * The path of a pinned file, made by `fetchInto` (which gets an empty folder and returns the path of
 * a file within it) unless the cache holds it. The file is executable.
 */
export async function cached(
  folder: string,
  pinned: Pinned,
  fetchInto: (staging: string) => Promise<string>,
): Promise<string> {
  const path = `${folder}/${pinned.name}`;
  if (await fits(path, pinned)) return path;
  await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  const staging = await Deno.makeTempDir({ dir: folder, prefix: "fetch-" });
  try {
    const fetched = await fetchInto(staging);
    const { size } = await Deno.stat(fetched);
    const sha256 = await hashFile(fetched);
    if (size !== pinned.bytes || sha256 !== pinned.sha256) {
      throw new Error(
        `Hash of "${pinned.name}" is ${sha256} (${size} bytes), must be ${pinned.sha256} (${pinned.bytes} bytes)`,
      );
    }
    await Deno.chmod(fetched, 0o755);
    await Deno.rename(fetched, path);
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
  return path;
}

async function fits(path: string, pinned: Pinned): Promise<boolean> {
  try {
    if ((await Deno.stat(path)).size !== pinned.bytes) return false;
    return await hashFile(path) === pinned.sha256;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** SHA-256 of a file, in hex. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  using file = await Deno.open(path);
  const buffer = new Uint8Array(1024 * 1024);
  for (;;) {
    const count = await file.read(buffer);
    if (count === null) return hash.digest("hex");
    hash.update(buffer.subarray(0, count));
  }
}
