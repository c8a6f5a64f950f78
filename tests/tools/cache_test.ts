/** The build's cache: what is in it was verified, each time. */

import assert from "node:assert/strict";
import { cached, cacheFolder, type Pinned } from "../../tools/cache.ts";

/** SHA-256 of "abc" (FIPS 180-2, appendix B.1). */
const ABC: Pinned = {
  name: "abc",
  bytes: 3,
  sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
};

Deno.test("cache: a file is fetched once, and again when it was damaged", async () => {
  await using folder = await makeFolder();
  let fetches = 0;
  const fetchInto = (staging: string) => {
    fetches++;
    return write(staging, "abc");
  };
  const path = await cached(folder.path, ABC, fetchInto);
  assert.equal(path, `${folder.path}/abc`);
  assert.equal((await Deno.stat(path)).mode! & 0o777, 0o755);
  await cached(folder.path, ABC, fetchInto);
  assert.equal(fetches, 1);
  await Deno.writeTextFile(path, "abd");
  await cached(folder.path, ABC, fetchInto);
  assert.equal(fetches, 2);
  assert.equal(await Deno.readTextFile(path), "abc");
});

Deno.test("cache: what does not fit its hash is refused and not kept", async () => {
  await using folder = await makeFolder();
  await assert.rejects(
    cached(folder.path, ABC, (staging) => write(staging, "abd")),
    {
      message: 'Hash of "abc" is ' +
        "a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9 (3 bytes), " +
        `must be ${ABC.sha256} (3 bytes)`,
    },
  );
  assert.deepEqual([...Deno.readDirSync(folder.path)], []);
});

Deno.test("cache: two that fetch at once both get the file, and leave nothing else", async () => {
  await using folder = await makeFolder();
  const fetchInto = (staging: string) => write(staging, "abc");
  const paths = await Promise.all([1, 2, 3].map(() => cached(folder.path, ABC, fetchInto)));
  assert.deepEqual(new Set(paths), new Set([`${folder.path}/abc`]));
  assert.deepEqual([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["abc"]);
});

Deno.test("cache: follows XDG_CACHE_HOME, then HOME, then the given folder", () => {
  const saved = ["XDG_CACHE_HOME", "HOME"].map((name) => [name, Deno.env.get(name)] as const);
  try {
    Deno.env.set("HOME", "/home/a");
    Deno.env.set("XDG_CACHE_HOME", "/cache");
    assert.equal(cacheFolder("/else"), "/cache/minime-build");
    Deno.env.set("XDG_CACHE_HOME", "relative");
    assert.equal(cacheFolder("/else"), "/home/a/.cache/minime-build");
    Deno.env.delete("HOME");
    assert.equal(cacheFolder("/else"), "/else");
  } finally {
    for (const [name, value] of saved) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
});

async function write(folder: string, text: string): Promise<string> {
  await Deno.writeTextFile(`${folder}/fetched`, text);
  return `${folder}/fetched`;
}

async function makeFolder(): Promise<AsyncDisposable & { path: string }> {
  const path = await Deno.makeTempDir({ prefix: "minime-cache-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}
