/** Files, in both environments. */
import assert from "node:assert/strict";
import { type Stage, STAGES } from "./stages.ts";

for (const [name, play] of STAGES) {
  const test = (
    text: string,
    scenario: (files: Stage["environment"]["files"], folder: string) => Promise<void>,
  ) =>
    Deno.test(
      `${name} files: ${text}`,
      () => play(({ environment: { files }, folder }) => scenario(files, folder)),
    );

  test("gives back what was written, as bytes and as text", async (files, folder) => {
    const path = `${folder}/a`;
    await files.write(path, "grün");
    assert.equal(await files.readText(path), "grün");
    assert.deepEqual([...await files.read(path)], [...new TextEncoder().encode("grün")]);
    await files.write(path, new Uint8Array([0, 255]));
    assert.deepEqual([...await files.read(path)], [0, 255]);
    assert.deepEqual(await files.list(folder), ["a"]);
  });

  test("gives files their mode, private unless asked otherwise", async (files, folder) => {
    await files.write(`${folder}/private`, "");
    await files.write(`${folder}/public`, "", { mode: 0o666 });
    await files.write(`${folder}/public`, "again");
    await files.append(`${folder}/log`, "a");
    await files.append(`${folder}/wide`, "a", { mode: 0o664 });
    await files.makeFolder(`${folder}/deep/folder`);
    const modes = await Promise.all(
      ["private", "public", "log", "wide", "deep", "deep/folder"].map(async (each) =>
        (await files.facts(`${folder}/${each}`))?.mode.toString(8)
      ),
    );
    assert.deepEqual(modes, ["600", "600", "600", "664", "700", "700"]);
    await files.setMode(`${folder}/private`, 0o640);
    assert.equal((await files.facts(`${folder}/private`))?.mode, 0o640);
  });

  test(
    "lets one hold a lock at a time, and the next one when that lets go",
    async (files, folder) => {
      const path = `${folder}/lock`;
      const { signal } = new AbortController();
      const order: string[] = [];
      const first = await files.lock(path, { signal });
      const second = files.lock(path, { signal }).then((lock) => {
        order.push("second");
        lock[Symbol.dispose]();
      });
      using _other = await files.lock(`${folder}/other`, { signal });
      order.push("first");
      first[Symbol.dispose]();
      await second;
      assert.deepEqual(order, ["first", "second"]);
      assert.equal((await files.facts(path))?.mode.toString(8), "600");
      await assert.rejects(files.lock(path, { signal: AbortSignal.abort(new Error("Stop")) }), {
        message: "Stop",
      });
    },
  );

  test("appends, in order, also several at once", async (files, folder) => {
    const path = `${folder}/log`;
    await files.append(path, "one ");
    await files.append(path, new TextEncoder().encode("two "));
    await Promise.all(["x", "y", "z"].map((each) => files.append(path, each)));
    assert.match(await files.readText(path), /^one two [xyz]{3}$/);
  });

  test("shows a reader either the old or the new content, whole", async (files, folder) => {
    const path = `${folder}/state`;
    const contents = ["a", "b", "c"].map((letter) => letter.repeat(200_000));
    await files.write(path, contents[0]!);
    let writing = true;
    const writer = (async () => {
      for (let round = 0; round < 10; round++) await files.write(path, contents[round % 3]!);
      writing = false;
    })();
    while (writing) assert.ok(contents.includes(await files.readText(path)));
    await writer;
    assert.deepEqual(await files.list(folder), ["state"]);
  });

  test("leaves nothing behind when a write fails", async (files, folder) => {
    await files.makeFolder(`${folder}/taken`);
    await assert.rejects(files.write(`${folder}/taken`, "text"), {
      name: "FileError",
      reason: "wrong-kind",
      message: `Could not write "${folder}/taken": it is a folder`,
    });
    assert.deepEqual(await files.list(folder), ["taken"]);
  });

  test("says what does not exist", async (files, folder) => {
    const path = `${folder}/none`;
    const missing = (action: string) => ({
      name: "NotFoundError",
      message: `Could not ${action} "${path}": it does not exist`,
    });
    await assert.rejects(files.read(path), missing("read"));
    await assert.rejects(files.readText(path), missing("read"));
    await assert.rejects(files.setMode(path, 0o600), missing("change the mode of"));
    await assert.rejects(files.write(`${path}/file`, ""), { name: "NotFoundError" });
    await assert.rejects(files.append(`${path}/file`, ""), { name: "NotFoundError" });
    assert.equal(await files.facts(path), undefined);
    assert.deepEqual(await files.list(path), []);
    await files.remove(path);
  });

  test("says when a path goes through a file", async (files, folder) => {
    await files.write(`${folder}/file`, "");
    const wrong = { name: "FileError", reason: "wrong-kind" };
    await assert.rejects(files.list(`${folder}/file`), wrong);
    await assert.rejects(files.write(`${folder}/file/a`, ""), wrong);
    await assert.rejects(files.makeFolder(`${folder}/file/a`), wrong);
    await assert.rejects(files.makeFolder(`${folder}/file`), {
      name: "FileError",
      reason: "exists",
      message: `Could not make the folder "${folder}/file": something else is there`,
    });
    await assert.rejects(files.read(folder), wrong);
  });

  test("lists names in order and removes whole folders", async (files, folder) => {
    await files.makeFolder(`${folder}/b/c`);
    await files.makeFolder(`${folder}/b/c`);
    await files.write(`${folder}/b/c/d`, "");
    await files.write(`${folder}/a`, "");
    await files.write(`${folder}/bb`, "");
    await files.write(`${folder}/Z`, "");
    assert.deepEqual(await files.list(folder), ["Z", "a", "b", "bb"]);
    await files.remove(`${folder}/b`);
    await files.remove(`${folder}/b`);
    assert.deepEqual(await files.list(folder), ["Z", "a", "bb"]);
    assert.equal((await files.list(folder, { max: 2 })).length, 2);
  });

  test("removes a folder alone only when it is empty", async (files, folder) => {
    await files.makeFolder(`${folder}/a/b`);
    const { device } = await files.facts(folder) ?? {};
    assert.equal((await files.facts(`${folder}/a`))?.device, device);
    await assert.rejects(files.remove(`${folder}/a`, { alone: true }), { name: "FileError" });
    await files.remove(`${folder}/a/b`, { alone: true });
    await files.remove(`${folder}/a`, { alone: true });
    await files.remove(`${folder}/a`, { alone: true });
    assert.deepEqual(await files.list(folder), []);
  });

  Deno.test(`${name} files: tells kind, size, owner and time`, () =>
    play(async ({ environment: { files, clock, processes }, folder }) => {
      const before = clock.now() - 1_000;
      await files.write(`${folder}/a`, "12345");
      const facts = await files.facts(`${folder}/a`);
      assert.ok(facts !== undefined);
      assert.deepEqual([facts.kind, facts.size, facts.uid], ["file", 5, processes.uid]);
      assert.ok(facts.modified >= before && facts.modified <= clock.now() + 1_000);
      assert.equal((await files.facts(folder))?.kind, "folder");
    }));
}
