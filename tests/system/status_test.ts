/** status on a mesh of real daemons, one of which freezes, dies and comes back. */

import assert from "node:assert/strict";
import { LocalMesh } from "../support/local_mesh.ts";
import { until } from "./rig/wait.ts";

/** On a machine that does much else, what is slow says nothing. */
const PATIENT = ["--slow", "1m"];

interface Status {
  readonly healthy: boolean;
  readonly nodes: readonly { name: string; state: string; answers: boolean }[];
  readonly links: readonly { from: string; to: string; roundTripMs: number | null }[];
  readonly problems: readonly { kind: string; nodes?: string }[];
}

Deno.test("status: a mesh of three, of which one freezes and thaws", async (test) => {
  await using mesh = await LocalMesh.start({ nodes: "n[1-3]" });

  await test.step("healthy when all are up, with each link measured by both ends", async () => {
    await mesh.must("status", "--wait", "healthy", ...PATIENT);
    const status = await mesh.json("status", ...PATIENT) as Status;
    assert.equal(status.healthy, true);
    assert.deepEqual(status.links.map(({ from, to }) => `${from} ${to}`), [
      "n1 n2",
      "n1 n3",
      "n2 n3",
    ]);
    await until("all is measured", async () => {
      const { links } = await mesh.json("status", ...PATIENT) as Status;
      return links.every(({ roundTripMs }) => roundTripMs !== null && roundTripMs > 0);
    });
    const text = await mesh.must("status", "--links", ...PATIENT);
    assert.match(text, /^default +n\[1-3\] +up .* 2 of 2 /m);
    assert.match(text, /^n1 +n3 +\d/m);
    assert.match(text, /^healthy: 3 up, 3 links, round trip /m);
  });

  await test.step("a frozen node does not answer, then it is lost; nothing hangs", async () => {
    await mesh.signal("n3", "SIGSTOP");
    const soon = await mesh.run("status", "--json", ...PATIENT);
    assert.equal(soon.code, 1);
    const { problems, nodes } = JSON.parse(soon.stdout) as Status;
    assert.ok(problems.some(({ nodes }) => nodes === "n3"), soon.stdout);
    assert.equal(nodes.find(({ name }) => name === "n3")?.answers, false);
    await until(
      "n3 is lost",
      async () => /^! n3: lost at n[12] /m.test((await mesh.run("status")).stdout),
    );
    const waited = await mesh.run("status", "--wait", "up=all", "--timeout", "10ms");
    assert.equal(waited.code, 124);
    assert.match(waited.stderr, /^Warning: Mesh is not up as a whole after 10 ms: not up: n3$/m);
    assert.equal((await mesh.run("status", "--wait", "up=2", "-t", "30s")).code, 0);
  });

  await test.step("--wait ends when the node is back", async () => {
    await mesh.signal("n3", "SIGCONT");
    await mesh.must("status", "--wait", "up=all");
  });

  await test.step("options that make no sense are refused", async () => {
    const wrong = await mesh.run("status", "--wait", "up=x");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /"up=x" is nothing to wait for\nWrite healthy, up=all, or up=N/);
    assert.equal((await mesh.run("status", "--timeout", "1s")).code, 2);
    assert.equal((await mesh.run("status", "--wait", "healthy", "--watch")).code, 2);
  });
});
