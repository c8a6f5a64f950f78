/**
 * The program under test as the origin runs it: the built file, or the sources where there is none.
 * The machine's folders may lie under /root, /home or /tmp, which hosts cover; so the origin
 * borrows the repository and Deno at paths below its own folder.
 */

const REPOSITORY = new URL("../../..", import.meta.url).pathname.replace(/\/$/, "");

/** How a program starts minime: append the arguments. */
export interface MinimeCommand {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** False when it runs from the sources, which cannot boot other hosts. */
  readonly built: boolean;
}

/** For a program on this machine, or, with `folder`, on the origin whose folder it is. */
export function minimeCommand(folder?: string): MinimeCommand {
  const repository = folder === undefined ? REPOSITORY : `${folder}/borrowed-repository`;
  if (isFile(`${REPOSITORY}/dist/minime`)) {
    return { argv: [`${repository}/dist/minime`], env: {}, built: true };
  }
  const deno = folder === undefined ? Deno.execPath() : `${folder}/borrowed-deno`;
  return {
    argv: [deno, "run", "-A", "--quiet", `${repository}/main.ts`],
    env: { DENO_DIR: folder === undefined ? denoFolder() : `${folder}/borrowed-cache` },
    built: false,
  };
}

/** Lists for holder.sh what an origin's folder borrows, and makes the places to mount it on. */
export async function borrow(folder: string): Promise<void> {
  await Deno.mkdir(denoFolder(), { recursive: true });
  await Deno.mkdir(`${folder}/borrowed-repository`);
  await Deno.mkdir(`${folder}/borrowed-cache`);
  await Deno.writeTextFile(`${folder}/borrowed-deno`, "");
  const lines = [
    `${REPOSITORY}\t${folder}/borrowed-repository`,
    `${denoFolder()}\t${folder}/borrowed-cache`,
    `${Deno.realPathSync(Deno.execPath())}\t${folder}/borrowed-deno`,
  ];
  await Deno.writeTextFile(`${folder}/borrowed`, lines.join("\n") + "\n");
}

/** Where Deno keeps its downloads, by its own rule for Linux. */
export function denoFolder(): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return Deno.env.get("DENO_DIR") ?? `${cache}/deno`;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
