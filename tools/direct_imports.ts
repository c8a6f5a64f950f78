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

/** A name, and the file that declares it. */
interface Origin {
  readonly name: string;
  readonly path: string;
}

/**
 * Copies `folders` and `files` of `root` to `copy`, which exists; `door` is the path of the door below both.
 *
 * @throws Error when a name is imported through the door that it does not seem to have
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

/** What the door gives, by the name under which it does. */
async function originsOf(root: string, door: string): Promise<ReadonlyMap<string, Origin>> {
  const origins = new Map<string, Origin>();
  const text = await Deno.readTextFile(join(root, door));
  for (const [, names = "", from = ""] of text.matchAll(EXPORT_NAMES)) {
    for (const { name, as } of namesIn(names)) {
      origins.set(as, { name, path: join(dirname(door), from) });
    }
  }
  for (const [, from = ""] of text.matchAll(EXPORT_ALL)) {
    const path = join(dirname(door), from);
    const behind = await Deno.readTextFile(join(root, path));
    for (const [, name = ""] of behind.matchAll(DECLARED)) origins.set(name, { name, path });
    for (const [, names = ""] of behind.matchAll(LISTED)) {
      for (const { as } of namesIn(names)) origins.set(as, { name: as, path });
    }
  }
  return origins;
}

function directly(
  text: string,
  { path, door, origins }: {
    readonly path: string;
    readonly door: string;
    readonly origins: ReadonlyMap<string, Origin>;
  },
): string {
  return text.replace(IMPORT, (whole, isType: string | undefined, names: string, from: string) => {
    if (!from.startsWith(".") || join(dirname(path), from) !== door) return whole;
    if (isType !== undefined) return "";
    return namesIn(names).map(({ name, as }) => {
      const origin = origins.get(name);
      if (origin === undefined) {
        throw new Error(`"${path}" imports ${name}, not found in "${door}"`);
      }
      const way = relative(dirname(path), origin.path);
      const specifier = way.startsWith(".") ? way : `./${way}`;
      return `import { ${origin.name} as ${as} } from "${specifier}";`;
    }).join("\n");
  });
}

/** Of a list like `a, type B, c as d`, without the types, which no bundler needs. */
function namesIn(list: string): { readonly name: string; readonly as: string }[] {
  const each = list.split(",").map((one) => one.trim());
  return each.filter((one) => one !== "" && !one.startsWith("type ")).map((one) => {
    const [name = "", as = name] = one.split(" as ");
    return { name, as };
  });
}
