/** A disk that becomes full in the middle: what is complete by then is there, and nothing else. */

import assert from "node:assert/strict";
import { RealDisk } from "../../../core/environment/real_disk.ts";
import { type DiskFile, FileError } from "../../../core/mod.ts";
import { copy, temporaryFolder } from "./scene.ts";

const FILES = 100;

/** Takes so many files, and then says at one of its calls that it is full. */
class FullDisk extends RealDisk {
  readonly #at: "create" | "write" | "sync";
  #left: number;

  constructor(at: "create" | "write" | "sync", left: number) {
    super();
    this.#at = at;
    this.#left = left;
  }

  override create(path: string, mode: number): DiskFile {
    const isFull = this.#left-- === 0;
    const full = () => new FileError("no-space", `Could not write "${path}": no space left`);
    if (isFull && this.#at === "create") throw full();
    const file = super.create(path, mode);
    if (!isFull) return file;
    return new Proxy(file, {
      get: (target, call: keyof DiskFile) => {
        if (call === "write" && call === this.#at) {
          return () => {
            throw full();
          };
        }
        if (call === "sync" && call === this.#at) return () => Promise.reject(full());
        return (target[call] as (...given: unknown[]) => unknown).bind(target);
      },
    });
  }
}

Deno.test("writer: files that are complete when the disk is full are in place", async () => {
  using folder = temporaryFolder();
  const [from, to] = [`${folder.path}/from`, `${folder.path}/to`];
  Deno.mkdirSync(from);
  const name = (index: number) => String(index).padStart(3, "0");
  for (let i = 0; i < FILES; i++) Deno.writeTextFileSync(`${from}/${name(i)}`, name(i));
  // Of those that wait for the disk together the others arrive.
  const expected = { create: 20, write: 20, sync: 63 };
  for (const at of ["create", "write", "sync"] as const) {
    Deno.mkdirSync(to);
    await assert.rejects(copy({ sources: [`${from}/.`], to, disk: new FullDisk(at, 20) }), {
      class: "failed",
      message: `Could not write "${to}/020": no space left`,
    });
    const names = [...Deno.readDirSync(to)].map((each) => each.name).sort();
    assert.equal(names.length, expected[at], at);
    for (const each of names) assert.equal(Deno.readTextFileSync(`${to}/${each}`), each);
    Deno.removeSync(to, { recursive: true });
  }
});
