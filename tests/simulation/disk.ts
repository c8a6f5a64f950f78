/**
 * A simulated machine's disk: it survives the death of processes and of power. Paths are absolute.
 * Tests can fill it (`capacityBytes`) and make single paths unreadable (`deny`).
 */
import type { FileFacts } from "../../core/environment/environment.ts";
import type { SimulatedListener } from "./listener.ts";
import { systemError } from "./system_error.ts";

export interface DiskEntry {
  readonly kind: "file" | "folder" | "socket";
  data: Uint8Array;
  mode: number;
  modified: number;
  /** Of a socket: who listens, or listened. */
  readonly listener?: SimulatedListener;
}

export class Disk {
  /** A write that would need more fails with "no space". */
  capacityBytes = Infinity;
  /** Who holds a lock, by path; the dead hold none. */
  readonly locks = new Map<string, { readonly process: { readonly dead: boolean } }>();
  readonly #uid: number;
  readonly #entries = new Map<string, DiskEntry>();
  readonly #denied = new Set<string>();

  constructor(uid: number) {
    this.#uid = uid;
    for (const path of ["/", "/tmp"]) this.#entries.set(path, entry("folder", 0o755, 0));
  }

  /** Every use of this path fails with "permission denied" from now on. */
  deny(path: string): void {
    this.#denied.add(normal(path));
  }

  allow(path: string): void {
    this.#denied.delete(normal(path));
  }

  /** Throws when there is nothing. */
  get(path: string): DiskEntry {
    const found = this.find(path);
    if (found === undefined) throw systemError("ENOENT");
    return found;
  }

  find(path: string): DiskEntry | undefined {
    const at = normal(path);
    if (this.#denied.has(at)) throw systemError("EACCES");
    return this.#entries.get(at);
  }

  /** What a kernel finds when somebody dials: permissions of the file do not matter to it. */
  socket(path: string): DiskEntry | undefined {
    return this.#entries.get(normal(path));
  }

  readFile(path: string): Uint8Array<ArrayBuffer> {
    const found = this.get(path);
    if (found.kind === "folder") throw systemError("EISDIR");
    return new Uint8Array(found.data);
  }

  writeFile(path: string, data: Uint8Array, mode: number, now: number): void {
    this.#checkParent(path);
    const old = this.find(path);
    if (old?.kind === "folder") throw systemError("EISDIR");
    // A new file beside the old one until the rename.
    this.#checkSpace(data.length);
    this.#entries.set(normal(path), { ...entry("file", mode, now), data: data.slice() });
  }

  appendFile(path: string, data: Uint8Array, mode: number, now: number): void {
    const old = this.find(path);
    if (old === undefined) return this.writeFile(path, data, mode, now);
    if (old.kind === "folder") throw systemError("EISDIR");
    this.#checkSpace(data.length);
    const joined = new Uint8Array(old.data.length + data.length);
    joined.set(old.data);
    joined.set(data, old.data.length);
    old.data = joined;
    old.modified = now;
  }

  makeFolder(path: string, mode: number, now: number): void {
    const parts = normal(path).split("/").slice(1);
    for (let count = 1; count <= parts.length; count++) {
      const each = `/${parts.slice(0, count).join("/")}`;
      const found = this.find(each);
      if (found === undefined) this.#entries.set(normal(each), entry("folder", mode, now));
      else if (found.kind !== "folder") {
        throw systemError(count === parts.length ? "EEXIST" : "ENOTDIR");
      }
    }
  }

  /** Throws when something is there. */
  makeSocket(path: string, listener: SimulatedListener, now: number): void {
    this.#checkParent(path);
    if (this.find(path) !== undefined) throw systemError("EADDRINUSE");
    this.#entries.set(normal(path), { ...entry("socket", 0o600, now), listener });
  }

  remove(path: string, { alone = false }: { alone?: boolean } = {}): void {
    const at = normal(path);
    const found = this.find(at);
    if (alone && found?.kind === "folder" && this.list(at).length > 0) {
      throw systemError("ENOTEMPTY");
    }
    for (const each of [...this.#entries.keys()]) {
      if (each === at || each.startsWith(`${at}/`)) this.#entries.delete(each);
    }
  }

  list(path: string): string[] {
    const found = this.find(path);
    if (found === undefined) return [];
    if (found.kind !== "folder") throw systemError("ENOTDIR");
    const prefix = normal(path) === "/" ? "/" : `${normal(path)}/`;
    return [...this.#entries.keys()]
      .filter((each) => each.startsWith(prefix) && each.length > prefix.length)
      .map((each) => each.slice(prefix.length))
      .filter((name) => !name.includes("/"))
      .sort();
  }

  facts(path: string): FileFacts | undefined {
    const found = this.find(path);
    if (found === undefined) return undefined;
    const { kind, mode, modified, data } = found;
    return { kind, size: data.length, mode, uid: this.#uid, modified, device: 0 };
  }

  hasParent(path: string): boolean {
    return this.find(parentOf(path))?.kind === "folder";
  }

  #checkParent(path: string): void {
    if (this.get(parentOf(path)).kind !== "folder") throw systemError("ENOTDIR");
  }

  #checkSpace(more: number): void {
    let used = 0;
    if (this.capacityBytes === Infinity) return;
    for (const { data } of this.#entries.values()) used += data.length;
    if (used + more > this.capacityBytes) throw systemError("ENOSPC");
  }
}

function entry(kind: DiskEntry["kind"], mode: number, modified: number): DiskEntry {
  return { kind, data: new Uint8Array(), mode, modified };
}

function normal(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return `/${parts.join("/")}`;
}

function parentOf(path: string): string {
  const at = normal(path);
  return at.slice(0, at.lastIndexOf("/")) || "/";
}
