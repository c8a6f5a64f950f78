/** Who is listed of those who left a request: one for each user of the machine, by its owner. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { type Environment, FileError, type FileFacts } from "../../../core/mod.ts";
import { requestFileName } from "../../../modules/keys/enrol_request.ts";
import { EnrolSpool } from "../../../modules/keys/enrol_spool.ts";
import { openBox, sealFor } from "../../../modules/keys/sealed_box.ts";
import { ManualClock } from "../../support/manual_clock.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

const PASSWD = "alice:x:1001:1001::/home/alice:/bin/sh\nbob:x:1002:1002::/home/bob:/bin/sh\n";

/** Files belong to whom `owners` says; looking at those in `broken` does that. No time passes. */
async function scene() {
  const real = createRealEnvironment();
  const primitives = await testPrimitives();
  const root = await Deno.makeTempDir({ prefix: "minime-spool-" });
  const owners = new Map<string, Partial<FileFacts>>();
  const broken = new Map<string, () => Promise<void>>();
  const files = Object.create(real.files, {
    readText: {
      value: (path: string) =>
        path === "/etc/passwd" ? Promise.resolve(PASSWD) : real.files.readText(path),
    },
    write: {
      value: (...args: Parameters<Environment["files"]["write"]>) => real.files.write(...args),
    },
    facts: {
      value: async (path: string) => {
        const name = path.split("/").at(-1) ?? "";
        await broken.get(name)?.();
        const facts = await real.files.facts(path);
        return facts && { ...facts, ...owners.get(name) };
      },
    },
  }) as Environment["files"];
  const lookups: string[] = [];
  const directory = { fails: false };
  const processes = Object.create(real.processes, {
    variable: { value: (name: string) => name === "MINIME_SPOOL" ? root : undefined },
    spawn: {
      value: (...args: Parameters<Environment["processes"]["spawn"]>) => {
        lookups.push(args[1]?.args?.at(-1) ?? "");
        if (directory.fails) throw new FileError("other", "The directory of users is down");
        return real.processes.spawn(...args);
      },
    },
  }) as Environment["processes"];
  const clock = new ManualClock();
  clock.skew(real.clock.now() - clock.now());
  const env = { clock, random: real.random, files, processes };
  const spool = await EnrolSpool.open(env, primitives, { mesh: "lab", log: () => {} });
  const leave = async (user: string, seed: number, facts: Partial<FileFacts>): Promise<string> => {
    const file = requestFileName(primitives, { key: new Uint8Array(64).fill(seed), user });
    if (facts.kind === "file") await Deno.writeTextFile(`${root}/lab/${file}`, "");
    else await Deno.mkdir(`${root}/lab/${file}`, { mode: 0o700 });
    owners.set(file, facts);
    return file;
  };
  const there = () => [...Deno.readDirSync(`${root}/lab`)].map(({ name }) => name).sort();
  const dispose = () => Deno.remove(root, { recursive: true });
  return {
    spool,
    leave,
    there,
    owners,
    broken,
    lookups,
    directory,
    clock,
    root,
    [Symbol.asyncDispose]: dispose,
  };
}

Deno.test("enrol spool: the owner of a request decides whose it is", async () => {
  await using place = await scene();
  const { spool, leave, there } = place;
  const hers = await leave("alice", 1, { uid: 1001 });
  await leave("alice", 2, { uid: 1002 });
  await leave("nobody-here", 3, { uid: 1003 });
  await leave("bob", 4, { uid: 1002, kind: "other" });
  await leave("bob", 5, { uid: 1002, modified: 0 });
  await Deno.writeTextFile(`${place.root}/lab/rubbish.request`, "");
  assert.deepEqual((await spool.pending()).map(({ user }) => user), ["alice"]);
  assert.deepEqual(there(), [hers]);
});

Deno.test("enrol spool: what somebody else can have brought there is no request", async () => {
  await using place = await scene();
  const { spool, leave, there } = place;
  const hers = await leave("alice", 1, { uid: 1001, modified: Date.now() - 60_000 });
  // A file of hers, renamed by who could write in its folder; a folder of hers that they could move.
  await leave("alice", 2, { uid: 1001, kind: "file" });
  await leave("alice", 3, { uid: 1001, mode: 0o777 });
  await leave("alice", 4, { uid: 1001, mode: 0o720 });
  // Theirs, over which they have mounted a file system that calls it hers.
  await leave("alice", 5, { uid: 1001, device: -1 });
  assert.deepEqual((await spool.pending()).map(({ file }) => file), [hers]);
  assert.deepEqual(there(), [hers]);
});

