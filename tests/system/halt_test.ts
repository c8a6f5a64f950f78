/** halt, shrink and wipe on meshes of real daemons, some of which are dead or frozen. */

import assert from "node:assert/strict";
import { LocalMesh } from "../support/local_mesh.ts";
import { until } from "./rig/wait.ts";

Deno.test("halt: returns when all is down, with a dead node in the mesh, and again", async () => {
  await using mesh = await LocalMesh.start();
  await mesh.signal("n2", "SIGKILL");
  await until(
    "n2 is down",
    async () => (await mesh.nodes()).some(({ name, state }) => name === "n2" && state === "down"),
  );

  const first = await mesh.run("halt");
  // Nothing is waited for between the command's end and this look.
  assert.deepEqual(mesh.processes(), []);
  assert.match(
    first.stdout,
    /^n\[1,3-4\]: down\nn2: was down already, for \d+ m?s\nMesh "lab" is down\n$/,
  );
  assert.deepEqual([first.code, first.stderr], [0, ""]);

  assert.equal(await Deno.readTextFile(`${mesh.home}/nodes.json`), "[]\n");
  assert.deepEqual(await mesh.run("nodes"), {
    code: 4,
    stdout: "",
    stderr: 'minime: Home of mesh "lab" knows no node: boot it first\n',
  });
  assert.deepEqual(await mesh.run("halt"), {
    code: 0,
    stdout: 'Mesh "lab" is not booted\n',
    stderr: "",
  });
  for (const file of ["root.key", "psk", "user.key", "user.cert"]) {
    assert.ok((await Deno.stat(`${mesh.home}/${file}`)).isFile);
  }
});

Deno.test("halt: a mesh whose daemons all died is down already", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n[1-2]" });
  for (const node of ["n1", "n2"]) await mesh.signal(node, "SIGKILL");
  assert.deepEqual(await mesh.run("halt", "--json"), {
    code: 0,
    stdout: '{"mesh":"lab","down":true,"nodes":[{"name":"n1","result":"was-down"},' +
      '{"name":"n2","result":"was-down"}]}\n',
    stderr: "",
  });
});

Deno.test("halt: a frozen node is named and stays, whether the mesh has noticed or not", async () => {
  // Both wait most of the time, so they do it at once.
  const both = [haltWithFrozenNode(), haltWithNodeTakenForDead()];
  await Promise.allSettled(both);
  await Promise.all(both);
});

/** The node does not go and is named, and wipe ends it. */
async function haltWithFrozenNode(): Promise<void> {
  await using mesh = await LocalMesh.start({ nodes: "n[1-3]" });
  await mesh.signal("n3", "SIGSTOP");
  const halted = await mesh.run("halt", "--timeout", "5s");
  assert.equal(halted.code, 1);
  assert.match(
    halted.stdout,
    /^n\[1-2\]: down\nn3: still up: .+\nMesh "lab" is not all down after 5 s\n$/,
  );
  const hint = /^What still runs can be ended by force: minime (wipe --hosts \S+ -w n3)\n$/
    .exec(halted.stderr)?.[1];
  assert.ok(hint !== undefined, halted.stderr);
  assert.equal(mesh.processes().length, 1);

  // The mesh has nobody left who would answer, and n3 does not.
  const again = await mesh.run("halt");
  assert.equal(again.code, 4);
  assert.match(
    again.stderr,
    /minime: Mesh "lab" cannot be reached and may still run: n3 takes connections but does not let us in\n/,
  );

  const { code, stdout } = await mesh.run(...hint.split(" "), "--grace", "1s");
  assert.deepEqual([code, stdout], [0, "n3: wiped, the daemon was killed\n1 host is clean\n"]);
  assert.deepEqual(mesh.processes(), []);
}

/** The node is still up for halt, and can be halted when it runs again. */
async function haltWithNodeTakenForDead(): Promise<void> {
  await using mesh = await LocalMesh.start({ nodes: "n[1-2]" });
  await mesh.signal("n2", "SIGSTOP");
  await until(
    "n2 is down",
    async () => (await mesh.nodes()).some(({ name, state }) => name === "n2" && state === "down"),
  );
  const halted = await mesh.run("halt", "--timeout", "5s");
  assert.equal(halted.code, 1);
  assert.equal(
    halted.stdout,
    "n1: down\nn2: still up: takes connections but does not answer\n" +
      'Mesh "lab" is not all down after 5 s\n',
  );
  // It is not forgotten: once it runs again, it can be halted.
  await mesh.signal("n2", "SIGCONT");
  assert.equal((await mesh.run("halt")).code, 0);
  assert.deepEqual(mesh.processes(), []);
}

