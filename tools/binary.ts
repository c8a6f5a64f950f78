/**
 * Keeps `dist/minime` in step with the sources. A build is skipped when the record beside the file
 * says that it was made from what is there now: the sources, the lock, the build's own code, the
 * Deno that compiles, and `DENORT_BIN`. A build that failed is remembered for a while, so that each
 * test file does not wait for the same unreachable network again.
 */

import { createHash } from "node:crypto";
import { bundleMain } from "./bundle.ts";
import { cacheFolder, hashFile } from "./cache.ts";
import { compileBundle, type Compiled } from "./compile.ts";
import { messageOf, type Target } from "./older_pair.ts";

const FAILURE_KEPT_MS = 10 * 60 * 1000;

export interface BuildOptions {
  /** Folder of deno.json and main.ts; the result goes to `dist/` in it. */
  root: string;
  target: Target;
  /** Build even if nothing changed. @default false */
  force?: boolean;
  /** Lines for a person while it works. */
  report?: (line: string) => void;
}

export interface Build {
  path: string;
  /** False when the file was there already. */
  fresh: boolean;
  bytes: number;
  /** Of the executable, in hex. */
  sha256: string;
  base: string;
  /** Deno version that the executable contains. */
  runtime: string;
}

/** What lies beside the executable. */
interface BuildRecord {
  stamp: string;
  built?: Omit<Build, "path" | "fresh">;
  failed?: { why: string; at: number };
}

/** How to start the program under test: the compiled file, or the sources and why. */
export type Binary =
  | { kind: "compiled"; path: string; runtime: string }
  | { kind: "source"; why: string };

/**
 * The executable of this machine, built now if it must be. Where no runtime base can be had the
 * answer says why, and the caller runs from source and says so too; in CI (`MINIME_TEST_NO_SKIP=1`)
 * that is an error instead.
 */
export async function ensureBinary(): Promise<Binary> {
  const root = projectFolder();
  const target = Deno.build.target;
  if (!isTarget(target)) return { kind: "source", why: `No executable is made for ${target}` };
  const strict = Deno.env.get("MINIME_TEST_NO_SKIP") === "1";
  const remembered = strict ? undefined : await rememberedFailure(root, target);
  if (remembered !== undefined) return { kind: "source", why: remembered };
  try {
    const { path, runtime } = await build({ root, target });
    return { kind: "compiled", path, runtime };
  } catch (error) {
    if (strict) throw error;
    return { kind: "source", why: messageOf(error) };
  }
}

/** The words that start the program; arguments follow them. */
export function commandOf(binary: Binary): [string, ...string[]] {
  if (binary.kind === "compiled") return [binary.path];
  return [Deno.execPath(), "run", "--quiet", "--allow-all", `${projectFolder()}/main.ts`];
}

/** The folder of deno.json. */
export function projectFolder(): string {
  return new URL("..", import.meta.url).pathname.replace(/\/$/, "");
}

export function isTarget(text: string): text is Target {
  return text === "x86_64-unknown-linux-gnu" || text === "aarch64-unknown-linux-gnu";
}

/** Makes the executable for `target`, or finds that it is up to date. */
export async function build(options: BuildOptions): Promise<Build> {
  const { root, target } = options;
  const path = pathOf(root, target);
  await Deno.mkdir(`${root}/dist`, { recursive: true });
  using lock = await Deno.open(`${root}/dist/.lock`, { create: true, write: true });
  await lock.lock(true);
  const stamp = await stampOf(root, target);
  if (options.force !== true) {
    const built = (await readRecord(path))?.built;
    if (built !== undefined && await isUpToDate(path, stamp)) {
      return { path, fresh: false, ...built };
    }
  }
  try {
    const built = await make(options, path);
    await writeRecord(path, { stamp, built });
    return { path, fresh: true, ...built };
  } catch (error) {
    await removeStale(path);
    await writeRecord(path, { stamp, failed: { why: messageOf(error), at: Date.now() } });
    throw error;
  }
}

