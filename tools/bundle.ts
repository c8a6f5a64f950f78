/** The sources as few files of JavaScript, which a runtime reads fast. */

import { dirname } from "node:path/posix";
import { copyWithDirectImports } from "./direct_imports.ts";
import { run } from "./run.ts";

/** What a bundle is made of beside its entry, below the project's folder. */
const SOURCES = { door: "core/mod.ts", folders: ["core", "modules"] };
const CONFIG = ["deno.json", "deno.lock"];

/**
 * What is imported of Node when a chunk is read, minified: by Deno's bundler for packages that call
 * `require`, and by packages that want one of Node's modules now and then. Any of them loads the
 * runtime's whole layer for Node, which costs more than all else at a start, and memory in each daemon.
 */
const EAGER: readonly (readonly [RegExp, string])[] = [
  [
    /import\s*\{\s*createRequire as (\w+)\s*\}\s*from\s*"node:module";\s*var (\w+)=\1\(import\.meta\.url\);/g,
    // Nothing but modules of the runtime is left to require in a bundle.
    "var $2=name=>process.getBuiltinModule(name);",
  ],
  [
    /import (\w+) from\s*"(node:\w+)";/g,
    'var $1=new Proxy({},{get:(_,name)=>process.getBuiltinModule("$2")[name]});',
  ],
];

/**
 * Bundles main.ts into main.js in `folder`, and what it imports dynamically into chunks beside it: a
 * command reads only what it uses, and asking for the version next to nothing.
 */
export async function bundleMain(
  root: string,
  folder: string,
  { entry = "main.ts" }: { entry?: string } = {},
): Promise<void> {
  const sources = await Deno.makeTempDir({ prefix: "minime-bundle-" });
  try {
    const { door, folders } = SOURCES;
    const beside = dirname(entry);
    await copyWithDirectImports(root, sources, {
      door,
      folders: beside === "." ? folders : [...folders, beside],
      files: [...await filesOf(root, CONFIG), ...(beside === "." ? [entry] : [])],
    });
    await bundle(sources, folder, entry);
  } finally {
    await Deno.remove(sources, { recursive: true });
  }
  for await (const { name } of Deno.readDir(folder)) await loadLazily(`${folder}/${name}`);
  const name = entry.slice(entry.lastIndexOf("/") + 1).replace(/\.ts$/, ".js");
  if (name !== "main.js") await Deno.rename(`${folder}/${name}`, `${folder}/main.js`);
}

/** Those that exist: a project may have no lock. */
async function filesOf(root: string, names: readonly string[]): Promise<string[]> {
  const found = new Set((await Array.fromAsync(Deno.readDir(root))).map(({ name }) => name));
  return names.filter((name) => found.has(name));
}

async function bundle(sources: string, folder: string, entry: string): Promise<void> {
  const result = await run([
    Deno.execPath(),
    "bundle",
    "--quiet",
    "--minify",
    "--platform=deno",
    "--code-splitting",
    `--outdir=${folder}`,
    entry,
  ], { cwd: sources });
  if (result.code === 0) return;
  // All of it: the file and line are not in the first line.
  const output = result.stderr.split("Stack backtrace")[0]?.trim().replaceAll(`${sources}/`, "");
  throw new Error(`Cannot bundle "${entry}": ${output}`);
}

/** Node's modules are loaded when somebody asks for them. */
async function loadLazily(path: string): Promise<void> {
  const text = await Deno.readTextFile(path);
  const lazy = EAGER.reduce((so, [eager, instead]) => so.replace(eager, instead), text);
  if (lazy !== text) await Deno.writeTextFile(path, lazy);
}
