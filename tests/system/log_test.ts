/** `minime log`: of the daemon here for its owner, of others by the policy, and never a secret. */

import assert from "node:assert/strict";
import { InstalledMesh } from "../support/installed_mesh.ts";

const POLICY = `[[policy.allow]]
who = ["group:ops"]
verbs = ["*"]
on = ["n1", "n2"]
`;

Deno.test("log: of this machine, of many nodes as the policy says, and as it comes", async () => {
  await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2", "n3"], more: POLICY });
  const { local } = mesh;
  for (const node of ["n1", "n2", "n3"]) mesh.start(node);
  await mesh.settled("n1", "n2", "n3");

  // Whoever owns the socket needs no certificate.
  const own = await local.must("log", "--name", "n3");
  assert.match(own, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} n3 info core: Running$/m);
  assert.match((await local.run("log")).stderr, /Several daemons run on this machine: n1 /);
  assert.equal((await local.must("log", "--name", "n3", "-n", "1")).split("\n").length, 2);
  assert.equal(await local.must("log", "--name", "n3", "--level", "error"), "");

  const { code, stdout, stderr } = await local.run("log", "-a", "--json");
  assert.equal(code, 1);
  assert.match(stderr, /n3: .*refused.*Policy has no rule/);
  const lines = stdout.trim().split("\n").map((line) => JSON.parse(line) as Line);
  const running = lines.filter(({ text }) => text === "Running");
  assert.deepEqual(running.map(({ node }) => node).sort(), ["n1", "n2"]);
  assert.ok(Array.isArray(running[0]?.fields?.["endpoints"]));
  const times = lines.map(({ time }) => time);
  assert.deepEqual(times, times.toSorted((a, b) => a - b));

  // No secret, in any form in which it might be written.
  for (const file of ["psk", "node.key"]) {
    const bytes = await Deno.readFile(`${mesh.keys("n1")}/${file}`);
    for (const part of [bytes.subarray(0, 32), bytes.subarray(32)]) {
      if (part.length === 0) continue;
      for (const text of [part.toHex(), part.toBase64().slice(0, 40)]) {
        assert.ok(!stdout.includes(text) && !own.includes(text), `the log tells ${file}`);
      }
    }
  }

  const following = local.spawn("log", "-w", "n[1-2]", "-f", "-n", "0");
  let text = "";
  const reading = (async () => {
    for await (const piece of following.stdout.pipeThrough(new TextDecoderStream())) text += piece;
  })();
  // What a node says of a reload shows that it is followed.
  const seen = (node: string) => text.includes(` ${node} info init_boot: Mesh file read again: `);
  for (let tries = 0; !seen("n1") || !seen("n2"); tries++) {
    assert.ok(tries < 200, "the log is not followed");
    for (const node of ["n1", "n2"]) await local.must("reload", "--name", node);
  }
  following.kill("SIGINT");
  assert.equal((await following.status).code, 130);
  await Promise.all([reading, following.stderr.cancel()]);
});

interface Line {
  readonly node: string;
  readonly time: number;
  readonly text: string;
  readonly fields?: Record<string, unknown>;
}
