/**
 * A copy of the sources in which nobody imports through a door (core/mod.ts): each name comes from
 * the file that declares it. A bundler that splits code follows a door to all that lies behind it, so
 * that a command which needs one class of error would read the whole core at its start.
 */

import { dirname, join, relative } from "node:path/posix";

const IMPORT = /^import (type )?\{([^}]*)\} from "([^"]+)";$/gm;
const EXPORT_NAMES = /^export \{([^}]*)\} from "([^"]+)";$/gm;
const EXPORT_ALL = /^export \* from "([^"]+)";$/gm;
const DECLARED = /^export (?:abstract |async )*(?:function\*?|class|const|let) (\w+)/gm;
const LISTED = /^export \{([^}]*)\};$/gm;

const FROM = /\bfrom "([^"]+)"/g;

/** A name, and the file that declares it. */
interface Origin {
  readonly name: string;
  readonly path: string;
}

/**
 * Copies `folders` and `files` of `root` to `copy`, which exists; `door` is the path of the door below both.
 *
 * @throws Error where it is not sure what an import through the door means
 */
export async function copyWithDirectImports(
  root: string,
  copy: string,
  { door, folders, files }: {
    readonly door: string;
    readonly folders: readonly string[];
    readonly files: readonly string[];
  },
): Promise<void> {
  const origins = await originsOf(root, door);
  const copyFile = async (path: string): Promise<void> => {
    if (!path.endsWith(".ts")) return await Deno.copyFile(join(root, path), join(copy, path));
    const text = await Deno.readTextFile(join(root, path));
    await Deno.writeTextFile(join(copy, path), directly(text, { path, door, origins }));
  };
  const copyFolder = async (path: string): Promise<void> => {
    await Deno.mkdir(join(copy, path), { recursive: true });
    for await (const { name, isDirectory } of Deno.readDir(join(root, path))) {
      await (isDirectory ? copyFolder : copyFile)(join(path, name));
    }
  };
  for (const folder of folders) await copyFolder(folder);
  for (const file of files) {
    await Deno.mkdir(join(copy, dirname(file)), { recursive: true });
    await copyFile(file);
  }
}

/** What the door gives, by the name under which it does. A name that it lists goes before one of a star. */
async function originsOf(root: string, door: string): Promise<ReadonlyMap<string, Origin>> {
  const stars = new Map<string, Origin>();
  const listed = new Map<string, Origin>();
  const text = await Deno.readTextFile(join(root, door));
  for (const [, from = ""] of text.matchAll(EXPORT_ALL)) {
    const path = join(dirname(door), from);
    const behind = await Deno.readTextFile(join(root, path));
    for (const [, name = ""] of behind.matchAll(DECLARED)) add(stars, name, { name, path });
    for (const [, names = ""] of behind.matchAll(LISTED)) {
      for (const { as } of namesIn(names)) add(stars, as, { name: as, path });
    }
  }
  for (const [, names = "", from = ""] of text.matchAll(EXPORT_NAMES)) {
    for (const { name, as } of namesIn(names)) {
      add(listed, as, { name, path: join(dirname(door), from) });
    }
  }
  return new Map([...stars, ...listed]);
}

function add(origins: Map<string, Origin>, name: string, origin: Origin): void {
  const other = origins.get(name);
  if (other !== undefined) {
    throw new Error(`"${other.path}" and "${origin.path}" both export ${name} through one door`);
  }
  origins.set(name, origin);
}

function directly(
  text: string,
  { path, door, origins }: {
    readonly path: string;
    readonly door: string;
    readonly origins: ReadonlyMap<string, Origin>;
  },
): string {
  const isDoor = (from: string) => from.startsWith(".") && join(dirname(path), from) === door;
  const direct = text.replace(
    IMPORT,
    (whole, isType: string | undefined, names: string, from: string) => {
      if (!isDoor(from)) return whole;
      const lines = isType === undefined
        ? namesIn(names).map(({ name, as }) => {
          const origin = origins.get(name);
          if (origin === undefined) {
            throw new Error(`"${path}" imports ${name}, not found in "${door}"`);
          }
          const way = relative(dirname(path), origin.path);
          const specifier = way.startsWith(".") ? way : `./${way}`;
          return `import { ${origin.name} as ${as} } from "${specifier}";`;
        })
        : [];
      // Errors tell the lines of the source.
      return lines.join(" ") + "\n".repeat(whole.split("\n").length - 1);
    },
  );
  for (const [, from = ""] of direct.matchAll(FROM)) {
    if (isDoor(from)) {
      throw new Error(`"${path}" imports "${door}" in a way that is not understood`);
    }
  }
  return direct;
}

/** Of a list like `a, type B, c as d`, without the types, which no bundler needs. */
function namesIn(list: string): { readonly name: string; readonly as: string }[] {
  const each = list.split(",").map((one) => one.trim());
  return each.filter((one) => one !== "" && !one.startsWith("type ")).map((one) => {
    const [name = "", as = name] = one.split(" as ");
    return { name, as };
  });
}
