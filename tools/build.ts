/**
 * `deno task build` makes `dist/minime`: bundle, then compile (compile.ts says from which base).
 * Beside it lies `dist/minime.json`: what it was made from, so that a build with nothing to do is
 * done at once. Builds may run at the same time: the second waits, and finds the first one's work.
 *
 *     deno task build [--target aarch64-unknown-linux-gnu] [--force] [--if-possible]
 *
 * Exit codes: 0 built (or, with --if-possible, not possible), 1 not possible, 2 wrong arguments.
 */

import { parseArgs } from "node:util";
import { type Build, build, isTarget, projectFolder } from "./binary.ts";
import { messageOf } from "./older_pair.ts";

async function main(args: string[]): Promise<number> {
  let values: { target?: string; force?: boolean; "if-possible"?: boolean };
  try {
    values = parseArgs({
      args,
      options: {
        target: { type: "string" },
        force: { type: "boolean" },
        "if-possible": { type: "boolean" },
      },
    }).values;
  } catch (error) {
    say(`build: ${messageOf(error)}`);
    return 2;
  }
  const target = values.target ?? Deno.build.target;
  if (!isTarget(target)) {
    say(
      `build: Target "${target}" is not one of x86_64-unknown-linux-gnu, aarch64-unknown-linux-gnu`,
    );
    return 2;
  }
  const started = performance.now();
  try {
    const force = values.force ?? false;
    const result = await build({ root: projectFolder(), target, force, report: say });
    await report(result, performance.now() - started);
    return 0;
  } catch (error) {
    say(`build: ${messageOf(error)}`);
    if (!values["if-possible"] || Deno.env.get("MINIME_TEST_NO_SKIP") === "1") return 1;
    say("build: No executable; what follows runs from source");
    return 0;
  }
}

async function report(result: Build, ms: number): Promise<void> {
  if (!result.fresh) {
    say(`${result.path} is up to date (Deno ${result.runtime}, ${result.base})`);
    return;
  }
  const packed = await gzipBytes(result.path);
  say(
    `${result.path}: ${megabytes(result.bytes)}, ${megabytes(packed)} gzipped, built in ` +
      `${(ms / 1000).toFixed(1)} s on Deno ${result.runtime} from ${result.base}`,
  );
}

async function gzipBytes(path: string): Promise<number> {
  const file = await Deno.open(path);
  let bytes = 0;
  for await (const chunk of file.readable.pipeThrough(new CompressionStream("gzip"))) {
    bytes += chunk.length;
  }
  return bytes;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

function say(text: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${text}\n`));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
