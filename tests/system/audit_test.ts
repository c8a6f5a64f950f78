import assert from "node:assert/strict";
import { LocalMesh } from "../support/local_mesh.ts";

interface Line {
  node: string;
  principal: string;
  verb: string;
  allowed: boolean;
}

Deno.test("audit: what was asked of this machine's nodes, filtered, with or without a daemon", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n[1-2]" });
  const folder = `${mesh.folder}/hers/minime/lab`;
  await Deno.mkdir(`${mesh.folder}/hers/minime`, { recursive: true, mode: 0o700 });
  await mesh.must("user", "add", "alice", "--groups", "users", "--out", folder);
  const hers = { XDG_CONFIG_HOME: `${mesh.folder}/hers`, XDG_STATE_HOME: `${mesh.folder}/none` };
  assert.notEqual((await mesh.runWith(hers, "halt")).code, 0);
  assert.equal((await mesh.run("halt")).code, 0);

  const lines = async (...words: readonly string[]) =>
    (await mesh.json("audit", ...words) as Line[]).map(({ node, principal, verb, allowed }) =>
      [node, principal === "alice" ? "alice" : "we", verb, allowed] as const
    );
  const all = await lines();
  assert.deepEqual(all.map(([, who, , allowed]) => [who, allowed]), [
    ["alice", false],
    ["we", true],
    ["we", true],
  ]);
  assert.ok(all.every(([, , verb]) => verb === "core.shutdown"), JSON.stringify(all));
  assert.deepEqual((await lines("--refused")).length, 1);
  assert.deepEqual((await lines("--user", "alice")).length, 1);
  const second = await lines("--name", "n2");
  assert.deepEqual([...new Set(second.map(([node]) => node))], ["n2"]);
  assert.deepEqual((await lines("--verb", "core")).length, 3);
  assert.deepEqual((await lines("--verb", "cor")).length, 0);
  assert.deepEqual((await lines("--last", "1")).length, 1);
  assert.deepEqual((await lines("--since", "1h")).length, 3);
  const text = await mesh.must("audit", "--refused", "--last", "1");
  assert.match(text, /^ *AGO +NODE +WHO +VERB +AS +DECISION +REQUEST$/m);
  assert.match(text, /alice +core\.shutdown +\S+ +refused: Policy has no rule for user "alice"/);

  const nothing = await mesh.run("audit", "--verb", "cor");
  assert.deepEqual([nothing.code, nothing.stdout], [0, ""]);
  assert.match(nothing.stderr, /^The audit has nothing like that$/m);

  // What a rule allowed and its limit then refused.
  const file = `${mesh.stateFolder("n1")}/audit/audit-00000001.jsonl`;
  const [ours] = (await Deno.readTextFile(file)).split("\n");
  const outcome = { ...JSON.parse(ours!), event: "outcome", allowed: undefined };
  for (const what of ["exit 3", "refused: Rule allow[0] lets nobody"]) {
    const line = JSON.stringify({ ...outcome, outcome: what });
    await Deno.writeTextFile(file, `${line}\n`, { append: true });
  }
  const refusals = await mesh.must("audit", "--refused");
  assert.match(refusals, /refused: Rule allow\[0\] lets nobody/);
  assert.doesNotMatch(refusals, /exit 3/);

  // A line that a lost machine cut is left out, and said.
  await Deno.writeTextFile(file, '{"time":1,"event":"deci', { append: true });
  const cut = await mesh.run("audit", "--json");
  assert.equal(JSON.parse(cut.stdout).length, 5);
  assert.match(cut.stderr, /Warning: Left out 1 line that had been cut short/);
  const none = await mesh.run("audit", "--name", "n7");
  assert.equal(none.code, 2);
  assert.match(none.stderr, /There are no audit records of yours on this machine\nThey lie on/);
});
