/** Imports through a door become imports of what is behind it, or the copy is not made. */

import assert from "node:assert/strict";
import { copyWithDirectImports } from "../../tools/direct_imports.ts";

const DOOR = `/** A door. */
export * from "./star.ts";
export { first, second as other } from "./listed.ts";
export type { Kind } from "./listed.ts";
`;
const STAR = `export const first = "star";
export class Star {}
export async function* walk() {}
const late = 1;
export { late };
`;
const LISTED = `export type Kind = string;
export const first = "listed";
export const second = 2;
`;

interface Tree extends AsyncDisposable {
  /** What a source becomes in the copy. */
  copied(source: string): Promise<string>;
}

async function tree(files: Readonly<Record<string, string>> = {}): Promise<Tree> {
  const root = await Deno.makeTempDir({ prefix: "minime-direct-" });
  const copy = await Deno.makeTempDir({ prefix: "minime-direct-" });
  await Deno.mkdir(`${root}/core`);
  await Deno.mkdir(`${root}/modules/deep`, { recursive: true });
  const all = { "mod.ts": DOOR, "star.ts": STAR, "listed.ts": LISTED, ...files };
  for (const [name, text] of Object.entries(all)) {
    await Deno.writeTextFile(`${root}/core/${name}`, text);
  }
  await Deno.writeTextFile(`${root}/modules/note.txt`, "as it is");
  return {
    async copied(source) {
      await Deno.writeTextFile(`${root}/modules/deep/a.ts`, source);
      const folders = ["core", "modules"];
      await copyWithDirectImports(root, copy, { door: "core/mod.ts", folders, files: [] });
      assert.equal(await Deno.readTextFile(`${copy}/modules/note.txt`), "as it is");
      return await Deno.readTextFile(`${copy}/modules/deep/a.ts`);
    },
    async [Symbol.asyncDispose]() {
      await Deno.remove(root, { recursive: true });
      await Deno.remove(copy, { recursive: true });
    },
  };
}

Deno.test("direct imports: each name comes from where it is declared, in as many lines", async () => {
  await using place = await tree();
  const copied = await place.copied(`import {
  first,
  type Kind,
  late as soon,
  other,
  Star,
} from "../../core/mod.ts";
import type { Kind as K } from "../../core/mod.ts";
import { x } from "./mod.ts";
here;
`);
  assert.equal(
    copied,
    'import { first as first } from "../../core/listed.ts"; ' +
      'import { late as soon } from "../../core/star.ts"; ' +
      'import { second as other } from "../../core/listed.ts"; ' +
      `import { Star as Star } from "../../core/star.ts";${"\n".repeat(6)}\n` +
      '\nimport { x } from "./mod.ts";\nhere;\n',
  );
});

Deno.test("direct imports: what is not sure is an error that names file and name", async () => {
  await using place = await tree();
  await assert.rejects(place.copied('import { gone } from "../../core/mod.ts";\n'), {
    message: '"modules/deep/a.ts" imports gone, not found in "core/mod.ts"',
  });
  await assert.rejects(place.copied('import * as core from "../../core/mod.ts";\n'), {
    message: '"modules/deep/a.ts" imports "core/mod.ts" in a way that is not understood',
  });
  await using twice = await tree({
    "mod.ts": 'export * from "./star.ts";\nexport * from "./listed.ts";\n',
  });
  await assert.rejects(twice.copied(""), {
    message: '"core/star.ts" and "core/listed.ts" both export first through one door',
  });
});