Deno.test("shrink: nodes go and are forgotten, dead ones too, and the last one stays", async () => {
  await using mesh = await LocalMesh.start();
  const before = await mesh.nodes();
  await mesh.signal("n4", "SIGKILL");

  // n1 is the node that a command on this machine talks to.
  const { code, stdout, stderr } = await mesh.run("shrink", "-w", "n1,n4");
  assert.deepEqual([code, stderr], [0, 'Shrinking mesh "lab" by n[1,4]; n[2-3] will stay\n']);
  assert.match(stdout, /\n2 nodes left the mesh, 2 nodes stay\n$/);
  assert.match(stdout, /^n\[1,4\]: down$|^n1: down\nn4: was down already, for .{1,10}s$/m);
  assert.equal(mesh.processes().length, 2);
  assert.deepEqual((await mesh.nodes()).map(({ name, state }) => [name, state]), [
    ["n2", "up"],
    ["n3", "up"],
  ]);
  const known = JSON.parse(await Deno.readTextFile(`${mesh.home}/nodes.json`));
  assert.deepEqual(known.map(({ name }: { name: string }) => name).sort(), ["n2", "n3"]);

  const refusals: [args: string[], text: string][] = [
    [
      ["-w", "n[2-3]"],
      'No node that is up would stay in the mesh\nTo take down the whole mesh: "minime halt"',
    ],
    [["-w", "n4"], 'The mesh has no node "n4", did you mean "n2" or "n3"?'],
    [["-w", "n2", "-x", "n2"], "No nodes are left to shrink"],
    [[], "No nodes are named\nName them: -w NODESET, or -g GROUP"],
  ];
  for (const [args, text] of refusals) {
    assert.deepEqual(await mesh.run("shrink", ...args), {
      code: 2,
      stdout: "",
      stderr: `minime: ${text}\n`,
    });
  }

  // A name may come back, its key does not.
  await mesh.must("grow", "-w", "n4");
  const after = (await mesh.nodes()).find(({ name }) => name === "n4");
  assert.equal(after?.state, "up");
  assert.notEqual(after?.keyId, before.find(({ name }) => name === "n4")?.keyId);
  await mesh.must("halt");
  assert.deepEqual(mesh.processes(), []);
});

Deno.test("wipe: from the file alone, without keys, and again", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n[1-3]" });
  await mesh.signal("n2", "SIGKILL");
  await Deno.remove(mesh.home, { recursive: true });

  const first = await mesh.run("wipe", "--hosts", mesh.file, "-w", "n[1-2]");
  assert.deepEqual(first, {
    code: 0,
    stdout:
      "n1: wiped, the daemon stopped\nn2: wiped, no daemon was running\nAll 2 hosts are clean\n",
    stderr: "",
  });
  assert.deepEqual(
    [...Deno.readDirSync(`${mesh.folder}/state/minime/lab`)].map(({ name }) => name),
    ["n3"],
  );
  assert.deepEqual(
    await mesh.run("wipe", "--hosts", mesh.file, "--json"),
    {
      code: 0,
      stdout: '{"mesh":"lab","hosts":[' +
        '{"name":"n1","clean":true,"result":"nothing","text":"nothing to wipe"},' +
        '{"name":"n2","clean":true,"result":"nothing","text":"nothing to wipe"},' +
        '{"name":"n3","clean":true,"result":"stopped","text":"wiped, the daemon stopped"}],' +
        '"home":null}\n',
      stderr: "",
    },
  );
  assert.deepEqual(mesh.processes(), []);
  assert.deepEqual([...Deno.readDirSync(`${mesh.folder}/state`)], []);
});

Deno.test("wipe: never signals a process that only has the pid of the file", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n1", boot: false });
  const stranger = new Deno.Command("sleep", { args: ["60"] }).spawn();
  try {
    await Deno.mkdir(mesh.stateFolder("n1"), { recursive: true });
    const stat = await Deno.readTextFile(`/proc/${stranger.pid}/stat`);
    const started = Number(stat.split(" ")[21]);
    for (const text of [`${stranger.pid} ${started + 1}\n`, `${stranger.pid}\n`, "-1 0\n", "x\n"]) {
      await Deno.mkdir(mesh.stateFolder("n1"), { recursive: true });
      await Deno.writeTextFile(`${mesh.stateFolder("n1")}/pid`, text);
      assert.deepEqual(await mesh.run("wipe", "--hosts", mesh.file), {
        code: 0,
        stdout: "n1: wiped, no daemon was running\n1 host is clean\n",
        stderr: "",
      });
      Deno.kill(stranger.pid, "SIGCONT"); // Throws when it is gone.
    }
  } finally {
    stranger.kill("SIGKILL");
    await stranger.status;
  }
});
