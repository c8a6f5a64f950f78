/** Who is listed of those who left a request: one for each user of the machine, by the file's owner. */

import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import type { Environment, FileFacts } from "../../../core/mod.ts";
import { requestFileName } from "../../../modules/keys/enrol_request.ts";
import { EnrolSpool } from "../../../modules/keys/enrol_spool.ts";
import { openBox, sealFor } from "../../../modules/keys/sealed_box.ts";
import { testPrimitives } from "../../support/mesh_keys.ts";

const PASSWD = "alice:x:1001:1001::/home/alice:/bin/sh\nbob:x:1002:1002::/home/bob:/bin/sh\n";

/** Files belong to whom `owners` says. */
async function scene() {
  const real = createRealEnvironment();
  const primitives = await testPrimitives();
  const root = await Deno.makeTempDir({ prefix: "minime-spool-" });
  const owners = new Map<string, Partial<FileFacts>>();
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
        const facts = await real.files.facts(path);
        return facts && { ...facts, ...owners.get(path.split("/").at(-1) ?? "") };
      },
    },
  }) as Environment["files"];
  const processes = Object.create(real.processes, {
    variable: { value: (name: string) => name === "MINIME_SPOOL" ? root : undefined },
  }) as Environment["processes"];
  const env = { clock: real.clock, files, processes };
  const spool = await EnrolSpool.open(env, primitives, { mesh: "lab", log: () => {} });
  const leave = async (user: string, seed: number, facts: Partial<FileFacts>): Promise<string> => {
    const file = requestFileName(primitives, { key: new Uint8Array(64).fill(seed), user });
    await Deno.writeTextFile(`${root}/lab/${file}`, "");
    owners.set(file, facts);
    return file;
  };
  const there = () => [...Deno.readDirSync(`${root}/lab`)].map(({ name }) => name).sort();
  const dispose = () => Deno.remove(root, { recursive: true });
  return { spool, leave, there, owners, root, primitives, [Symbol.asyncDispose]: dispose };
}

Deno.test("enrol spool: the owner of a file decides whose request it is", async () => {
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
