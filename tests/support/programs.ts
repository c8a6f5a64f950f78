/** Programs to upgrade to: one that says another version, and one that never comes up. */

import assert from "node:assert/strict";
import type { Binary } from "../../tools/binary.ts";

/** Programs of a test in a folder of their own: an upgrade replaces the file that runs. */
export class Programs implements AsyncDisposable {
  readonly folder: string;
  readonly #built: Binary;

  private constructor(folder: string, built: Binary) {
    this.folder = folder;
    this.#built = built;
  }

  static async make(built: Binary): Promise<Programs> {
    return new Programs(await Deno.makeTempDir({ prefix: "minime-programs-" }), built);
  }

  /** The program that is built, under another name. */
  async copy(name: string): Promise<Binary> {
    assert.ok(this.#built.kind === "compiled");
    const path = `${this.folder}/${name}`;
    await Deno.copyFile(this.#built.path, path);
    return { ...this.#built, path };
  }

  /** The same program, which says that it is of another version. */
  async other(version: string): Promise<string> {
    const path = `${this.folder}/other`;
    await this.copy("other");
    // Found by grep, since 90 MB are not to be read here: the bundle says its version once.
    const grep = new Deno.Command("grep", { args: ["-obUa", '"0\\.1\\.0"', path] });
    const places = new TextDecoder().decode((await grep.output()).stdout).trim().split("\n");
    using file = await Deno.open(path, { write: true });
    for (const place of places) {
      await file.seek(Number(place.split(":")[0]) + 1, Deno.SeekMode.Start);
      await file.write(new TextEncoder().encode(version));
    }
    return path;
  }

  /** A program that says a version, and then never comes up. */
  async broken(): Promise<string> {
    const path = `${this.folder}/broken`;
    const facts = JSON.stringify({ version: "9.9.9", speaks: [1, 1] });
    const script = `#!/bin/sh\n[ "$1" != version ] || { echo '${facts}'; exit 0; }\nexit 1\n`;
    await Deno.writeTextFile(path, script, { mode: 0o755 });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
