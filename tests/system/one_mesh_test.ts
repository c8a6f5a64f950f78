/** A mesh whose nodes are installed and one that boot made are one kind of mesh. */

import assert from "node:assert/strict";
import { freePorts, InstalledMesh } from "../support/installed_mesh.ts";
import { LocalMesh } from "../support/local_mesh.ts";
import { until } from "./rig/wait.ts";

const RUNNING = /"message":"Running"/;

interface Row {
  name: string;
  groups: string[];
}

Deno.test("one mesh: boot adds hosts to a mesh of installed nodes", async (test) => {
  const rules = `[policy]\nallow = [{ who = ["group:ops"], verbs = ["*"], on = ["*"], as = ` +
    `["root"] }, { who = ["group:users"], verbs = ["exec.*"], on = ["@compute"], as = ["$user"] }]\n`;
  await using mesh = await InstalledMesh.prepare({
    nodes: ["n1", "n2"],
    hostKeys: { n1: 'groups = ["registrar"]' },
    more: rules,
  });
  const { local } = mesh;
  const installed = [mesh.start("n1"), mesh.start("n2")];
  await Promise.all(installed.map((daemon) => daemon.line(RUNNING)));
  const more = `${local.folder}/more.toml`;
  await Deno.writeTextFile(
    more,
    'name = "lab"\n[[hosts]]\nnames = "b[1-2]"\nlauncher = "local"\ngroups = ["compute"]\n',
  );
  const policy = await Deno.readFile(`${local.home}/policy.signed`);

  await test.step("boot: the new ones are members by the same root, seen by all", async () => {
    await local.must("boot", "--hosts", more);
    await mesh.settled("b1", "b2", "n1", "n2");
    const certificates = await local.json("mesh", "certificates") as { nodes: Row[] };
    assert.deepEqual(certificates.nodes.map(({ name }) => name).sort(), ["b1", "b2", "n1", "n2"]);
  });

  await test.step("boot: file and policy of the mesh stay what they were", async () => {
    assert.deepEqual(await Deno.readFile(`${local.home}/policy.signed`), policy);
    const file = await Deno.readTextFile(`${local.home}/mesh.toml`);
    for (const word of ['"n1"', '"n2"', '"b[1-2]"', "group:users"]) assert.ok(file.includes(word));
  });

  await test.step("grow: brings one of them back", async () => {
    await local.signal("b2", "SIGKILL");
    await mesh.settled("b1", "n1", "n2");
    await local.must("grow", "-w", "b2");
    await mesh.settled("b1", "b2", "n1", "n2");
  });

  await test.step("halt: all of it goes down, and is found again when it is back", async () => {
    await local.must("halt");
    await Promise.all(installed.map(({ status }) => status));
    assert.equal((await local.run("nodes")).code, 4);
    await mesh.start("n2").line(RUNNING);
    await mesh.settled("n2");
  });
});

Deno.test("one mesh: installed nodes join a mesh that boot made", async (test) => {
  const local = await LocalMesh.start({
    nodes: "b[1-2]",
    more: '[groups]\ncompute = "b[1-2]"\n',
  });
  await using mesh = InstalledMesh.over(local);
  const config = `${local.folder}/mesh.toml`;
  const [port] = freePorts(1);
  const provision = (node: string) =>
    local.must("mesh", "provision", node, "--config", config, "--out", mesh.folders);

  await test.step("nodes --toml: is a mesh file that a daemon takes, also as one of its hosts", async () => {
    const text = await local.must("nodes", "--toml");
    await local.must("shrink", "-w", "b2");
    await Deno.writeTextFile(
      config,
      `${text}\n[[hosts]]\nnames = "reg"\naddress = "127.0.0.1"\nport = ${port}\n` +
        `groups = ["registrar"]\n`,
    );
    await provision("b2");
    await mesh.start("b2").line(RUNNING);
    await mesh.settled("b1", "b2");
  });

  await test.step("token: a node joins by one that a provisioned registrar gives", async () => {
    const nobody = await local.run("token", "create", "--name", "n7");
    assert.equal(nobody.code, 4);
    assert.match(
      nobody.stderr,
      /in group "registrar": only those can admit others; give a host groups/,
    );
    await provision("reg");
    await mesh.start("reg").line(RUNNING);
    await mesh.settled("b1", "b2", "reg");
    const token = `${local.folder}/n7.token`;
    await local.must("token", "create", "--name", "n7", "--groups", "compute", "--out", token);
    await Deno.mkdir(mesh.keys("n7"), { mode: 0o700 });
    await Deno.writeTextFile(
      `${mesh.keys("n7")}/mesh.toml`,
      `${await local.must("nodes", "--toml")}\n[[hosts]]\nnames = "n7"\n` +
        `listen = ["tcp:127.0.0.1:0"]\n`,
    );
    const n7 = mesh.start("n7", { args: ["--token-file", token] });
    await n7.line(RUNNING);
    await mesh.settled("b1", "b2", "n7", "reg");
    const { nodes } = await local.json("nodes") as { nodes: Row[] };
    assert.deepEqual(nodes.find(({ name }) => name === "n7")?.groups, ["compute"]);
  });

  await test.step("halt: all of it goes down", async () => {
    await local.must("halt");
    await until("no process is left", () => local.processes().length === 0);
  });
});
