/** nodes and ping on a mesh of real daemons, one of which dies. */

import assert from "node:assert/strict";
import { parseMeshFile } from "../../modules/shared/mesh_file.ts";
import { LocalMesh } from "../support/local_mesh.ts";
import { until } from "./rig/wait.ts";

Deno.test("nodes and ping: a mesh of four, of which one dies", async (test) => {
  await using mesh = await LocalMesh.start({ more: '[groups]\nio = "n[1-2]"\n' });

  await test.step("nodes: shows who is up, in which groups, with how many links", async () => {
    // Boot is over when all are up, which takes fewer links than there will be.
    await until("all have their links", async () => {
      const { nodes } = await mesh.json("nodes") as { nodes: { links: string[] }[] };
      return nodes.every(({ links }) => links.length === 3);
    });
    const lines = (await mesh.must("nodes")).trimEnd().split("\n");
    assert.deepEqual(lines[0]?.split(/ +/), [
      ...["NODE", "STATE", "FOR", "HOPS", "LOST", "AT", "ADDRESS", "GROUPS", "SEGMENT", "LINKS"],
      "VERSION",
    ]);
    assert.match(
      lines[1] ?? "",
      /^n1 +up +\d+ .{0,10}s +[01] +- +127\.0\.0\.1:\d+ +io +default +3 +\d+\.\d+\.\d+$/,
    );
    assert.match(lines[3] ?? "", /^n3 +up .* 127\.0\.0\.1:\d+ +- +default +3 /);
    assert.equal(lines.length, 6);
    assert.equal(lines[5], "4 up");
  });

  await test.step("nodes: takes sets and groups, and names what a wrong name may mean", async () => {
    const { nodes } = await mesh.json("nodes", "-g", "io", "-w", "n4", "-x", "n1") as {
      nodes: { name: string; links: string[] }[];
    };
    assert.deepEqual(nodes.map(({ name, links }) => [name, links.sort()]), [
      ["n2", ["n1", "n3", "n4"]],
      ["n4", ["n1", "n2", "n3"]],
    ]);
    assert.deepEqual(await mesh.run("nodes", "-w", "n33"), {
      code: 2,
      stdout: "",
      stderr: 'minime: The mesh has no node "n33", did you mean "n3"?\n',
    });
  });

  await test.step("ping: answers from each node, with statistics", async () => {
    const { code, stdout, stderr } = await mesh.run("ping", "-c2", "-i", "10ms", "n[1-2]");
    assert.deepEqual([code, stderr], [0, ""]);
    const answers = stdout.split("\n").filter((line) => line.startsWith("From"));
    assert.deepEqual(answers.map((line) => line.replace(/time=\d+\.\d{3} ms$/, "time")).sort(), [
      "From n1: seq=1 hops=0 time",
      "From n1: seq=2 hops=0 time",
      "From n2: seq=1 hops=1 time",
      "From n2: seq=2 hops=1 time",
    ]);
    assert.match(
      stdout,
      /--- n2 ping statistics ---\n2 sent, 2 answered, 0% lost, time \d+ ms\nround trip min\/avg\/max\/mdev = (\d+\.\d{3}[/ ]){4}ms\n$/,
    );
  });

  await test.step("ping: ^C ends it with its statistics", async () => {
    const child = mesh.spawn("ping", "-i", "10ms", "n2");
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("seq=2")) text += (await reader.read()).value ?? "";
    child.kill("SIGINT");
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
    assert.match(text, /--- n2 ping statistics ---\n\d+ sent, \d+ answered, /);
    assert.equal((await child.status).code, 0);
    await child.stderr.cancel();
  });

  await test.step("nodes: one that was killed is down, and says where it was lost", async () => {
    await mesh.signal("n3", "SIGKILL");
    await until(
      "n3 is down",
      async () => (await mesh.nodes()).some(({ name, state }) => name === "n3" && state === "down"),
    );
    const text = await mesh.must("nodes");
    assert.match(
      text,
      /^n3 +down +\d+ .{0,10}s +- +n[124] \(hop [01]\) +127\.0\.0\.1:\d+ +- +default +- /m,
    );
    assert.match(text, /\n3 up, 1 down\n$/);
  });

  await test.step("ping: a node that is down is an exit code of 1, the others answer", async () => {
    const { code, stdout } = await mesh.run("ping", "-c1", "n[2-3]");
    assert.equal(code, 1);
    assert.match(stdout, /^n3: seq=1 Down, lost at n[124]$/m);
    assert.match(
      stdout,
      /--- n3 ping statistics ---\n1 sent, 0 answered, 100% lost, time \d+ ms\n/,
    );
    const { nodes } = JSON.parse((await mesh.run("ping", "-c1", "--json", "n[2-3]")).stdout);
    assert.deepEqual(
      nodes.map(({ name, sent, answered, hops }: Record<string, unknown>) => (
        { name, sent, answered, hops }
      )),
      [
        { name: "n2", sent: 1, answered: 1, hops: 1 },
        { name: "n3", sent: 1, answered: 0, hops: undefined },
      ],
    );
    assert.deepEqual(await mesh.run("ping", "-c1", "m3"), {
      code: 2,
      stdout: "",
      stderr: 'minime: The mesh has no node "m3", did you mean "n3"?\n',
    });
  });

  // It took 10 s, and was told as "no route", and of an unknown node as of a home that knows none.
  await test.step("a session with a node that is down, or that is none, fails soon and says so", async () => {
    const { code, stderr } = await mesh.run("recv", "-w", "n3", "tag");
    assert.equal(code, 4);
    assert.match(
      stderr,
      /^minime: Cannot reach node "n3": Down for .+, lost at "n[124]" \(through "n[124]"\); directly: connection refused\n$/,
    );
    assert.deepEqual(await mesh.run("recv", "-w", "m3", "tag"), {
      code: 2,
      stdout: "",
      stderr: 'minime: The mesh has no node "m3", did you mean "n3"?\n',
    });
  });

  await test.step("nodes --toml: is the mesh file that booted it, with its ports, and can be booted", async () => {
    const text = await mesh.must("nodes", "--toml");
    const printed = parseMeshFile(text, { file: "printed" });
    const booted = parseMeshFile(await Deno.readTextFile(mesh.file), { file: "booted" });
    const ports = new Map(
      (await mesh.nodes()).map(({ name, endpoints: [endpoint = ""] }) => [name, endpoint]),
    );
    assert.deepEqual(
      printed.hosts.map(({ name, address, port }) => [name, `tcp:${address}:${port}`]),
      [...ports].sort(),
    );
    const portless = printed.hosts.map((host) => ({ ...host, port: 0 }));
    assert.deepEqual({ ...printed, hosts: portless }, booted);
    await mesh.must("halt");
    await Deno.writeTextFile(`${mesh.folder}/printed.toml`, text);
    await mesh.must("boot", "--hosts", `${mesh.folder}/printed.toml`);
    assert.deepEqual((await mesh.nodes()).map(({ name, state }) => [name, state]), [
      ["n1", "up"],
      ["n2", "up"],
      ["n3", "up"],
      ["n4", "up"],
    ]);
  });
});

Deno.test("nodes and ping: say that a mesh is not booted", async () => {
  await using mesh = await LocalMesh.start({ nodes: "n1", boot: false });
  for (const args of [["nodes"], ["ping", "n1"], ["halt"], ["shrink", "-w", "n1"]]) {
    const { code, stdout, stderr } = await mesh.run(...args);
    assert.deepEqual([code, stdout], [4, ""]);
    assert.match(stderr, /^minime: No mesh "lab" in ".*\/config\/minime"/);
  }
});
