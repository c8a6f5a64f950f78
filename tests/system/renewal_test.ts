/** Certificates that are renewed by a registrar, while nodes run and after they were away. */

import assert from "node:assert/strict";
import { InstalledMesh } from "../support/installed_mesh.ts";

const RUNNING = /"message":"Running"/;
const RENEWED = /"message":"Certificate was renewed, for another/;

Deno.test("renewal: a node renews while it runs, and comes back after it has expired", async () => {
  await using mesh = await InstalledMesh.prepare({
    nodes: ["reg", "n2"],
    hostKeys: { reg: 'groups = ["registrar"]' },
    lives: { n2: "3s" },
  });
  const registrar = mesh.start("reg");
  await registrar.line(RUNNING);
  const second = mesh.start("n2");
  await second.line(RENEWED);
  await registrar.line(/"Certificate of \\"n2\\" was renewed here"/);
  const kept = `${mesh.local.stateFolder("n2")}/node.chain`;
  assert.equal((Deno.statSync(kept).mode ?? 0) & 0o777, 0o600);
  await mesh.settled("reg", "n2");
  // Away for longer than its certificate lasts.
  second.kill("SIGKILL");
  await second.status;
  await new Promise((resolve) => setTimeout(resolve, 3_200));
  const again = mesh.start("n2");
  await again.line(/Certificate of \\"n2\\" has expired: asking a registrar/);
  await again.line(RUNNING);
  await mesh.settled("reg", "n2");
});

// It asked other registrars, of which there were none, and the mesh stayed down.
Deno.test("renewal: a registrar that was away for longer than its certificate comes up alone", async () => {
  await using mesh = await InstalledMesh.prepare({
    nodes: ["reg"],
    hostKeys: { reg: 'groups = ["registrar"]' },
    lives: { reg: "2s" },
  });
  await new Promise((resolve) => setTimeout(resolve, 2_200));
  const registrar = mesh.start("reg");
  await registrar.line(/Certificate of \\"reg\\" has expired: its own issuer renews it/);
  await registrar.line(RUNNING);
});