Deno.test("enrol spool: what cannot be looked at hides nobody else", async () => {
  await using place = await scene();
  const { spool, leave, there, broken, lookups, directory, clock } = place;
  const hers = await leave("alice", 1, { uid: 1001 });
  const denied = await leave("bob", 2, { uid: 1002 });
  broken.set(denied, () => Promise.reject(new FileError("denied", "Permission denied")));
  const silent = await leave("bob", 3, { uid: 1002 });
  let looks = 0;
  broken.set(silent, () => {
    looks++;
    void clock.advance(600);
    return new Promise(() => {});
  });
  const unknown = await leave("carol", 4, { uid: 1_999_999_999 });
  const unknownToo = await leave("carol", 5, { uid: 1_999_999_999 });
  directory.fails = true;
  for (let look = 0; look < 2; look++) {
    assert.deepEqual((await spool.pending()).map(({ user }) => user), ["alice"]);
  }
  assert.equal(looks, 1);
  // Asked once in each look.
  assert.deepEqual(lookups, ["1999999999", "1999999999"]);
  assert.deepEqual(there(), [hers, denied, silent, unknown, unknownToo].sort());
  directory.fails = false;
  await spool.pending();
  assert.deepEqual(there(), [hers, denied, silent].sort());
});

Deno.test("enrol spool: a look ends in time, and the next one begins elsewhere", async () => {
  await using place = await scene();
  const { spool, leave, broken, clock } = place;
  const seen = new Set<string>();
  for (let seed = 1; seed <= 5; seed++) {
    const file = await leave("alice", seed, { uid: 1001, modified: clock.now() });
    broken.set(file, () => {
      seen.add(file);
      clock.jump(3_000);
      return Promise.resolve();
    });
  }
  await spool.pending();
  assert.equal(seen.size, 2);
  while (seen.size < 5) await spool.pending();
});

Deno.test("enrol spool: a folder that its owner filled stays, and hinders nothing", async () => {
  await using place = await scene();
  const { spool, leave, there, root } = place;
  const old = await leave("alice", 1, { uid: 1001, modified: 0 });
  await Deno.mkdir(`${root}/lab/${old}/more`);
  const file = await leave("alice", 2, { uid: 1001 });
  await Deno.writeTextFile(`${root}/lab/${file}/more`, "");
  const [request] = await spool.pending();
  assert.equal(request?.file, file);
  assert.equal(await spool.answer(request?.keyId ?? "", "{}"), "alice");
  assert.deepEqual(there(), [old, file, `${request?.keyId}.answer`].sort());
});

Deno.test("enrol spool: a user has one request, the newest", async () => {
  await using place = await scene();
  const { spool, leave, there } = place;
  const now = createRealEnvironment().clock.now();
  await leave("alice", 1, { uid: 1001, modified: now - 2_000 });
  const newest = await leave("alice", 2, { uid: 1001, modified: now - 1_000 });
  await leave("alice", 3, { uid: 1001, modified: now - 3_000 });
  const [request, ...others] = await spool.pending();
  assert.deepEqual([request?.file, others, there()], [newest, [], [newest]]);
  const keyId = request?.keyId ?? "";
  assert.equal(await spool.answer(keyId, "{}"), "alice");
  assert.deepEqual(there(), [`${keyId}.answer`]);
  await assert.rejects(spool.answer(keyId, "{}"), { class: "failed" });
  // An answer is taken away once nobody can be waiting for it.
  place.owners.set(`${keyId}.answer`, { modified: 0 });
  await spool.pending();
  assert.deepEqual(there(), []);
});

Deno.test("sealed box: opens for its key alone, and not when it was changed", async () => {
  const primitives = await testPrimitives();
  const { random } = createRealEnvironment();
  const secret = random.bytes(32);
  const plain = new TextEncoder().encode("a home");
  const box = sealFor({ primitives, random }, primitives.dhPublicKey(secret), plain);
  assert.deepEqual(openBox(primitives, secret, box), plain);
  assert.throws(() => openBox(primitives, random.bytes(32), box), { reason: "tag" });
  for (const at of [0, 31, 32, box.length - 1]) {
    const mutant = box.slice();
    mutant[at] = (mutant[at] as number) ^ 1;
    assert.throws(() => openBox(primitives, secret, mutant), { name: "AuthenticationError" });
  }
  assert.throws(() => openBox(primitives, secret, box.subarray(0, 40)), { name: "ProtocolError" });
});
