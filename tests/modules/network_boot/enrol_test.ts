import assert from "node:assert/strict";
import { createRealEnvironment } from "../../../core/environment/real.ts";
import { formatEnrolment } from "../../../modules/shared/enrolment.ts";
import { parseMeshFile } from "../../../modules/shared/mesh_file.ts";
import { enrol } from "../../../modules/network_boot/enrol.ts";
import { LocalLauncher } from "../../../modules/network_boot/local_launcher.ts";
import { Registrar } from "../../../modules/network_boot/registrar.ts";
import { MeshKeys, testPrimitives } from "../../support/mesh_keys.ts";

const real = createRealEnvironment();

/** What a daemon says that is a shell script: boot must name what is wrong with it. */
async function enrolWith(script: string, timeoutMs = 60_000): Promise<unknown> {
  const primitives = await testPrimitives();
  const now = Math.floor(real.clock.now());
  const keys = new MeshKeys(primitives, { random: real.random, now: () => now });
  const registrar = new Registrar({
    env: real,
    primitives,
    authority: keys,
    mesh: "lab",
    policy: new Uint8Array(),
    living: [],
    hosts: [],
  });
  const [host] = parseMeshFile(
    `name = "lab"\n[[hosts]]\nnames = "n1"\nlauncher = "local"\n`,
    { file: "hosts.toml" },
  ).hosts;
  if (host === undefined) throw new Error("There is no host");
  registrar.open(host);
  const processes = {
    self: ["sh", "-c", script],
    spawn: real.processes.spawn.bind(real.processes),
    variable: real.processes.variable.bind(real.processes),
  };
  const launcher = new LocalLauncher({ clock: real.clock, processes });
  const { signal } = new AbortController();
  await using process = await launcher.launch(host, { mesh: "lab", signal, onStep: () => {} });
  return await enrol(process, { host, registrar, clock: real.clock, timeoutMs });
}

const FAIL = formatEnrolment({
  word: "fail",
  value: { reason: "port-taken", message: "Port 7117" },
});
const UP = formatEnrolment({ word: "up", value: { endpoints: [], pid: 1 } });

Deno.test("enrol: a daemon that fails, dies, lies or babbles is told apart", async () => {
  const cases: [script: string, reason: string, text: RegExp][] = [
    [`echo hello; echo '${FAIL.trim()}'`, "port-taken", /^port taken: Port 7117$/],
    ["echo oops >&2; exit 9", "daemon", /^daemon failed: it ended with exit code 9 \(oops\)$/],
    ["kill -9 $$", "daemon", /^daemon failed: it ended with SIGKILL$/],
    [`echo '${UP.trim()}'; cat >/dev/null`, "daemon", /it is up and has no certificate$/],
    [
      "echo MINIME-CSR abc; cat >/dev/null",
      "daemon",
      /Line MINIME-CSR of the enrolment is malformed/,
    ],
    [
      "echo MINIME-CSR eyJyZXF1ZXN0IjoiQUFBQSIsImVuZHBvaW50cyI6W10sInBpZCI6MX0=",
      "daemon",
      /Certificate/,
    ],
    ["yes | head -n 20000; cat >/dev/null", "daemon", /more than 10000 lines of its own/],
    ["head -c 10000000 /dev/zero; cat >/dev/null", "daemon", /Line is longer than/],
  ];
  for (const [script, reason, text] of cases) {
    await assert.rejects(enrolWith(script), (error: { reason: string; text: string }) => {
      assert.equal(error.reason, reason, script);
      assert.match(error.text, text);
      return true;
    });
  }
});

Deno.test("enrol: a daemon that says nothing is cut off", async () => {
  await assert.rejects(enrolWith("exec sleep 60", 50), {
    reason: "timeout",
    message: "timed out: the daemon was not up within 50 ms",
  });
});
