/** People of a login node become users of the mesh by one command, and an operator's word. */

import assert from "node:assert/strict";
import { parseCertificate, signCertificate } from "../../core/mod.ts";
import { InstalledMesh } from "../support/installed_mesh.ts";
import { testPrimitives } from "../support/mesh_keys.ts";

interface Requests {
  readonly requests: {
    user: string;
    node: string;
    fingerprint: string;
    keyId: string;
    groupsSoFar: string[];
  }[];
}

/** What a person runs, and what it says so far. */
function follow(child: Deno.ChildProcess) {
  const said = { out: "", err: "" };
  const read = async (stream: ReadableStream<Uint8Array>, to: "out" | "err") => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) said[to] += text;
  };
  const done = Promise.all([read(child.stdout, "out"), read(child.stderr, "err"), child.status]);
  return { said, code: done.then(([, , { code }]) => code), kill: () => child.kill("SIGINT") };
}

/** The certificate as it would be had it ended: nothing that was made before is newer. */
async function expired(home: string, certificate: Uint8Array): Promise<Uint8Array> {
  const primitives = await testPrimitives();
  const fields = parseCertificate(primitives, certificate);
  const { notBefore } = fields;
  return signCertificate(primitives, {
    issuerSeed: await Deno.readFile(`${home}/root.key`),
    fields: {
      type: fields.type,
      serial: 1n,
      meshId: fields.meshId,
      name: fields.name,
      signPublicKey: fields.signPublicKey,
      dhPublicKey: fields.dhPublicKey,
      groups: fields.groups,
      notBefore,
      notAfter: notBefore + 1,
    },
  }).bytes;
}

Deno.test("enroll: a person asks, an operator approves, and the mesh is theirs", async () => {
  await using mesh = await InstalledMesh.prepare({
    nodes: ["n1", "n2"],
    hostKeys: { n1: 'groups = ["login"]' },
    more:
      '[[policy.allow]]\nwho = ["group:ops"]\nverbs = ["*"]\non = ["*"]\nas = ["root", "$user"]\n' +
      '[[policy.allow]]\nwho = ["group:users"]\nverbs = ["mailbox.put"]\non = ["*"]\nas = ["$user"]\n',
  });
  const { local } = mesh;
  const spool = { MINIME_SPOOL: `${local.folder}/spool` };
  const early = await local.runWith(spool, "user", "enroll", "--mesh", "lab");
  assert.equal(early.code, 2);
  assert.match(early.stderr, /Mesh "lab" takes no requests on this machine/);
  mesh.start("n1", { env: spool });
  mesh.start("n2", { env: spool });
  await mesh.settled("n1", "n2");
  assert.equal((Deno.statSync(`${local.folder}/spool/lab`).mode ?? 0) & 0o7777, 0o1733);
  const hers = {
    ...spool,
    XDG_CONFIG_HOME: `${local.folder}/hers`,
    XDG_STATE_HOME: `${local.folder}/none`,
  };
  assert.equal(await local.must("user", "requests"), "Nobody waits\n");
  const requests = async () => (await local.json("user", "requests") as Requests).requests;
  const waiting = async (): Promise<Requests["requests"][number]> => {
    for (;;) {
      const [first] = await requests();
      if (first !== undefined) return first;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  // Given up, and asked again with the same key; then refused.
  const first = follow(local.spawnWith(hers, "user", "enroll"));
  const { user, fingerprint, node } = await waiting();
  assert.equal(node, "n1");
  first.kill();
  assert.notEqual(await first.code, 0);
  assert.match(first.said.out, new RegExp(`your fingerprint is ${fingerprint}$`, "m"));
  const second = follow(local.spawnWith(hers, "user", "enroll"));
  await local.must("user", "deny", user, "--reason", "Ask your supervisor");
  assert.equal(await second.code, 1);
  assert.match(second.said.err, /Your request was denied: Ask your supervisor/);
  const key = `${hers.XDG_CONFIG_HOME}/minime/lab/user.key`;
  assert.equal((Deno.statSync(key).mode ?? 0) & 0o777, 0o600);
  await Deno.remove(`${local.folder}/hers`, { recursive: true });
  const third = follow(local.spawnWith(hers, "user", "enroll"));
  const again = await waiting();
  assert.notEqual(again.fingerprint, fingerprint);
  const wrong = await local.run("user", "approve", user, "--fingerprint", fingerprint);
  assert.deepEqual([wrong.code, /with another fingerprint/.test(wrong.stderr)], [2, true]);
  await local.must(
    "user",
    "approve",
    user,
    "--groups",
    "users",
    "--fingerprint",
    again.fingerprint,
  );
  assert.equal(await third.code, 0, third.said.err);
  assert.deepEqual(await requests(), []);
  const nodes = await local.runWith(hers, "nodes");
  assert.equal(nodes.code, 0, nodes.stderr);
  const refused = await local.runWith(hers, "exec", "-w", "n1", "true");
  assert.match(refused.stderr, /allow|policy/i);
  const twice = await local.runWith(hers, "user", "enroll");
  assert.equal(twice.code, 2);
  assert.match(twice.stderr, /You are a user of mesh "lab" already, as ".+" for another /);
  // Past its end: the same key asks again, and its groups stay.
  const certificate = `${hers.XDG_CONFIG_HOME}/minime/lab/user.cert`;
  await Deno.writeFile(certificate, await expired(local.home, await Deno.readFile(certificate)));
  const late = await local.runWith(hers, "nodes");
  assert.equal(late.code, 5);
  assert.match(late.stderr, /expired .* ago: ask for another one by "minime user enroll" on a /);
  const alone = await local.runWith(hers, "user", "renew");
  assert.equal(alone.code, 2);
  assert.match(alone.stderr, /another certificate by an operator's word\nAsk on a node of its /);
  const fourth = follow(local.spawnWith(hers, "user", "enroll"));
  const { keyId, groupsSoFar } = await waiting();
  assert.deepEqual([keyId, groupsSoFar], [again.keyId, ["users"]]);
  assert.match(await local.must("user", "approve", user), /\(in users\) is still a user of mesh/);
  assert.equal(await fourth.code, 0, fourth.said.err);
  assert.equal((await local.runWith(hers, "nodes")).code, 0);
  // Or an operator gives it to her, without a key.
  await Deno.writeFile(certificate, await expired(local.home, await Deno.readFile(certificate)));
  const folder = `${local.folder}/again`;
  await local.must("user", "renew", user, "--out", folder);
  assert.ok(![...Deno.readDirSync(folder)].some(({ name }) => name === "user.key"));
  await Deno.copyFile(`${folder}/user.cert`, certificate);
  assert.equal((await local.runWith(hers, "nodes")).code, 0);
  // Known by name where it was approved.
  await local.must("revoke", again.keyId);
  assert.equal((await local.runWith(hers, "nodes")).code, 4);
});
