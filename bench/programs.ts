/**
 * The program in the two forms that exist: the bundle on the Deno that runs this bench, which is what
 * a release contains, and the file compiled with whatever base can be had here (often an older
 * runtime). Beside each an empty program of the same form.
 */

import { ensureBinary, isTarget, projectFolder } from "../tools/binary.ts";
import { bundleMain } from "../tools/bundle.ts";
import { cacheFolder } from "../tools/cache.ts";
import { compileBundle } from "../tools/compile.ts";
import { print } from "./table.ts";

export interface Program {
  /** For a table: "bundle, Deno 2.9.6". */
  readonly form: string;
  /** The words that start it; arguments follow. */
  readonly argv: readonly string[];
  /** The words that start an empty program. */
  readonly empty: readonly string[];
  /** The words that start a program which does nothing for ever. */
  readonly idle: readonly string[];
}

const FORESEEN = /import\(("\.\/[^"]+")\)/g;
const IDLE = "setInterval(() => {}, 60_000);\n";

export class Programs implements AsyncDisposable {
  readonly bundle: Program;
  /** Undefined where no base for the executable can be had. */
  readonly compiled: Program | undefined;
  readonly #folder: string;

  private constructor(folder: string, bundle: Program, compiled: Program | undefined) {
    this.#folder = folder;
    this.bundle = bundle;
    this.compiled = compiled;
  }

  static async make(): Promise<Programs> {
    // Deno's command line would look for a newer one at a start now and then; a release does not.
    Deno.env.set("DENO_NO_UPDATE_CHECK", "1");
    const folder = await Deno.makeTempDir({ prefix: "minime-bench-" });
    await bundleMain(projectFolder(), `${folder}/bundle`);
    await loadAsCompiled(`${folder}/bundle`);
    const run = [Deno.execPath(), "run", "--quiet", "--no-config", "--allow-all"];
    const files = { empty: "", idle: IDLE };
    for (const [name, text] of Object.entries(files)) {
      await Deno.mkdir(`${folder}/${name}`);
      await Deno.writeTextFile(`${folder}/${name}/main.js`, text);
    }
    const bundle = {
      form: `bundle, Deno ${Deno.version.deno}`,
      argv: [...run, `${folder}/bundle/main.js`],
      empty: [...run, `${folder}/empty/main.js`],
      idle: [...run, `${folder}/idle/main.js`],
    };
    return new Programs(folder, bundle, await compiledProgram(folder));
  }

  /** Both forms, or the one that exists. */
  get all(): readonly Program[] {
    return this.compiled === undefined ? [this.bundle] : [this.bundle, this.compiled];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/**
 * `deno run` reads and parses all that a program might ever import before it starts; a compiled file,
 * which is what a release is, reads what it imports. The same here, once imports cannot be foreseen.
 */
async function loadAsCompiled(folder: string): Promise<void> {
  for await (const { name } of Deno.readDir(folder)) {
    const text = await Deno.readTextFile(`${folder}/${name}`);
    await Deno.writeTextFile(`${folder}/${name}`, text.replace(FORESEEN, "import(String($1))"));
  }
}

async function compiledProgram(folder: string): Promise<Program | undefined> {
  const binary = await ensureBinary();
  if (binary.kind === "source") {
    print(`No compiled file is measured: ${binary.why}\n`);
    return undefined;
  }
  const target = Deno.build.target;
  if (!isTarget(target)) throw new Error(`No executable is made for ${target}`);
  const compile = async (name: string, bundle: string): Promise<string> => {
    const staging = `${folder}/compiled-${name}`;
    await Deno.mkdir(staging);
    const cache = cacheFolder(`${projectFolder()}/dist/cache`);
    return (await compileBundle({ staging, bundle, target, unstable: [], cache })).path;
  };
  // The build starts what it made, with the word "version": the idle one would never end.
  await Deno.mkdir(`${folder}/idle-compiled`);
  await Deno.writeTextFile(
    `${folder}/idle-compiled/main.js`,
    `if (Deno.args[0] !== "version") {\n${IDLE}}\n`,
  );
  return {
    form: `compiled, Deno ${binary.runtime}`,
    argv: [binary.path],
    empty: [await compile("empty", `${folder}/empty`)],
    idle: [await compile("idle", `${folder}/idle-compiled`)],
  };
}
