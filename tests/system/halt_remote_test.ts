/** halt from a machine that is no node, over TCP, with a host that vanished from the network. */

import assert from "node:assert/strict";
import { ensureBinary } from "../../tools/binary.ts";
import { blackhole, Rig, systemTest, until } from "./rig/mod.ts";

const FILE = "/root/hosts.toml";

const NAME = "halt: from a machine that is no node, with a host that nobody reaches";

const built = await ensureBinary();
if (built.kind === "compiled") systemTest(NAME, haltFromOutside);
else Deno.test.ignore(`${NAME} (the sources cannot be copied: ${built.why})`, haltFromOutside);

async function haltFromOutside(): Promise<void> {
  await using rig = await Rig.start({ hosts: ["n1", "n2", "n3"] });
  await rig.origin.writeFile(FILE, 'name = "lab"\nhosts = [{ names = "n[1-3]", port = 7117 }]\n');
  const boot = await rig.minime(["boot", "--hosts", FILE], { timeoutMs: 120_000 });
  assert.equal(boot.code, 0, boot.stdout + boot.stderr);

  const away = await blackhole(rig.host("n3"));
  await until("n3 is down", async () => {
    const { stdout } = await rig.minime(["nodes", "--json"]);
    const { nodes }: { nodes: { name: string; state: string }[] } = JSON.parse(stdout);
    return nodes.some(({ name, state }) => name === "n3" && state === "down");
  });
  const { code, stdout, stderr } = await rig.minime(["halt"]);
  assert.equal(code, 0, stdout + stderr);
  // From here a daemon is seen by its port, which closes a moment before the process is gone.
  for (const name of ["n1", "n2"]) {
    await until(`nothing runs on ${name}`, () => rig.host(name).pids().length === 0);
  }
  assert.match(
    stdout,
    /^n\[1-2\]: down\nn3: was down already, for \d+ m?s; nothing answers there\nMesh "lab" is down\n$/,
  );
  assert.equal(
    stderr,
    `Should a daemon still run on n3: minime wipe --hosts ${FILE} -w n3\n`,
  );

  await away[Symbol.asyncDispose]();
  assert.equal(rig.host("n3").pids().length, 1);
  const wiped = await rig.minime(["wipe", "--hosts", FILE, "-w", "n3"]);
  assert.deepEqual([wiped.code, wiped.stdout], [
    0,
    "n3: wiped, the daemon stopped\n1 host is clean\n",
  ]);
  assert.deepEqual(rig.host("n3").pids(), []);
}
