/** `minime upgrade`: nodes go on as another program, and go back when that does not come up. */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { InstalledMesh } from "../support/installed_mesh.ts";
import { LocalMesh } from "../support/local_mesh.ts";
import { Programs } from "../support/programs.ts";
import { until } from "./rig/wait.ts";

const built = await ensureBinary();

interface Outcome {
  readonly nodes: readonly { readonly name: string; readonly to: string; problem?: string }[];
  readonly left: readonly string[];
  readonly same: readonly string[];
}

interface NodeLife {
  readonly name: string;
  readonly keyId: string;
  readonly version: string;
  readonly incarnation: number;
  readonly state: string;
}

async function lives(local: LocalMesh): Promise<NodeLife[]> {
  const { nodes } = await local.json("nodes") as { nodes: NodeLife[] };
  return nodes.map(({ name, keyId, version, incarnation, state }) => ({
    name,
    keyId,
    version,
    incarnation,
    state,
  }));
}

/** The node that is asked hears of the others' lives a moment later than the upgrade, which asks them. */
async function renewed(local: LocalMesh, before: readonly NodeLife[]): Promise<void> {
  const wanted = before.map((node) => ({ ...node, version: "0.1.1", incarnation: 2 }));
  let found: NodeLife[] = [];
  await until("all are known in their next life", async () => {
    found = await lives(local);
    return found.every((node) => node.state === "up" && node.incarnation === 2);
  });
  assert.deepEqual(found, wanted);
}

Deno.test({
  name:
    "upgrade: installed nodes go on one after the other, jobs live on, a bad program is taken back",
  ignore: built.kind === "source",
  async fn() {
    await using programs = await Programs.make(built);
    const binary = await programs.copy("minime");
    await using mesh = await InstalledMesh.prepare({ nodes: ["n1", "n2"], binary });
    const { local } = mesh;
    const daemons = ["n1", "n2"].map((node) => mesh.start(node));
    await mesh.settled("n1", "n2");
    await local.must("exec", "--bg", "--name", "job", "-w", "n1", "sleep", "1000");
    const before = await lives(local);
    const audit = `${local.stateFolder("n1")}/audit/audit-00000001.jsonl`;
    const audited = await Deno.readTextFile(audit);

    const newer = await programs.other("0.1.1");
    const first = await local.json("upgrade", "--binary", newer) as Outcome;
    assert.deepEqual(first.nodes.map(({ to, problem }) => [to, problem]), [
      ["0.1.1", undefined],
      ["0.1.1", undefined],
    ]);
    await renewed(local, before);
    // The same processes, the same audit, the same jobs.
    for (const [i, node] of ["n1", "n2"].entries()) {
      assert.equal(await local.pidOf(node), daemons[i]?.pid);
    }
    assert.ok((await Deno.readTextFile(audit)).startsWith(audited));
    assert.match(await local.must("jobs"), /^job +n1 +runs/m);
    const again = await local.json("upgrade", "--binary", newer) as Outcome;
    assert.deepEqual([again.nodes, again.same], [[], ["n1", "n2"]]);

    const bad = await local.run("upgrade", "--binary", await programs.broken(), "--json");
    assert.equal(bad.code, 1, bad.stderr);
    const { nodes: [failed], left } = JSON.parse(bad.stdout) as Outcome;
    assert.match(failed?.problem ?? "", /The new program did not come up: the node took its old/);
    assert.equal(failed?.to, "0.1.1");
    assert.equal(left.length, 1);
    await mesh.settled("n1", "n2");
    assert.ok((await lives(local)).every(({ version }) => version === "0.1.1"));
  },
});

Deno.test({
  name: "upgrade: a booted node stays who it is, though its keys are in memory only",
  ignore: built.kind === "source",
  async fn() {
    assert.ok(built.kind === "compiled");
    await using programs = await Programs.make(built);
    const hash = (await new Deno.Command("sha256sum", { args: [built.path] }).output()).stdout;
    const name = `minime-${new TextDecoder().decode(hash).slice(0, 64)}`;
    const binary = await programs.copy(name);
    await using local = await LocalMesh.start({ nodes: "n[1-2]", binary });
    const before = await lives(local);
    await local.must("exec", "--bg", "--name", "job", "-w", "n1", "sleep", "1000");
    const refused = await local.run("upgrade", "--binary", "/bin/true");
    assert.equal(refused.code, 3, refused.stderr);
    assert.match(refused.stderr, /n\[1-2\]: failed: The file is no minime/);
    assert.match(refused.stderr, /Nothing was changed/);
    const { stdout } = await local.run("upgrade", "--binary", await programs.other("0.1.1"));
    assert.match(stdout, /^n1: version 0\.1\.0 to 0\.1\.1, up again after /m);
    await renewed(local, before);
    assert.match(
      await local.must("exec", "-a", "-b", "echo", "hello"),
      /^n\[1-2\] \(2\)\n-+\nhello$/m,
    );
    assert.match(await local.must("jobs"), /^job +n1 +runs/m);
    const bad = await local.run("upgrade", "--binary", await programs.broken(), "-w", "n2");
    assert.match(bad.stdout, /^n2: The new program did not come up/m);
    assert.deepEqual(
      (await lives(local)).map(({ keyId }) => keyId),
      before.map(({ keyId }) => keyId),
    );
  },
});
