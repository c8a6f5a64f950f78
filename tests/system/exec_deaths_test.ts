/**
 * Whoever dies, by SIGKILL and without a word: nothing of a program's process tree stays behind, and no
 * zombie. Two segments, so that a node on the way is nobody's neighbour at both ends.
 */

import assert from "node:assert/strict";
import { LocalMesh } from "../support/local_mesh.ts";
import { until } from "./rig/wait.ts";

const HOSTS = [["n1", "a", false], ["n2", "a", true], ["n3", "a", true]]
  .concat([["n4", "b", true], ["n5", "b", true], ["n6", "b", false]]);

const MORE = HOSTS.slice(1).map(([name, segment, gateway]) =>
  `segment = "a"\n`.repeat(name === "n2" ? 1 : 0) +
  `[[hosts]]\nnames = "${name}"\nlauncher = "local"\nsegment = "${segment}"\n` +
  `gateway = ${gateway}\n`
).join("");

/** A shell with children in the background: one of them has children too, one listens to no SIGTERM. */
const TREE = '(trap "" TERM INT HUP; sleep 1021; sleep 1021) & sh -c "sleep 1021; :" & ' +
  "sleep 1021 & wait";
const TREE_PROCESSES = 6;

/** Living processes that were started with that variable. */
function tree(token: string): number[] {
  return processes().filter(({ pid, state }) =>
    state !== "Z" && textOf(`/proc/${pid}/environ`).includes(`TREE=${token}\0`)
  ).map(({ pid }) => pid);
}

function zombiesOf(parents: readonly number[]): number[] {
  return processes().filter(({ state, parent }) => state === "Z" && parents.includes(parent))
    .map(({ pid }) => pid);
}

function processes(): { pid: number; parent: number; state: string }[] {
  const pids = [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) =>
    pid > 0
  );
  return pids.flatMap((pid) => {
    const stat = textOf(`/proc/${pid}/stat`);
    const [state = "", parent] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return stat === "" ? [] : [{ pid, parent: Number(parent), state }];
  });
}

/** Empty for a process that has ended. */
function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

Deno.test("exec: whoever dies, nothing of a program stays behind", async (t) => {
  await using mesh = await LocalMesh.start({ nodes: "n1", more: MORE });
  const run = (token: string, nodes: string, line: string) =>
    mesh.spawn(
      ...["exec", "-n", "--kill-after", "200ms", "--env", `TREE=${token}`, "-w", nodes],
      ...["-s", line],
    );
  const gone = (token: string) => until(`${token} is gone`, () => tree(token).length === 0);
  const grown = (token: string, nodes: number) =>
    until(`${token} runs`, () => tree(token).length === nodes * TREE_PROCESSES);
  const noZombies = () => until("all are buried", () => zombiesOf(mesh.processes()).length === 0);
  const step = (name: string, run: () => Promise<void>) => t.step(name, run);
  const { routes } = await mesh.json("route", "n1", "n6") as {
    routes: { low: { hops: { name: string }[] } }[];
  };
  const relay = routes[0]?.low.hops[0]?.name ?? "";
  const other = relay === "n2" ? "n3" : "n2";

  await step("a frozen daemon: it is timed out, and does not begin when it wakes up", async () => {
    const witness = `${mesh.folder}/woken`;
    const args = ["-w", "n6", "--connect-timeout", "300ms", "-s", `touch ${witness}`];
    const ask = async () => {
      await mesh.signal("n6", "SIGSTOP");
      const asked = await mesh.run("exec", ...args);
      await mesh.signal("n6", "SIGCONT");
      await until(
        "n6 is back",
        async () => (await mesh.run("exec", "-w", "n6", "true")).code === 0,
      );
      return asked;
    };
    let { code, stderr } = await ask();
    // On a machine so slow that the mesh has given it up before.
    for (let tries = 1; code === 4 && tries < 5; tries++) ({ code, stderr } = await ask());
    assert.equal(code, 124, stderr);
    assert.match(stderr, /^minime: n6: timed out: /);
    await assert.rejects(Deno.stat(witness), Deno.errors.NotFound);
  });

  await step("the client: on all nodes", async () => {
    const client = run("client", "n[1-6]", TREE);
    await grown("client", 6);
    client.kill("SIGKILL");
    await client.output();
    await gone("client");
    await noZombies();
  });

  await step("a relay, where there is another way: program and job notice nothing", async () => {
    const gate = `${mesh.folder}/gate`;
    const job = `echo began; until [ -e ${gate} ]; do sleep 0.05; done; echo over; exit 5`;
    await mesh.must("exec", "--bg", "--name", "job", "-w", "n6", "-s", job);
    const attached = mesh.run("attach", "-w", "n6", "job");
    const line = `echo one; until [ -e ${gate} ]; do sleep 0.05; done; echo two; exit 3`;
    const client = run("relay", "n6", line);
    const output = client.output();
    await until("it runs", () => tree("relay").length > 0);
    await mesh.signal(relay, "SIGKILL");
    await until("the mesh knows", async () => {
      const found = (await mesh.nodes()).find(({ name }) => name === relay);
      return found?.state === "down";
    });
    assert.equal(await mesh.must("logs", "-N", "-w", "n6", "job"), "began\n");
    const waited = mesh.run("wait", "-w", "n6", "job");
    const followed = mesh.run("logs", "-f", "-w", "n6", "job");
    await Deno.writeTextFile(gate, "");
    const { code, stdout } = await output;
    assert.deepEqual([code, new TextDecoder().decode(stdout)], [3, "n6: one\nn6: two\n"]);
    assert.deepEqual(tree("relay"), []);
    const whole = "n6: began\nn6: over\n";
    const end = "minime: n6: exit 5\n";
    assert.deepEqual(await attached, { code: 5, stdout: whole, stderr: end });
    assert.deepEqual(await waited, { code: 5, stdout: "", stderr: end });
    assert.deepEqual(await followed, { code: 0, stdout: whole, stderr: "" });
  });

  await step("the daemon that was asked, and later all relays to a node", async () => {
    const asked = run("asked", `n1,${other}`, TREE);
    await grown("asked", 2);
    await mesh.signal("n1", "SIGKILL");
    const unknown = await asked.output();
    assert.equal(unknown.code, 4);
    assert.match(
      new TextDecoder().decode(unknown.stderr),
      /^minime: n\[?1.*unreachable: Node "n1" was asked and is gone: .*may have run/m,
    );
    const cut = run("cut", "n6", TREE);
    await grown("cut", 1);
    await mesh.signal("n4", "SIGKILL");
    await mesh.signal("n5", "SIGKILL");
    const { code, stderr } = await cut.output();
    assert.equal(code, 4);
    assert.match(new TextDecoder().decode(stderr), /^minime: n6: unreachable: .*may have run/m);
    await gone("asked");
    await gone("cut");
    await noZombies();
  });
});
