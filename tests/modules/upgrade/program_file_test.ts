import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { CallError, type Environment } from "../../../core/mod.ts";
import { ProgramFile } from "../../../modules/upgrade/program_file.ts";

const FACTS = JSON.stringify({ version: "9.9.9", speaks: [1, 1] });
const PROGRAM = `#!/bin/sh\necho '${FACTS}'\n`;
const OTHER = "#!/bin/sh\nexit 1\n";
const encoder = new TextEncoder();
const never = new AbortController().signal;

interface Place {
  readonly folder: string;
  readonly env: Environment;
  readonly file: ProgramFile;
}

/** A folder with an installed program. */
async function withPlace(run: (place: Place) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "minime-program-" });
  const real = createRealEnvironment();
  const executable = `${folder}/minime`;
  await Deno.writeTextFile(executable, OTHER, { mode: 0o755 });
  const processes = Object.assign(Object.create(real.processes), { executable });
  const env = { ...real, processes };
  try {
    await run({ folder, env, file: new ProgramFile(env) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** As it travels. */
function packed(bytes: Uint8Array<ArrayBuffer>): AsyncIterable<Uint8Array> {
  return new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
}

Deno.test("program file: a program is taken once, and one that is there must be what its name says", async () => {
  await withPlace(async ({ folder, file }) => {
    const bytes = encoder.encode(PROGRAM);
    const hash = await hashOf(bytes);
    const program = { hash, bytes: bytes.length };
    // Left by a machine that went down while it wrote.
    await Deno.writeTextFile(file.nextPath(hash), "", { mode: 0o755 });
    assert.equal((await file.take(program, packed(bytes), never)).version, "9.9.9");
    assert.equal(await Deno.readTextFile(file.nextPath(hash)), PROGRAM);
    assert.equal((await file.take(program, packed(encoder.encode("x")), never)).version, "9.9.9");

    await Deno.writeTextFile(file.nextPath(hash), OTHER);
    await assert.rejects(file.switchTo(hash), { message: /is not here: it was not sent$/ });
    assert.equal(await Deno.readTextFile(file.path), OTHER);
    await Deno.writeTextFile(file.nextPath(hash), PROGRAM);
    await file.switchTo(hash);
    assert.equal(await Deno.readTextFile(file.path), PROGRAM);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
    assert.deepEqual(names, ["minime", "minime.old"]);
  });
});

Deno.test("program file: one whose sender goes away leaves nothing, and the next one is taken", async () => {
  await withPlace(async ({ folder, file }) => {
    const bytes = encoder.encode(PROGRAM);
    const program = { hash: await hashOf(bytes), bytes: bytes.length };
    const gone = new CallError("cancelled", "The sender is gone");
    async function* interrupted() {
      for await (const piece of packed(bytes)) {
        yield piece.subarray(0, 10);
        throw gone;
      }
    }
    await assert.rejects(file.take(program, interrupted(), never), gone);
    async function* words() {
      yield await Promise.resolve("no bytes");
    }
    await assert.rejects(file.take(program, words(), never), { message: /is bytes$/ });
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["minime"]);
    assert.equal((await file.take(program, packed(bytes), never)).version, "9.9.9");
  });
});

Deno.test("program file: a relay that adds to a program cannot fill the disk with it", async () => {
  await withPlace(async ({ folder, env }) => {
    const bytes = encoder.encode(PROGRAM);
    const hash = await hashOf(bytes);
    const long = new Uint8Array(4 * 1024 * 1024);
    long.set(bytes);
    // What is written is looked at before it is removed.
    const sizes: number[] = [];
    const looking = {
      ...env,
      files: Object.assign(Object.create(env.files), {
        async remove(path: string) {
          const facts = await env.files.facts(path);
          if (facts !== undefined) sizes.push(facts.size);
          await env.files.remove(path);
        },
      }),
    };
    const signed = { hash, bytes: bytes.length - 1 };
    await assert.rejects(
      new ProgramFile(looking).take(signed, packed(long), never),
      { class: "failed" },
    );
    assert.deepEqual(sizes, [bytes.length - 1]);
    assert.deepEqual([...Deno.readDirSync(folder)].map(({ name }) => name), ["minime"]);
  });
});

Deno.test("program file: parts that a dead process left are removed, those of a living one stay", async () => {
  await withPlace(async ({ folder, file }) => {
    const bytes = encoder.encode(PROGRAM);
    const hash = await hashOf(bytes);
    const [old, fresh] = [1, 2].map((pid) => `${folder}/minime-${"ab".repeat(32)}.${pid}`);
    await Deno.writeTextFile(old as string, "old");
    await Deno.writeTextFile(fresh as string, "fresh");
    await Deno.utime(old as string, 1_000, 1_000);
    await file.take({ hash, bytes: bytes.length }, packed(bytes), never);
    const names = [...Deno.readDirSync(folder)].map(({ name }) => `${folder}/${name}`).sort();
    assert.deepEqual(names, [`${folder}/minime`, fresh, file.nextPath(hash)].sort());
  });
});

Deno.test("program file: a hash that could not be made is made when it is asked for again", async () => {
  await withPlace(async ({ env }) => {
    let calls = 0;
    const processes = Object.assign(Object.create(env.processes), {
      spawn(program: string, options: Parameters<Environment["processes"]["spawn"]>[1]) {
        if (calls++ > 0) return env.processes.spawn(program, options);
        return env.processes.spawn("false", { stdout: "piped", stderr: "piped" });
      },
    });
    const file = new ProgramFile({ ...env, processes });
    await assert.rejects(file.hash(), { message: "sha256sum failed: exit code 1" });
    const hash = await file.hash();
    assert.match(hash, /^[0-9a-f]{64}$/);
    assert.equal(await file.hash(), hash);
    assert.equal(calls, 2);
  });
});