async function make(options: BuildOptions, path: string): Promise<Omit<Build, "path" | "fresh">> {
  const { root, target } = options;
  const staging = await Deno.makeTempDir({ dir: `${root}/dist`, prefix: ".build-" });
  try {
    options.report?.(`Building ${path}`);
    const compiled = await compileEntry("main.ts", { root, target, staging });
    const { size: bytes } = await Deno.stat(compiled.path);
    const sha256 = await hashFile(compiled.path);
    await Deno.rename(compiled.path, path);
    return { bytes, sha256, base: compiled.base, runtime: compiled.runtime };
  } finally {
    await Deno.remove(staging, { recursive: true });
  }
}

/** Makes an executable of a file of the project, in the folder `staging`. No record is kept of it. */
export async function compileEntry(
  entry: string,
  options: { root: string; target: Target; staging: string },
): Promise<Compiled> {
  const { root, target, staging } = options;
  const bundle = `${staging}/bundle`;
  await bundleMain(root, bundle, { entry });
  return await compileBundle({
    staging,
    bundle,
    target,
    unstable: await unstableFeatures(root),
    cache: cacheFolder(`${root}/dist/cache`),
  });
}

async function unstableFeatures(root: string): Promise<string[]> {
  const config: unknown = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
  if (typeof config !== "object" || config === null || !("unstable" in config)) return [];
  return Array.isArray(config.unstable) ? config.unstable.map(String) : [];
}

function pathOf(root: string, target: Target): string {
  return target === Deno.build.target ? `${root}/dist/minime` : `${root}/dist/minime-${target}`;
}

async function isUpToDate(path: string, stamp: string): Promise<boolean> {
  const record = await readRecord(path);
  if (record?.built === undefined || record.stamp !== stamp) return false;
  try {
    return await hashFile(path) === record.built.sha256;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

async function rememberedFailure(root: string, target: Target): Promise<string | undefined> {
  const record = await readRecord(pathOf(root, target));
  if (record?.failed === undefined || Date.now() - record.failed.at > FAILURE_KEPT_MS) {
    return undefined;
  }
  return record.stamp === await stampOf(root, target) ? record.failed.why : undefined;
}

/** An executable of older sources would be taken for one of these. */
async function removeStale(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

async function readRecord(path: string): Promise<BuildRecord | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(`${path}.json`)) as BuildRecord;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

async function writeRecord(path: string, record: BuildRecord): Promise<void> {
  const next = `${path}.json.${crypto.randomUUID()}`;
  await Deno.writeTextFile(next, `${JSON.stringify(record, null, 2)}\n`);
  await Deno.rename(next, `${path}.json`);
}

/** Hash of all that decides what the executable contains. */
async function stampOf(root: string, target: Target): Promise<string> {
  const paths = ["main.ts", "deno.json", "deno.lock"];
  for (const folder of ["core", "modules"]) {
    paths.push(...await listFiles(`${root}/${folder}`, folder));
  }
  const hash = createHash("sha256");
  hash.update(`${Deno.version.deno}\n${target}\n`);
  const denort = Deno.env.get("DENORT_BIN");
  if (denort !== undefined && denort !== "") {
    hash.update(`${denort}\n${await hashOrMissing(denort)}\n`);
  }
  for (const path of paths.sort()) {
    hash.update(`${path}\n${await hashOrMissing(`${root}/${path}`)}\n`);
  }
  const tools = `${projectFolder()}/tools`;
  for (
    const name of ["binary.ts", "bundle.ts", "compile.ts", "direct_imports.ts", "older_pair.ts"]
  ) {
    hash.update(await hashFile(`${tools}/${name}`));
  }
  return hash.digest("hex");
}

async function listFiles(folder: string, name: string): Promise<string[]> {
  const paths: string[] = [];
  try {
    for await (const entry of Deno.readDir(folder)) {
      const inside = `${name}/${entry.name}`;
      if (entry.isDirectory) paths.push(...await listFiles(`${folder}/${entry.name}`, inside));
      else paths.push(inside);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return paths;
}

async function hashOrMissing(path: string): Promise<string> {
  try {
    return await hashFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "missing";
    throw error;
  }
}
