import assert from "node:assert/strict";
import { defaultPolicy, SEQUENCE_VERB } from "../../../core/mod.ts";
import type { RelayArgs } from "../../../modules/group/work.ts";
import { callGroup } from "../../../modules/shared/group_client.ts";
import { evil } from "./evil.ts";
import { fullMesh, line, startMesh, type TestMesh, told } from "./daemons.ts";

const N4 = ["n1", "n2", "n3", "n4"];

function sign(mesh: TestMesh, text: string, names: readonly string[] = N4): Uint8Array {
  return mesh.keys.sign(mesh.user, {
    verb: "probe.act",
    args: { text },
    targets: { kind: "names", names },
  });
}

function ran(mesh: TestMesh): readonly (readonly string[])[] {
  return mesh.daemons.map(({ probe }) => probe.ran);
}

Deno.test("group: a signed request runs on every target as the user, once even if sent twice", async () => {
  await using mesh = await startMesh(N4, line(N4));
  const signed = sign(mesh, "a");
  for (const origin of ["n1", "n4", "n1"]) {
    const result = await callGroup(mesh.get(origin).group, { targets: "", signed });
    assert.deepEqual(result.folded(), [{ nodeset: "n[1-4]", names: N4, value: { by: "alice" } }]);
  }
  assert.deepEqual(ran(mesh), N4.map(() => ["act a"]));
});

Deno.test("group: a signed sequence is judged and run as a whole", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const signed = mesh.keys.sign(mesh.user, {
    verb: SEQUENCE_VERB,
    args: [["probe.act", { text: "a" }], ["probe.fail", { text: "b" }], ["probe.say", {
      text: "c",
    }]],
  });
  const result = await callGroup(mesh.get("n1").group, { targets: "n2", signed });
  assert.deepEqual(result.failures.get("n2"), {
    name: "n2",
    set: "failed",
    reason: "The disk is full",
    step: 1,
  });
  assert.deepEqual(mesh.get("n2").probe.ran, ["act a", "fail b"]);
});

Deno.test("group: what the policy does not allow is refused by each target", async () => {
  await using mesh = await startMesh(N4, fullMesh(N4), { policy: defaultPolicy("others") });
  const result = await callGroup(mesh.get("n1").group, { targets: "", signed: sign(mesh, "a") });
  assert.equal(result.counts.refused, 4);
  assert.match(result.failures.get("n3")?.reason ?? "", /^Policy has no rule for user "alice"/);
  assert.deepEqual(ran(mesh), [[], [], [], []]);
});

Deno.test("group: a node that the signature does not name refuses", async () => {
  await using mesh = await startMesh(["n1", "n2"]);
  const signed = sign(mesh, "a", ["n1"]);
  const result = await callGroup(mesh.get("n1").group, { targets: "", signed });
  assert.deepEqual([...result.answered], ["n1"]);
  assert.equal(result.failures.get("n2")?.set, "refused");
  assert.match(result.failures.get("n2")?.reason ?? "", /is for "n1", this is "n2"$/);
});

Deno.test("group: a request that a relay altered is refused, and the true one still runs", async () => {
  const alter = (args: RelayArgs): RelayArgs => {
    const signed = args.work.signed?.slice() as Uint8Array;
    // The argument's last letter, inside the signed bytes.
    const at = new TextDecoder("latin1").decode(signed).indexOf("probe.act") + 9;
    const letter = signed.indexOf("a".charCodeAt(0), at + 10);
    signed[letter] = "b".charCodeAt(0);
    return { ...args, work: { ...args.work, signed } };
  };
  await using mesh = await startMesh(["n1", "n2", "n3"], line(["n1", "n2", "n3"]), {
    group: (name) => name === "n2" ? evil(alter) : undefined,
  });
  const signed = sign(mesh, "a");
  const args = { id: "ab".repeat(16), targets: "n3", signed };
  const result = await callGroup(mesh.get("n1").group, args);
  assert.equal(result.failures.get("n3")?.set, "refused");
  assert.match(result.failures.get("n3")?.reason ?? "", /is not signed by user "alice"$/);
  assert.deepEqual(mesh.get("n3").probe.ran, []);
  await mesh.link("n1", "n3");
  await told();
  const direct = await callGroup(mesh.get("n1").group, args);
  assert.deepEqual([...direct.answered], ["n3"]);
  assert.deepEqual(mesh.get("n3").probe.ran, ["act a"]);
});
