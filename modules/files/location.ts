/**
 * `NODESET:PATH`, as users of scp write it: a colon before the first slash. Without nodes before the
 * colon they come from -w, -g or -a. A local file with a colon in its name is written `./a:b`.
 */

/** A place on nodes; with an empty nodeset, on those that options name. */
export interface Remote {
  readonly nodes: string;
  /** Empty: the home. */
  readonly path: string;
}

/** Undefined for a local path. */
export function remoteOf(text: string): Remote | undefined {
  const colon = text.indexOf(":");
  const slash = text.indexOf("/");
  if (colon < 0 || (slash >= 0 && slash < colon)) return undefined;
  return { nodes: text.slice(0, colon), path: text.slice(colon + 1) };
}

/**
 * What a path that is copied is called where it arrives: its last name; empty when it names no thing but
 * what is in it (`.`, `dir/.`, `..`, `/`, a home).
 */
export function nameOf(path: string): string {
  const name = path.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return name === "." || name === ".." || path === "~" ? "" : name;
}
